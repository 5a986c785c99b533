// SPDX-License-Identifier: GPL-2.0-or-later
// Shift registers and flags.

#include "virtual_board/models/usart.hpp"

#include <algorithm>
#include <utility>

namespace mcuota::board {
namespace {

constexpr std::uint32_t kReceiveFlags = Usart::kPe | Usart::kFe | Usart::kNf | Usart::kOre | Usart::kIdle;
constexpr Time kDefaultByteTime = kSecond / 11520;  // nobody configured the line yet: 115200 8N1

}  // namespace

Usart::Usart(const Clock& clock, std::function<std::uint64_t()> pclk_hz,
             std::function<void(std::uint8_t)> sent, std::function<void(const char*)> note)
    : clock_(clock), pclk_hz_(std::move(pclk_hz)), sent_(std::move(sent)), note_(std::move(note)) {}

void Usart::reset() {
    sr_ = 0xC0;
    brr_ = cr1_ = cr2_ = cr3_ = gtpr_ = 0;
    tdr_full_ = false;
    flags_seen_ = 0;
    tc_seen_ = false;
    tx_end_ = kNever;
    idle_at_ = kNever;  // bytes on the line keep arriving: the other end does not know about the reset
}

std::uint64_t Usart::divider() const noexcept {
    if (cr1_ & kOver8) return ((brr_ & 0xFFF0u) | (brr_ & 7u) << 1) / 2;  // 3 fraction bits, in units of 1/8
    return brr_ & 0xFFFFu;
}

std::uint64_t Usart::baud() const noexcept {
    const std::uint64_t units = divider();
    return units == 0 ? 0 : pclk_hz_() / units;
}

Time Usart::frame_time() const noexcept {
    const std::uint64_t units = divider();
    const std::uint64_t pclk = pclk_hz_();
    if (units == 0 || pclk == 0) return kDefaultByteTime;
    const std::uint64_t data_bits = cr1_ & kM ? 9 : 8;  // parity is inside the data bits
    const std::uint64_t stop = cr2_ >> 12 & 3;
    const std::uint64_t half_bits = 2 * (1 + data_bits) + (stop == 0 ? 2 : stop == 1 ? 1 : stop == 2 ? 4 : 3);
    return units * half_bits * (kSecond / 2000) / (pclk / 1000);
}

void Usart::receive(LineByte byte, Time byte_time) {
    line_.push_back({byte, byte_time});
    if (rx_end_ == kNever) start_next_arrival(clock_.now());
}

void Usart::start_next_arrival(Time not_before) {
    if (line_.empty()) {
        rx_end_ = kNever;
        return;
    }
    const Time byte_time = line_.front().byte_time ? line_.front().byte_time : frame_time();
    rx_end_ = not_before + byte_time;
    idle_at_ = kNever;
}

void Usart::drop_line() {
    line_.clear();
    rx_end_ = kNever;
}

Time Usart::deadline() const {
    return std::min({tx_end_, rx_end_, idle_at_});
}

void Usart::advance() {
    const Time now = clock_.now();
    if (rx_end_ <= now) {
        const Time end = rx_end_;
        const LineByte byte = line_.front().byte;
        line_.pop_front();
        arrive(byte);
        idle_at_ = (cr1_ & kUe) && (cr1_ & kRe) ? end + frame_time() : kNever;
        start_next_arrival(end);
    }
    if (idle_at_ <= now) {
        idle_at_ = kNever;
        sr_ |= kIdle;
    }
    if (tx_end_ <= now) {
        const Time end = tx_end_;
        tx_end_ = kNever;
        ++counters_.sent;
        if (sent_) sent_(shift_);
        if (tdr_full_)
            start_shift(end);
        else
            sr_ |= kTc;
    }
}

void Usart::arrive(LineByte byte) {
    if (!(cr1_ & kUe) || !(cr1_ & kRe)) {
        ++counters_.lost_receiver_off;
        return;
    }
    if (sr_ & kRxne) {
        // RDR keeps the old byte, the new one is lost.
        if (note_ && !(sr_ & kOre)) note_("usart: overrun, CR3");
        sr_ |= kOre;
        ++counters_.overruns;
        return;
    }
    ++counters_.received;
    rdr_ = byte.value;
    sr_ |= kRxne;
    if (byte.framing_error) {
        sr_ |= kFe;
        ++counters_.framing_errors;
    }
}

void Usart::start_shift(Time begin) {
    shift_ = tdr_;
    tdr_full_ = false;
    sr_ |= kTxe;
    tx_end_ = begin + frame_time();
}

std::uint32_t Usart::peek(std::uint32_t offset) const {
    switch (offset) {
        case kSr:
            return sr_;
        case kDr:
            return rdr_;
        case kBrr:
            return brr_;
        case kCr1:
            return cr1_;
        case kCr2:
            return cr2_;
        case kCr3:
            return cr3_;
        case kGtpr:
            return gtpr_;
        default:
            return 0;
    }
}

std::uint32_t Usart::read(std::uint32_t offset) {
    if (offset == kSr) {
        flags_seen_ = sr_ & kReceiveFlags;
        tc_seen_ = sr_ & kTc;
        return sr_;
    }
    if (offset == kDr) {
        sr_ &= ~(kRxne | flags_seen_);
        flags_seen_ = 0;
        return rdr_;
    }
    return peek(offset);
}

void Usart::write(std::uint32_t offset, std::uint32_t value) {
    switch (offset) {
        case kSr:
            sr_ &= value | ~(kTc | kRxne);
            break;  // TC and RXNE are cleared by writing 0
        case kDr:
            if (!(cr1_ & kUe) || !(cr1_ & kTe)) return;
            tdr_ = static_cast<std::uint8_t>(value);
            tdr_full_ = true;
            sr_ &= ~kTxe;
            if (tc_seen_) sr_ &= ~kTc;
            tc_seen_ = false;
            if (tx_end_ == kNever) {
                sr_ &= ~kTc;
                start_shift(clock_.now());
            }
            break;
        case kBrr:
            brr_ = value & 0xFFFF;
            break;
        case kCr1:
            cr1_ = value & 0xFFFF;
            if (!(cr1_ & kUe)) {
                sr_ = (sr_ & ~(kReceiveFlags | kRxne)) | kTxe | kTc;
                tdr_full_ = false;
                tx_end_ = kNever;
                idle_at_ = kNever;
            }
            break;
        case kCr2:
            cr2_ = value & 0x7FFF;
            break;
        case kCr3:
            cr3_ = value & 0xFFF;
            break;
        case kGtpr:
            gtpr_ = value & 0xFFFF;
            break;
        default:
            break;
    }
}

bool Usart::irq() const noexcept {
    if (!(cr1_ & kUe)) return false;
    if (sr_ & cr1_ & (kIdle | kTc | kTxe)) return true;
    if ((cr1_ & kRxneie) && (sr_ & (kRxne | kOre))) return true;
    return (cr3_ & kEie) && (cr3_ & kDmar) && (sr_ & (kFe | kNf | kOre));
}

}  // namespace mcuota::board
