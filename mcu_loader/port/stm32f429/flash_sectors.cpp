// The sector maps of the STM32F429: RM0090 3.3, tables 5 (1 MiB single bank), 6 (2 MiB) and 7 (1 MiB dual
// bank).
#include "mcu_loader/port/stm32f429/internal_flash.hpp"

namespace mcuota::stm32f429 {

FlashSector flash_sector_at(std::uint32_t offset, std::uint32_t flash_kib, bool split) noexcept {
    constexpr std::uint32_t k16 = 16 * 1024, k64 = 64 * 1024, k128 = 128 * 1024;
    const std::uint32_t bank_bytes = flash_kib > 1024 ? 1024U * 1024 : split ? 512U * 1024 : flash_kib * 1024;
    const bool second = offset >= bank_bytes;
    const std::uint32_t base = second ? bank_bytes : 0;
    const auto first_number = static_cast<std::uint8_t>(second ? 12 : 0);
    const std::uint32_t inside = offset - base;
    if (inside < 4 * k16) {
        return {base + inside / k16 * k16, k16, static_cast<std::uint8_t>(first_number + inside / k16)};
    }
    if (inside < k128) return {base + 4 * k16, k64, static_cast<std::uint8_t>(first_number + 4)};
    return {base + inside / k128 * k128, k128, static_cast<std::uint8_t>(first_number + 4 + inside / k128)};
}

}  // namespace mcuota::stm32f429
