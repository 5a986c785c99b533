#pragma once
// The storage interface of a port: five regions, three operations (mcu_loader/SPEC.md §1). The strict rules of NOR
// flash hold for every region: programming turns 1 into 0, only an erase turns 0 into 1.

#include <cstdint>
#include <span>

#include "mcu_loader/core/status.hpp"

namespace mcuota::device {

/// What a region is for. `running` is internal flash at the load address; the others lie in the SPI NOR.
enum class Region : std::uint8_t { running = 0, flag_a = 1, flag_b = 2, backup = 3, download = 4 };
constexpr std::uint8_t kRegionCount = 5;

/// Implemented by the port (and by the flash models of the tests). Offsets count from the start of the region.
class Storage {
  public:
    [[nodiscard]] virtual std::uint32_t size_bytes(Region region) const noexcept = 0;
    /// Size of the smallest erasable unit that contains `offset` (internal flash sectors differ in size).
    [[nodiscard]] virtual std::uint32_t erase_unit_bytes(Region region, std::uint32_t offset) const noexcept = 0;
    /// Alignment and granule of program(): 4 for internal flash, 1 for SPI NOR.
    [[nodiscard]] virtual std::uint32_t program_unit_bytes(Region region) const noexcept = 0;

    [[nodiscard]] virtual Status read(Region region, std::uint32_t offset, std::span<std::uint8_t> out) noexcept = 0;
    /// Programs erased bytes and reads them back; `offset` and size are multiples of program_unit_bytes().
    [[nodiscard]] virtual Status program(Region region, std::uint32_t offset,
                                         std::span<const std::uint8_t> bytes) noexcept = 0;
    /// Erases whole units that cover exactly [offset, offset + length). Large lengths use large erase commands.
    [[nodiscard]] virtual Status erase(Region region, std::uint32_t offset, std::uint32_t length) noexcept = 0;

  protected:
    ~Storage() = default;
};

}    // namespace mcuota::device
