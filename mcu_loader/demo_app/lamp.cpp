// Blink patterns; the lamp of the board is on when its pin is low.
#include "mcu_loader/demo_app/lamp.hpp"

#include <array>

#include "mcu_loader/demo_app/demo.hpp"
#include "mcu_loader/port/stm32f429/registers.hpp"

namespace mcuota::demo {
namespace {

using stm32f429::bit;
constexpr unsigned kPin = 10;
constexpr std::uint32_t kStepMs = 50;

// One bit a step of 50 ms, first step in the lowest bit: version 1 beats slowly, version 2 twice, the failing
// ones stutter.
constexpr std::array<std::uint32_t, 4> kPatterns{0x0000'03FF, 0x0000'3C0F, 0x0F0F'0F0F, 0x5555'5555};
constexpr std::uint32_t kPattern =
    kBehaviour == Behaviour::healthy ? kPatterns[(kGeneration - 1) % 2] : kPatterns[2 + kGeneration % 2];

void light(bool on) noexcept {
    stm32f429::gpio_h().bsrr.write(on ? bit(kPin + 16) : bit(kPin));
}

}  // namespace

void lamp_start() noexcept {
    stm32f429::rcc().ahb1enr.set(stm32f429::kAhb1GpioH);
    (void)stm32f429::rcc().ahb1enr.read();
    light(false);
    stm32f429::gpio_h().moder.change(3U << (2 * kPin), 1U << (2 * kPin));
}

void lamp_poll(std::uint32_t running_ms) noexcept {
    static bool shown = false;
    const bool on = (kPattern & bit(running_ms / kStepMs % 32)) != 0;
    if (on != shown) light(shown = on);
}

void lamp_off() noexcept {
    light(false);
}

}  // namespace mcuota::demo
