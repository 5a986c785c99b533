#pragma once
// The expected demand of a day as a table computed at build time. Each generation of the application has
// learnt a little: most entries differ slightly, the shape stays.

#include <array>
#include <cstddef>
#include <cstdint>

namespace mcuota::demo {

constexpr std::size_t kDemandEntries = 5760;  // one for every 15 s of a day

/// A morning and an evening hill on a base, with small weather on top. Values are 1/1000 of the tank a
/// control period.
template <unsigned Generation>
constexpr std::array<std::int16_t, kDemandEntries> make_demand_table() noexcept {
    std::array<std::int16_t, kDemandEntries> table{};
    const auto hill = [](std::int32_t at, std::int32_t centre, std::int32_t width, std::int32_t height) {
        const std::int32_t distance = at > centre ? at - centre : centre - at;
        return distance >= width ? 0 : height * (width - distance) / width * (width - distance) / width;
    };
    std::uint32_t weather = 0x2545'F491;
    for (std::size_t i = 0; i < table.size(); ++i) {
        const auto at = static_cast<std::int32_t>(i);
        weather ^= weather << 13;
        weather ^= weather >> 17;
        weather ^= weather << 5;
        std::int32_t value = 20 + hill(at, 1'800, 700, 60) + hill(at, 4'500, 900, 45);
        value += static_cast<std::int32_t>(weather % 8);
        // What later generations have learnt: the hills move a little, and nights are quieter.
        if (Generation >= 2) value += hill(at, 1'860, 300, 6) - hill(at, 300, 400, 5);
        table[i] = static_cast<std::int16_t>(value);
    }
    return table;
}

}  // namespace mcuota::demo
