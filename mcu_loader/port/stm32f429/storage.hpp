#pragma once
// The five regions of this product: the application in internal flash, everything else in the SPI NOR.

#include "mcu_loader/core/device/storage.hpp"
#include "mcu_loader/port/stm32f429/internal_flash.hpp"
#include "mcu_loader/port/stm32f429/spi_nor.hpp"

namespace mcuota::stm32f429 {

class Storage final : public device::Storage {
  public:
    Storage(InternalFlash& flash, SpiNor& nor, const Hooks& hooks) noexcept
        : flash_{flash}, nor_{nor}, hooks_{hooks} {}

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
    InternalFlash& flash_;
    SpiNor& nor_;
    Hooks hooks_;
};

}  // namespace mcuota::stm32f429
