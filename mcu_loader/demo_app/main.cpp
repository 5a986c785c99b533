// The demo application: a small pump controller that blinks, keeps its watchdog fed, lets itself be updated,
// and confirms itself after a self test. Built in several versions and with several ways to fail (demo.hpp).
#include "mcu_loader/demo_app/demo.hpp"

#include <cstdint>

#include "mcu_loader/agent/agent.hpp"
#include "mcu_loader/demo_app/lamp.hpp"
#include "mcu_loader/demo_app/pump.hpp"
#include "mcu_loader/port/stm32f429/clock.hpp"
#include "mcu_loader/port/stm32f429/cpu.hpp"
#include "mcu_loader/port/stm32f429/ticks.hpp"
#include "mcu_loader/port/stm32f429/watchdog.hpp"

namespace mcuota::demo {
namespace {

constexpr std::uint32_t kSelfTestMs = 300;
constexpr std::uint32_t kTrialMs = 5'000;
constexpr std::uint32_t kLateMs = kTrialMs + 200;
constexpr std::uint32_t kDiesMs = 900;
constexpr std::uint32_t kControlPeriodMs = 10;

/// Interrupts off and nothing fed: only the watchdog gets us out of here.
[[noreturn]] void hang() noexcept {
    const stm32f429::InterruptLock lock;
    for (;;)
        stm32f429::memory_clobber();
}

/// An undefined instruction: HardFault, whose handler resets the chip.
void crash() noexcept {
    asm volatile("udf #0");
}

/// Work that lets nothing else happen until it is too late for a confirmation.
void dawdle(std::uint32_t start_ms) noexcept {
    while (stm32f429::now_ms() - start_ms < kLateMs) {
        stm32f429::watchdog_feed();
        stm32f429::wait_for_interrupt();
    }
}

/// What the chosen variant does when its self test has ended.
void after_self_test(bool passed, std::uint32_t start_ms) noexcept {
    switch (kBehaviour) {
        case Behaviour::confirms_late:
            dawdle(start_ms);
            [[fallthrough]];
        case Behaviour::healthy:
        case Behaviour::confirms_then_dies:
            if (passed)
                (void)agent::confirm();  // a journal that cannot be written leaves us on trial: the truth
            return;
        case Behaviour::never_confirms:
            return;
        case Behaviour::hangs:
            hang();
        case Behaviour::crashes:
            crash();
            return;
    }
}

}  // namespace
}  // namespace mcuota::demo

extern "C" void firmware_main();
extern "C" void firmware_main() {
    using namespace mcuota;
    const stm32f429::Clocks clocks = stm32f429::clock_start();
    stm32f429::ticks_start(clocks.hclk_hz);
    stm32f429::watchdog_feed();  // the loader started it

    const agent::Config config{
        .now_ms = stm32f429::now_ms,
        .feed_watchdog = stm32f429::watchdog_feed,
        .pclk2_hz = clocks.pclk2_hz,
        .trial_ms = demo::kTrialMs,
        .before_reset = demo::lamp_off,
    };
    const bool storage_works = agent::init(config) == Status::ok;
    demo::lamp_start();

    demo::Pump pump;
    bool tested = false;
    const std::uint32_t start_ms = stm32f429::now_ms();
    std::uint32_t control_ms = start_ms;
    for (;;) {
        const std::uint32_t now_ms = stm32f429::now_ms();
        stm32f429::watchdog_feed();
        agent::poll();
        demo::lamp_poll(now_ms - start_ms);
        if (now_ms - control_ms >= demo::kControlPeriodMs) {
            control_ms = now_ms;
            pump.step();
        }
        if (!tested && now_ms - start_ms >= demo::kSelfTestMs) {
            tested = true;
            demo::after_self_test(storage_works && clocks.hclk_hz == 168'000'000 && pump.plausible(),
                                  start_ms);
        }
        const bool dies = demo::kBehaviour == demo::Behaviour::confirms_then_dies;
        if (dies && now_ms - start_ms >= demo::kDiesMs) demo::crash();
        agent::wait();
    }
}
