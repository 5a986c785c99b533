// Independent watchdog, RM0090 chapter 21.
#include "mcu_loader/port/stm32f429/watchdog.hpp"

#include "mcu_loader/port/stm32f429/registers.hpp"

namespace mcuota::stm32f429 {
namespace {
constexpr std::uint32_t kStart = 0xCCCC, kFeed = 0xAAAA, kUnlock = 0x5555;
constexpr std::uint32_t kUpdating = 3;        // PVU | RVU
constexpr std::uint32_t kTurnsMax = 400'000;  // an update takes up to 5 LSI cycles, 0.3 ms at 17 kHz

void wait_until_updated() noexcept {
    for (std::uint32_t turn = 0; turn < kTurnsMax && iwdg().sr.any(kUpdating); ++turn) {
    }
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
