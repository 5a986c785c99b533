// SPDX-License-Identifier: GPL-2.0-or-later
// Peripheral address decoding.

#include "virtual_board/bus.hpp"

namespace mcuota::board {
namespace {

struct Range {
    std::uint32_t begin, end;
};
// Peripheral areas of the STM32F42x (RM0090 table 1) and the private peripheral bus.
constexpr std::array<Range, 7> kPeripheralRanges{{{0x4000'0000, 0x4000'8000},
                                                  {0x4001'0000, 0x4001'6C00},
                                                  {0x4002'0000, 0x4008'0000},
                                                  {0x5000'0000, 0x5006'0C00},
                                                  {0xA000'0000, 0xA000'1000},
                                                  {0xE000'0000, 0xE010'0000},
                                                  {0x1FFE'C000, 0x1FFE'D000}}};

[[nodiscard]] std::uint32_t mask_of(unsigned size_bytes) noexcept {
    return size_bytes >= 4 ? 0xFFFF'FFFFu : (1u << (8 * size_bytes)) - 1;
}

}  // namespace

void Bus::add(Slot slot) {
    const auto index = static_cast<std::int16_t>(slots_.size());
    for (std::uint32_t at = slot.base; at < slot.base + slot.size_bytes; at += 1024) {
        const std::uint32_t entry = (at - kTableBase) / 1024;
        if (at >= kTableBase && entry < kTableSlots) table_[entry] = index;
    }
    slots_.push_back(slot);
}

const Slot* Bus::at(std::uint32_t address) const noexcept {
    const std::uint32_t entry = (address - kTableBase) / 1024;
    if (entry < kTableSlots)
        return table_[entry] < 0 ? nullptr : &slots_[static_cast<std::size_t>(table_[entry])];
    for (const Slot& slot : slots_)
        if (address - slot.base < slot.size_bytes) return &slot;
    return nullptr;
}

bool Bus::peripheral_space(std::uint32_t address) noexcept {
    for (const Range& range : kPeripheralRanges)
        if (address >= range.begin && address < range.end) return true;
    return false;
}

std::uint32_t Bus::read(const Slot& slot, std::uint32_t address, unsigned size_bytes) {
    const std::uint32_t offset = address - slot.base;
    return slot.device->read(offset & ~3u) >> (8 * (offset & 3)) & mask_of(size_bytes);
}

void Bus::write(const Slot& slot, std::uint32_t address, unsigned size_bytes, std::uint32_t value) {
    const std::uint32_t offset = address - slot.base;
    if (size_bytes < 4) {
        const unsigned shift = 8 * (offset & 3);
        const std::uint32_t mask = mask_of(size_bytes) << shift;
        value = (slot.device->merge_base(offset & ~3u) & ~mask) | (value << shift & mask);
    }
    slot.device->write(offset & ~3u, value);
}

}  // namespace mcuota::board
