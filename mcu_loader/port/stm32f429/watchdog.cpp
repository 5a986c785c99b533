// Independent watchdog, RM0090 chapter 21.
#include "mcu_loader/port/stm32f429/watchdog.hpp"

#include "mcu_loader/port/stm32f429/deadline.hpp"
#include "mcu_loader/port/stm32f429/registers.hpp"

namespace mcuota::stm32f429 {
namespace {
constexpr std::uint32_t kStart = 0xCCCC, kFeed = 0xAAAA, kUnlock = 0x5555;
constexpr std::uint32_t kUpdating = 3;  // PVU | RVU
// An update takes up to 5 LSI cycles, 0.3 ms at 17 kHz. Called with the core at 16 MHz: 100 ms; faster: 10
// ms.
constexpr std::uint32_t kUpdateCycles = 1'600'000;

void wait_until_updated() noexcept {
    (void)wait_for(iwdg().sr, kUpdating, 0, kUpdateCycles);
}
}  // namespace

void watchdog_start() noexcept {
    iwdg().kr.write(kStart);  // also starts the LSI, without which the updates below never end
    iwdg().kr.write(kUnlock);
    wait_until_updated();
    iwdg().pr.write(6);     // LSI / 256: 8 ms a count at 32 kHz
    iwdg().rlr.write(999);  // 1000 counts
    wait_until_updated();
    iwdg().kr.write(kFeed);
}

void watchdog_feed() noexcept {
    iwdg().kr.write(kFeed);
}

}  // namespace mcuota::stm32f429
