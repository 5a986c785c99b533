// SPDX-License-Identifier: GPL-2.0-or-later
// SPI shift register.

#include "virtual_board/models/spi.hpp"

#include <utility>

namespace mcuota::board {

Spi::Spi(const Clock& clock, std::function<std::uint64_t()> pclk_hz,
         std::function<std::uint8_t(std::uint8_t)> exchange)
    : clock_(clock), pclk_hz_(std::move(pclk_hz)), exchange_(std::move(exchange)) {}

void Spi::reset() {
    cr1_ = cr2_ = 0;
    sr_ = kTxe;
    ovr_dr_read_ = false;
    end_ = kNever;
}

bool Spi::master() const noexcept {
    // With software slave management SSI must be high, else the hardware falls back to slave mode (MODF).
    return (cr1_ & kSpe) && (cr1_ & kMstr) && (!(cr1_ & kSsm) || (cr1_ & kSsi));
}

std::uint32_t Spi::peek(std::uint32_t offset) const {
    switch (offset) {
        case kCr1:
            return cr1_;
        case kCr2:
            return cr2_;
        case kSr:
            return sr_ | (end_ != kNever ? kBsy : 0);
        case kDr:
            return rdr_;
        case 0x10:
            return 7;  // CRCPR
        case 0x20:
            return 2;  // I2SPR
        default:
            return 0;
    }
}

std::uint32_t Spi::read(std::uint32_t offset) {
    if (offset == kDr) {
        sr_ &= ~kRxne;
        ovr_dr_read_ = true;
        return rdr_;
    }
    const std::uint32_t value = peek(offset);
    if (offset == kSr && ovr_dr_read_) {
        sr_ &= ~kOvr;  // OVR goes by reading DR, then SR
        ovr_dr_read_ = false;
    }
    return value;
}

void Spi::write(std::uint32_t offset, std::uint32_t value) {
    switch (offset) {
        case kCr1:
            cr1_ = value & 0xFFFF;
            if ((cr1_ & kMstr) && (cr1_ & kSsm) && !(cr1_ & kSsi)) {
                sr_ |= kModf;
                cr1_ &= ~(kMstr | kSpe);
            } else {
                sr_ &= ~kModf;
            }
            if (!(cr1_ & kSpe)) end_ = kNever;
            break;
        case kCr2:
            cr2_ = value & 0xF7;
            break;
        case kDr:
            tdr_ = static_cast<std::uint16_t>(value);
            sr_ &= ~kTxe;
            if (master() && end_ == kNever) start(clock_.now());
            break;
        default:
            break;
    }
}

void Spi::start(Time begin) {
    shift_ = tdr_;
    sr_ |= kTxe;
    const unsigned shift = (cr1_ >> 3 & 7) + 1;
    const std::uint64_t bits = cr1_ & kDff ? 16 : 8;
    const std::uint64_t pclk = pclk_hz_();
    end_ = begin + ((bits << shift) * kSecond + pclk - 1) / pclk;
}

void Spi::advance() {
    if (end_ > clock_.now()) return;
    const Time end = end_;
    end_ = kNever;
    std::uint16_t in = 0;
    if (cr1_ & kDff) in = static_cast<std::uint16_t>(exchange_(static_cast<std::uint8_t>(shift_ >> 8)) << 8);
    in = static_cast<std::uint16_t>(in | exchange_(static_cast<std::uint8_t>(shift_)));
    if (sr_ & kRxne) {
        sr_ |= kOvr;
        ovr_dr_read_ = false;
    } else {
        rdr_ = in;
        sr_ |= kRxne;
    }
    if (!(sr_ & kTxe)) start(end);
}

bool Spi::irq() const noexcept {
    return ((cr2_ & kTxeie) && (sr_ & kTxe)) || ((cr2_ & kRxneie) && (sr_ & kRxne)) ||
           ((cr2_ & kErrie) && (sr_ & (kOvr | kModf)));
}

}  // namespace mcuota::board
