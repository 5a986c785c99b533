// SPDX-License-Identifier: GPL-2.0-or-later
// Builds the sector maps.

#include "virtual_board/models/flash_geometry.hpp"

namespace mcuota::board {
namespace {

constexpr std::uint32_t kKib = 1024;

}  // namespace

FlashGeometry::FlashGeometry(Part part) : part_(part) {
    const auto add_bank = [this](unsigned bank, unsigned first_number, unsigned large_sectors) {
        unsigned number = first_number;
        const auto add = [&](std::uint32_t size) {
            sectors_.push_back({number++, kFlashBase + size_bytes_, size, bank});
            size_bytes_ += size;
        };
        for (int i = 0; i < 4; ++i)
            add(16 * kKib);
        add(64 * kKib);
        for (unsigned i = 0; i < large_sectors; ++i)
            add(128 * kKib);
    };
    switch (part) {
        case Part::single_1mb:
            add_bank(1, 0, 7);
            break;
        case Part::dual_1mb:
            add_bank(1, 0, 3);
            add_bank(2, 12, 3);
            break;
        case Part::dual_2mb:
            add_bank(1, 0, 7);
            add_bank(2, 12, 7);
            break;
    }
}

const Sector* FlashGeometry::at(std::uint32_t address) const noexcept {
    for (const Sector& sector : sectors_)
        if (address >= sector.begin && address < sector.end()) return &sector;
    return nullptr;
}

const Sector* FlashGeometry::by_snb(unsigned snb) const noexcept {
    for (const Sector& sector : sectors_)
        if (sector.snb() == snb) return &sector;
    return nullptr;
}

}  // namespace mcuota::board
