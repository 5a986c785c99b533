#pragma once
// The internal flash from the application's first sector on: sector map, erase, program. Code runs from the
// same bank and stands still meanwhile (stm32f429: 1 – 2 s for a 128 KiB erase); the watchdog is set to
// outlast that.

#include <cstdint>
#include <span>

#include "mcu_loader/core/status.hpp"

namespace mcuota::stm32f429 {

constexpr std::uint32_t kFlashBegin = 0x0800'0000;
constexpr std::uint32_t kApplicationBegin = 0x0802'0000;

/// One erasable sector, `begin` counted from the start of the flash.
struct FlashSector {
    std::uint32_t begin;
    std::uint32_t bytes;
    std::uint8_t number;  ///< as RM0090 tables 5 – 7 count
};

/// The sector that holds `offset` (from the start of the flash) on a part of `flash_kib` KiB; `split` = a 1
/// MiB part with DB1M set. Pure: the tables of RM0090 3.3 as arithmetic.
[[nodiscard]] FlashSector flash_sector_at(std::uint32_t offset, std::uint32_t flash_kib, bool split) noexcept;

/// Value of FLASH_CR.SNB for a sector: sectors of the second bank start at 0x10.
[[nodiscard]] constexpr std::uint32_t sector_code(std::uint8_t number) noexcept {
    return number < 12 ? number : number + 4U;
}

/// Offsets count from kApplicationBegin. Errors: out_of_range, flash_erase_failed, flash_program_failed.
class InternalFlash {
  public:
    [[nodiscard]] std::uint32_t flash_kib() const noexcept;
    [[nodiscard]] std::uint32_t size_bytes() const noexcept;
    [[nodiscard]] std::uint32_t sector_bytes(std::uint32_t offset) const noexcept;
    [[nodiscard]] Status read(std::uint32_t offset, std::span<std::uint8_t> out) const noexcept;
    /// Words (x32: 2.7 – 3.6 V) and reads them back; offset and size are multiples of 4.
    [[nodiscard]] Status program(std::uint32_t offset, std::span<const std::uint8_t> bytes) noexcept;
    /// Erases the sectors that make up exactly [offset, offset + length) and checks that they read blank.
    [[nodiscard]] Status erase(std::uint32_t offset, std::uint32_t length,
                               void (*between)() noexcept) noexcept;
};

}  // namespace mcuota::stm32f429
