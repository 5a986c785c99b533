// Clock start and stop: RM0090 chapters 3.5.1 (wait states), 5.1.4 (voltage scale), 6.3 (RCC registers).
#include "mcu_loader/port/stm32f429/clock.hpp"

#include "mcu_loader/port/stm32f429/deadline.hpp"
#include "mcu_loader/port/stm32f429/registers.hpp"

namespace mcuota::stm32f429 {
namespace {

constexpr std::uint32_t kHsiHz = 16'000'000, kHseMhz = 25, kHsiMhz = 16;
constexpr std::uint32_t kHsiOn = bit(0), kHsiReady = bit(1), kHseOn = bit(16), kHseReady = bit(17);
constexpr std::uint32_t kPllOn = bit(24), kPllReady = bit(25), kPllFromHse = bit(22);
constexpr std::uint32_t kSwitchMask = 3, kSwitchPll = 2, kSwitchedMask = 3U << 2, kSwitchedPll = 2U << 2;
constexpr std::uint32_t kPpre1By4 = 5U << 10, kPpre2By2 = 4U << 13;
constexpr std::uint32_t kLatencyMask = 0xF, kPrefetch = bit(8), kICache = bit(9), kDCache = bit(10);
constexpr std::uint32_t kICacheReset = bit(11), kDCacheReset = bit(12);
constexpr std::uint32_t kVoltageScale1 = 3U << 14;
constexpr std::uint32_t kPllcfgrReset = 0x2400'3010;

// Core cycles while the core still runs from the HSI: 100 ms for the crystal (data sheet: 2 ms typical); 10
// ms for PLL (0.3 ms at most) and switch.
constexpr std::uint32_t kCrystalCycles = kHsiHz / 10, kPllCycles = kHsiHz / 100;

/// 1 MHz into the PLL, 336 MHz inside, 168 MHz out, 48 MHz for whoever wants it.
constexpr std::uint32_t pll_for(std::uint32_t input_mhz) noexcept {
    return input_mhz | (336U << 6) | (0U << 16) | (7U << 24);
}

}  // namespace

Clocks clock_start() noexcept {
    rcc().apb1enr.set(kApb1Pwr);
    (void)rcc().apb1enr.read();  // the clock is there two cycles after the write (ES0206 2.2.6)
    pwr().cr.set(kVoltageScale1);

    rcc().cr.set(kHseOn);
    const bool crystal = wait_for(rcc().cr, kHseReady, kHseReady, kCrystalCycles);
    if (!crystal) rcc().cr.clear(kHseOn);

    rcc().pllcfgr.write(crystal ? pll_for(kHseMhz) | kPllFromHse : pll_for(kHsiMhz));
    rcc().cr.set(kPllOn);
    // Wait states before speed: 5 for 150 – 168 MHz at 2.7 – 3.6 V.
    flash_interface().acr.write(5U | kPrefetch | kICache | kDCache);
    if (!wait_for(rcc().cr, kPllReady, kPllReady, kPllCycles) ||
        !wait_for(flash_interface().acr, kLatencyMask, 5U, kPllCycles)) {
        rcc().cr.clear(kPllOn);
        return {kHsiHz, kHsiHz, kHsiHz, false};
    }
    rcc().cfgr.write(kPpre1By4 | kPpre2By2);
    rcc().cfgr.set(kSwitchPll);
    if (!wait_for(rcc().cfgr, kSwitchedMask, kSwitchedPll, kPllCycles)) {
        rcc().cfgr.write(0);
        rcc().cr.clear(kPllOn);
        return {kHsiHz, kHsiHz, kHsiHz, false};
    }
    return {168'000'000, 42'000'000, 84'000'000, crystal};
}

void clock_stop() noexcept {
    rcc().cr.set(kHsiOn);
    (void)wait_for(rcc().cr, kHsiReady, kHsiReady, 10 * kPllCycles);
    rcc().cfgr.clear(kSwitchMask);
    (void)wait_for(rcc().cfgr, kSwitchedMask, 0, 10 * kPllCycles);
    rcc().cfgr.write(0);
    rcc().cr.clear(kPllOn | kHseOn);
    rcc().pllcfgr.write(kPllcfgrReset);
    rcc().cir.write(0);
    // Slower now: wait states may go. The caches are emptied while they are off, the only time that is
    // allowed.
    auto& acr = flash_interface().acr;
    acr.clear(kPrefetch | kICache | kDCache);
    acr.set(kICacheReset | kDCacheReset);
    acr.write(0);
}

}  // namespace mcuota::stm32f429
