#pragma once
// A sound port over the flash model, and one with a fault of its driver.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mcu_loader/core/device/self_test.hpp"
#include "tests/unit/loader/flash_model.hpp"

namespace mcuota::test {

/// Passes everything on to the flash and refuses what is outside, as a port has to.
class Port : public device::Storage {
  public:
    explicit Port(FlashModel& flash) : flash_{flash} {}
    virtual ~Port() = default;
    [[nodiscard]] std::uint32_t size_bytes(Region region) const noexcept override {
        return flash_.size_bytes(region);
    }
    [[nodiscard]] std::uint32_t erase_unit_bytes(Region region,
                                                 std::uint32_t offset) const noexcept override {
        return flash_.erase_unit_bytes(region, offset);
    }
    [[nodiscard]] std::uint32_t program_unit_bytes(Region region) const noexcept override {
        return flash_.program_unit_bytes(region);
    }
    [[nodiscard]] Status read(Region region, std::uint32_t offset,
                              std::span<std::uint8_t> out) noexcept override;
    [[nodiscard]] Status program(Region region, std::uint32_t offset,
                                 std::span<const std::uint8_t> bytes) noexcept override;
    [[nodiscard]] Status erase(Region region, std::uint32_t offset, std::uint32_t length) noexcept override;

  protected:
    [[nodiscard]] bool inside(Region region, std::uint32_t offset, std::size_t length) const noexcept {
        return offset <= size_bytes(region) && length <= size_bytes(region) - offset;
    }
    [[nodiscard]] bool on_border(Region region, std::uint32_t offset) const noexcept;
    FlashModel& flash_;
};

/// A few KiB that regions_usable() accepts; the backup with room for two.
[[nodiscard]] Geometry usable_geometry();

struct WrongDriver {
    const char* name;
    std::function<std::unique_ptr<Port>(FlashModel&)> make;
    std::vector<link::SelfTestFinding> findings;  ///< any of these names it
    const char* words;                            ///< stands in its sentence
};
/// Each with one fault, as they are made.
[[nodiscard]] std::vector<WrongDriver> wrong_drivers();

}  // namespace mcuota::test
