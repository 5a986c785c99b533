// SPDX-License-Identifier: GPL-2.0-or-later
// Stream bookkeeping.

#include "virtual_board/models/dma.hpp"

namespace mcuota::board {
namespace {

constexpr std::array<unsigned, 4> kFlagShift{0, 6, 16, 22};

[[nodiscard]] unsigned direction(std::uint32_t cr) noexcept {
    return cr >> 6 & 3;
}

}  // namespace

void Dma::reset() {
    streams_ = {};
}

bool Dma::status_register(std::uint32_t offset) const {
    if (offset < 8) return true;
    return offset >= 0x10 && ((offset - 0x10) % 0x18 == kNdtr || (offset - 0x10) % 0x18 == kCr);
}

std::uint32_t Dma::peek(std::uint32_t offset) const {
    if (offset == kLisr || offset == kHisr) {
        std::uint32_t value = 0;
        for (unsigned i = 0; i < 4; ++i)
            value |= streams_[offset + i].flags << kFlagShift[i];  // kHisr == 4: streams 4-7
        return value;
    }
    if (offset < 0x10 || offset >= 0x10 + 0x18 * kStreams) return 0;
    const Stream& stream = streams_[(offset - 0x10) / 0x18];
    switch ((offset - 0x10) % 0x18) {
        case kCr:
            return stream.cr;
        case kNdtr:
            return stream.ndtr;
        case kPar:
            return stream.par;
        case kM0ar:
            return stream.m0ar;
        case kM1ar:
            return stream.m1ar;
        default:
            return stream.fcr;
    }
}

void Dma::write(std::uint32_t offset, std::uint32_t value) {
    if (offset == kLifcr || offset == kHifcr) {
        for (unsigned i = 0; i < 4; ++i)
            streams_[offset - kLifcr + i].flags &= ~(value >> kFlagShift[i] & 0x3D);
        return;
    }
    if (offset < 0x10 || offset >= 0x10 + 0x18 * kStreams) return;
    Stream& stream = streams_[(offset - 0x10) / 0x18];
    const bool enabled = stream.cr & kEn;
    switch ((offset - 0x10) % 0x18) {
        case kCr:
            if (!enabled) {
                stream.cr = value & 0x0FEF'FFFF;
                if (value & kEn) enable(stream);
            } else {
                // While enabled only EN and the interrupt enables may change; switching off sets TCIF (RM0090
                // §10.3.17).
                constexpr std::uint32_t kLive = kEn | kDmeie | kTeie | kHtie | kTcie;
                stream.cr = (stream.cr & ~kLive) | (value & kLive);
                if (!(value & kEn)) stream.flags |= kTcif;
            }
            break;
        case kNdtr:
            if (!enabled) stream.ndtr = value & 0xFFFF;
            break;
        case kPar:
            if (!enabled) stream.par = value;
            break;
        case kM0ar:
            if (!enabled || (stream.cr & kCt)) stream.m0ar = value;
            break;
        case kM1ar:
            if (!enabled || !(stream.cr & kCt)) stream.m1ar = value;
            break;
        default:
            stream.fcr = (value & 0x87) | (stream.fcr & 0x38);
            break;
    }
}

void Dma::enable(Stream& stream) {
    // A stream with flags left from before does not start (RM0090 §10.3.17 asks to clear them first).
    if (stream.flags != 0 || stream.ndtr == 0) {
        if (stream.ndtr == 0) stream.cr &= ~kEn;
        if (stream.flags != 0) stream.cr &= ~kEn;
        return;
    }
    stream.reload = stream.ndtr;
    stream.done = 0;
    if (direction(stream.cr) == 2) {
        const unsigned index = static_cast<unsigned>(&stream - streams_.data());
        while (stream.cr & kEn)
            serve(index);
    }
}

bool Dma::ready(unsigned stream, unsigned channel, bool to_memory) const noexcept {
    const Stream& s = streams_[stream];
    return (s.cr & kEn) && (s.cr >> 25 & 7) == channel && direction(s.cr) == (to_memory ? 0u : 1u);
}

void Dma::serve(unsigned index) {
    Stream& stream = streams_[index];
    const unsigned psize = 1u << (stream.cr >> 11 & 3);
    // In direct mode the memory side uses the peripheral's width (RM0090 §10.3.10).
    const bool direct = direction(stream.cr) != 2 && !(stream.fcr & 4);
    const unsigned msize = direct ? psize : 1u << (stream.cr >> 13 & 3);
    const std::uint32_t base = (stream.cr & kDbm) && (stream.cr & kCt) ? stream.m1ar : stream.m0ar;
    const std::uint32_t memory = base + (stream.cr & kMinc ? stream.done * msize : 0);
    const std::uint32_t peripheral = stream.par + (stream.cr & kPinc ? stream.done * psize : 0);
    const bool to_memory = direction(stream.cr) != 1;
    std::uint32_t value = 0;
    const bool moved =
        to_memory ? port_.dma_read(peripheral, psize, value) && port_.dma_write(memory, msize, value)
                  : port_.dma_read(memory, msize, value) && port_.dma_write(peripheral, psize, value);
    if (!moved) {
        stream.flags |= kTeif;
        stream.cr &= ~kEn;
        return;
    }
    ++stream.done;
    --stream.ndtr;
    if (stream.done == (stream.reload + 1) / 2) stream.flags |= kHtif;
    if (stream.ndtr != 0) return;
    stream.flags |= kTcif;
    if (stream.cr & (kCirc | kDbm)) {
        stream.ndtr = stream.reload;
        stream.done = 0;
        if (stream.cr & kDbm) stream.cr ^= kCt;
    } else {
        stream.cr &= ~kEn;
    }
}

bool Dma::irq(unsigned index) const noexcept {
    const Stream& stream = streams_[index];
    return ((stream.flags & kTcif) && (stream.cr & kTcie)) ||
           ((stream.flags & kHtif) && (stream.cr & kHtie)) || ((stream.flags & kTeif) && (stream.cr & kTeie));
}

}  // namespace mcuota::board
