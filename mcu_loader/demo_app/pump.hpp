#pragma once
// The controller the demo pretends to be: keeps the level of a simulated tank with a pump. Version 1
// switches, version 2 regulates and filters, so that the two programs differ the way releases do: tables,
// constants, and code that moved.

#include <array>
#include <cstddef>
#include <cstdint>

namespace mcuota::demo {

class Pump {
  public:
    /// One control period: the tank loses what is drawn, gains what is pumped.
    void step() noexcept;
    /// Whether the level has stayed where a working controller keeps it.
    [[nodiscard]] bool plausible() const noexcept;
    [[nodiscard]] std::int32_t level() const noexcept { return level_; }

  private:
    [[nodiscard]] std::int32_t drawn() noexcept;
    [[nodiscard]] std::int32_t decide(std::int32_t measured) noexcept;

    static constexpr std::size_t kFilterLength = 16;
    std::int32_t level_{50'000};  ///< 1/1000 of the tank
    std::int32_t lowest_{50'000};
    std::int32_t highest_{50'000};
    std::int32_t integral_{0};
    std::uint32_t phase_{0};
    bool running_{false};
    std::array<std::int32_t, kFilterLength> filter_{};
    std::size_t filter_next_{0};
    bool filter_filled_{false};
};

}  // namespace mcuota::demo
