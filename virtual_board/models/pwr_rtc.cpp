// SPDX-License-Identifier: GPL-2.0-or-later
// Backup domain access rules.

#include "virtual_board/models/pwr_rtc.hpp"

#include <cstring>
#include <utility>

namespace mcuota::board {

std::uint32_t Pwr::peek(std::uint32_t offset) const {
    if (offset == kCr) return cr_;
    if (offset == kCsr) {
        const std::uint32_t over_drive = cr_ >> 16 & 3;  // ODEN, ODSWEN -> ODRDY, ODSWRDY at once
        const std::uint32_t backup_regulator = csr_ >> 9 & 1;
        return csr_ | 1u << 14 | over_drive << 16 | backup_regulator << 3;
    }
    return 0;
}

void Pwr::write(std::uint32_t offset, std::uint32_t value) {
    if (offset == kCr) cr_ = value & 0x000F'FFF3;  // CWUF and CSBF read as zero
    if (offset == kCsr) csr_ = value & 0x300;
}

void Pwr::reset() {
    cr_ = 0xC000;
    csr_ &= 0x200;  // BRE belongs to the backup domain
}

Rtc::Rtc(BackupDomain& domain, std::function<bool()> writable)
    : domain_(domain), writable_(std::move(writable)) {
    regs_[0x10 / 4] = 0x007F'00FF;  // PRER
    regs_[0x04 / 4] = 0x0000'2101;  // DR
    regs_[0x14 / 4] = 0x0000'FFFF;  // WUTR
}

std::uint32_t Rtc::peek(std::uint32_t offset) const {
    if (offset >= 0x50 && offset < 0x50 + 4 * BackupDomain::kRegisters)
        return domain_.registers[(offset - 0x50) / 4];
    if (offset == 0x0C) {
        const std::uint32_t init = regs_[0x0C / 4] >> 7 & 1;
        return (regs_[0x0C / 4] & 0x80u) | init << 6 | 1u << 5 | 7u;  // INITF follows INIT, RSF and xxWF set
    }
    return offset < 0x50 ? regs_[offset / 4] : 0;
}

void Rtc::write(std::uint32_t offset, std::uint32_t value) {
    if (!writable_()) return;
    if (offset >= 0x50 && offset < 0x50 + 4 * BackupDomain::kRegisters)
        domain_.registers[(offset - 0x50) / 4] = value;
    else if (offset < 0x50)
        regs_[offset / 4] = value;
}

void Rtc::domain_reset() {
    domain_.registers.fill(0);
    regs_.fill(0);
    regs_[0x10 / 4] = 0x007F'00FF;
    regs_[0x04 / 4] = 0x0000'2101;
    regs_[0x14 / 4] = 0x0000'FFFF;
}

BackupSram::BackupSram(BackupDomain& domain, std::function<bool()> writable)
    : domain_(domain), writable_(std::move(writable)) {}

std::uint32_t BackupSram::peek(std::uint32_t offset) const {
    std::uint32_t value = 0;
    if (offset + 4 <= domain_.sram.size()) std::memcpy(&value, domain_.sram.data() + offset, 4);
    return value;
}

void BackupSram::write(std::uint32_t offset, std::uint32_t value) {
    if (writable_() && offset + 4 <= domain_.sram.size())
        std::memcpy(domain_.sram.data() + offset, &value, 4);
}

}  // namespace mcuota::board
