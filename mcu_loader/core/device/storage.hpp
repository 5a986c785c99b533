#pragma once
// The storage interface of a port: five regions, three operations (mcu_loader/SPEC.md §1). The strict rules
// of NOR flash hold for every region: programming turns 1 into 0, only an erase turns 0 into 1.

#include <cstdint>
#include <span>

#include "mcu_loader/core/status.hpp"

namespace mcuota::device {

/// What a region is for. `running` is internal flash at the load address; the others lie in the SPI NOR.
enum class Region : std::uint8_t { running = 0, flag_a = 1, flag_b = 2, backup = 3, download = 4 };
constexpr std::uint8_t kRegionCount = 5;

/// Implemented by the port (and by the flash models of the tests). Offsets count from the start of the
/// region.
///
/// What the decisions above expect of the regions (checked by regions_usable()):
///  - running: at most 32 erase units; program unit 1, 2, 4, 8 or 16 bytes;
///  - flag_a, flag_b: equal; first erase unit = journal (a multiple of 256 bytes), second = manifest slot (at
///    least 2320 bytes), the rest = key area (at least 4352 bytes);
///  - download: erase units all of one size, 256 to 4096 bytes; program unit 1 in all of the NOR;
///  - backup: at least as large as running; with twice that, its second half beginning with an erase unit,
///    it has two banks (has_two_banks()).
/// Every operation is bounded in time and feeds the watchdog where one call may last long.
class Storage {
  public:
    [[nodiscard]] virtual std::uint32_t size_bytes(Region region) const noexcept = 0;
    /// Size of the smallest erasable unit that contains `offset` (internal flash sectors differ in size).
    [[nodiscard]] virtual std::uint32_t erase_unit_bytes(Region region,
                                                         std::uint32_t offset) const noexcept = 0;
    /// Alignment and granule of program(): 4 for internal flash, 1 for SPI NOR.
    [[nodiscard]] virtual std::uint32_t program_unit_bytes(Region region) const noexcept = 0;

    [[nodiscard]] virtual Status read(Region region, std::uint32_t offset,
                                      std::span<std::uint8_t> out) noexcept = 0;
    /// Programs erased bytes (splitting at page borders) and reads them back; `offset` and size are multiples
    /// of program_unit_bytes(). Zeros may be programmed over anything. Errors: flash_program_failed,
    /// nor_verify_failed, nor_timeout, out_of_range.
    [[nodiscard]] virtual Status program(Region region, std::uint32_t offset,
                                         std::span<const std::uint8_t> bytes) noexcept = 0;
    /// Erases whole units that cover exactly [offset, offset + length). Large lengths use the largest erase
    /// commands that fit. Errors: flash_erase_failed, nor_timeout, nor_verify_failed, out_of_range.
    [[nodiscard]] virtual Status erase(Region region, std::uint32_t offset,
                                       std::uint32_t length) noexcept = 0;

  protected:
    ~Storage() = default;
};

/// Parts of a flag region behind the journal, as offsets in it.
struct FlagLayout {
    std::uint32_t slot_begin;  ///< manifest slot: the second erase unit
    std::uint32_t slot_bytes;
    std::uint32_t keys_begin;  ///< key area: everything behind it
    std::uint32_t keys_bytes;
    [[nodiscard]] bool operator==(const FlagLayout&) const noexcept = default;
};
[[nodiscard]] FlagLayout flag_layout(const Storage& storage, Region region) noexcept;

/// Whether `status` speaks of the memory, not of what stands in it: worth another attempt.
[[nodiscard]] constexpr bool is_storage_error(Status status) noexcept {
    return (static_cast<unsigned>(status) & 0xFF00U) == 0x0300U;
}

/// The halves of a backup region that is large enough: one holds the backup while the other one takes the
/// next. Stored in the journal.
enum class Bank : std::uint8_t { first = 0x00, second = 0x96 };

[[nodiscard]] constexpr Bank other(Bank bank) noexcept {
    return bank == Bank::first ? Bank::second : Bank::first;
}

/// Whether the backup region has two banks.
[[nodiscard]] bool has_two_banks(const Storage& storage) noexcept;

/// Where a bank begins in the backup region.
[[nodiscard]] std::uint32_t bank_offset(const Storage& storage, Bank bank) noexcept;

/// Whether the regions have the sizes the loader can work with: a port calls it once at start.
[[nodiscard]] bool regions_usable(const Storage& storage) noexcept;

}  // namespace mcuota::device
