// SPDX-License-Identifier: GPL-2.0-or-later
// Tearing, and what torn cells read.

#include "virtual_board/models/torn_cells.hpp"

#include <algorithm>

namespace mcuota::board {

void TornCells::tear(std::size_t begin, std::span<const std::uint8_t> target, Tear tear) {
    if (target.empty()) return;
    Area area{begin, std::vector<std::uint8_t>(target.size(), 0),
              tear == Tear::looks_done || tear == Tear::looks_untouched};
    const std::size_t border = tear == Tear::partial ? random_.next() % target.size() : 0;
    for (std::size_t i = 0; i < target.size(); ++i) {
        std::uint8_t& cell = array_[begin + i];
        const auto in_flight = static_cast<std::uint8_t>(cell ^ target[i]);
        switch (tear) {
            case Tear::mixed:
                cell = static_cast<std::uint8_t>(cell ^ (in_flight & random_.byte()));
                area.unsteady[i] = static_cast<std::uint8_t>(in_flight & random_.byte());
                break;
            case Tear::partial:
                if (i < border) cell = target[i];
                if (i == border) {
                    cell = static_cast<std::uint8_t>(cell ^ (in_flight & random_.byte()));
                    area.unsteady[i] = in_flight;
                }
                break;
            case Tear::looks_done:
                cell = target[i];
                area.unsteady[i] = in_flight;
                break;
            case Tear::looks_untouched:
                area.unsteady[i] = in_flight;
                break;
        }
    }
    areas_.push_back(std::move(area));
    drop_settled();
}

void TornCells::tear_erase(std::size_t begin, std::size_t size_bytes, Tear tear_kind) {
    const std::vector<std::uint8_t> blank(size_bytes, 0xFF);
    tear(begin, blank, tear_kind);
}

void TornCells::started() {
    for (Area& area : areas_) {
        if (area.deceptive) {
            area.deceptive = false;
            continue;
        }
        for (std::size_t i = 0; i < area.unsteady.size(); ++i) {
            const std::uint8_t unsteady = area.unsteady[i];
            if (unsteady == 0) continue;
            std::uint8_t& cell = array_[area.begin + i];
            cell = static_cast<std::uint8_t>((cell & ~unsteady) | (random_.byte() & unsteady));
        }
    }
}

void TornCells::programmed(std::size_t begin, std::span<const std::uint8_t> value) {
    for (Area& area : areas_) {
        const std::size_t from = std::max(begin, area.begin);
        const std::size_t to = std::min(begin + value.size(), area.begin + area.unsteady.size());
        for (std::size_t at = from; at < to; ++at)
            area.unsteady[at - area.begin] &= value[at - begin];
    }
    drop_settled();
}

void TornCells::erased(std::size_t begin, std::size_t size_bytes) {
    for (Area& area : areas_) {
        const std::size_t from = std::max(begin, area.begin);
        const std::size_t to = std::min(begin + size_bytes, area.begin + area.unsteady.size());
        for (std::size_t at = from; at < to; ++at)
            area.unsteady[at - area.begin] = 0;
    }
    drop_settled();
}

void TornCells::drop_settled() {
    std::erase_if(areas_, [](const Area& area) {
        return std::all_of(area.unsteady.begin(), area.unsteady.end(),
                           [](std::uint8_t bits) { return bits == 0; });
    });
}

}  // namespace mcuota::board
