// SPDX-License-Identifier: GPL-2.0-or-later
// Identification pages and the cycle counter.

#include "virtual_board/models/ids.hpp"

#include <algorithm>

namespace mcuota::board {

void fill_info_page(std::span<std::uint8_t> page, const ChipId& id, std::uint32_t flash_bytes) {
    std::fill(page.begin(), page.end(), std::uint8_t{0xFF});
    std::copy(id.begin(), id.end(), page.begin() + 0xA10);
    const std::uint32_t kib = flash_bytes / 1024;
    page[0xA22] = static_cast<std::uint8_t>(kib);
    page[0xA23] = static_cast<std::uint8_t>(kib >> 8);
}

void fill_option_page(std::span<std::uint8_t> page) {
    std::fill(page.begin(), page.end(), std::uint8_t{0xFF});
    page[0] = 0xEF;  // USER: BOR off, software watchdog, no reset on stop and standby
    page[1] = 0xAA;  // RDP level 0
    page[8] = 0xFF;  // nWRP: nothing protected
    page[9] = 0x0F;
}

std::uint32_t Dbgmcu::peek(std::uint32_t offset) const {
    if (offset == 0) return kIdcode;
    return offset / 4 < regs_.size() ? regs_[offset / 4] : 0;
}

void Dbgmcu::write(std::uint32_t offset, std::uint32_t value) {
    if (offset != 0 && offset / 4 < regs_.size()) regs_[offset / 4] = value;
}

void Dwt::reset() {
    ctrl_ = demcr_ = held_ = 0;
    base_ = 0;
}

std::uint32_t Dwt::count() const noexcept {
    return counting() ? held_ + static_cast<std::uint32_t>(clock_.cycles() - base_) : held_;
}

void Dwt::change(std::uint32_t ctrl, std::uint32_t demcr) {
    held_ = count();
    base_ = clock_.cycles();
    ctrl_ = ctrl;
    demcr_ = demcr;
}

void Dwt::set_demcr(std::uint32_t value) {
    change(ctrl_, value & 0x0100'0000);
}

std::uint32_t Dwt::peek(std::uint32_t offset) const {
    if (offset == 0) return 0x4000'0000 | ctrl_;
    return offset == 4 ? count() : 0;
}

void Dwt::write(std::uint32_t offset, std::uint32_t value) {
    if (offset == 0) change(value & 1, demcr_);
    if (offset == 4) {
        held_ = value;
        base_ = clock_.cycles();
    }
}

}  // namespace mcuota::board
