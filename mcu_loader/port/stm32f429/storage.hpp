#pragma once
// The five regions: the application in internal flash, everything else in the SPI NOR.

#include <array>

#include "mcu_loader/core/device/storage.hpp"
#include "mcu_loader/port/stm32f429/internal_flash.hpp"
#include "mcu_loader/port/stm32f429/spi_nor.hpp"

namespace mcuota::stm32f429 {

/// A region's place in the SPI NOR. Both begin and end on a 4 KiB sector.
struct NorRegion {
    std::uint32_t begin;
    std::uint32_t bytes;
};

/// Where a board has its regions (boards/…/board_facts.hpp).
struct RegionMap {
    std::array<NorRegion, device::kRegionCount> nor;  ///< indexed by device::Region; running is not in it
    std::uint32_t nor_bytes;                          ///< the chip must have that many
};

class Storage final : public device::Storage {
  public:
    /// `map` outlives the storage.
    Storage(const RegionMap& map, InternalFlash& flash, SpiNor& nor, const Hooks& hooks) noexcept
        : map_{map}, flash_{flash}, nor_{nor}, hooks_{hooks} {}

    [[nodiscard]] std::uint32_t size_bytes(device::Region region) const noexcept override;
    [[nodiscard]] std::uint32_t erase_unit_bytes(device::Region region,
                                                 std::uint32_t offset) const noexcept override;
    [[nodiscard]] std::uint32_t program_unit_bytes(device::Region region) const noexcept override;
    [[nodiscard]] Status read(device::Region region, std::uint32_t offset,
                              std::span<std::uint8_t> out) noexcept override;
    [[nodiscard]] Status program(device::Region region, std::uint32_t offset,
                                 std::span<const std::uint8_t> bytes) noexcept override;
    [[nodiscard]] Status erase(device::Region region, std::uint32_t offset,
                               std::uint32_t length) noexcept override;

  private:
    [[nodiscard]] const NorRegion& nor_region(device::Region region) const noexcept {
        return map_.nor[static_cast<std::size_t>(region)];
    }

    const RegionMap& map_;
    InternalFlash& flash_;
    SpiNor& nor_;
    Hooks hooks_;
};

}  // namespace mcuota::stm32f429
