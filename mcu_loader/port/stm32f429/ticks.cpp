// SysTick as the 1 ms clock (ARMv7-M B3.3).
#include "mcu_loader/port/stm32f429/ticks.hpp"

#include "mcu_loader/port/stm32f429/registers.hpp"

namespace {
// A plain word: only the handler writes, readers take one aligned load.
volatile std::uint32_t ticks_ms;
}  // namespace

extern "C" void SysTick_Handler();
extern "C" void SysTick_Handler() {
    ticks_ms = ticks_ms + 1;
}

namespace mcuota::stm32f429 {

void ticks_start(std::uint32_t hclk_hz) noexcept {
    systick().rvr.write(hclk_hz / 1000 - 1);
    systick().cvr.write(0);
    systick().csr.write(7);  // core clock, interrupt, on
}

void ticks_stop() noexcept {
    systick().csr.write(0);
    systick().cvr.write(0);
}

std::uint32_t now_ms() noexcept {
    return ticks_ms;
}

}  // namespace mcuota::stm32f429
