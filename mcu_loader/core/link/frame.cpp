// Frame encoder and decoder.
#include "mcu_loader/core/link/frame.hpp"

#include "mcu_loader/core/crc32.hpp"
#include "mcu_loader/core/little_endian.hpp"

namespace mcuota::link {

std::size_t encode_frame(const FrameHeader& header, std::span<const std::uint8_t> body, Opening opening,
                         std::span<std::uint8_t> out) noexcept {
    if (body.size() > kBodyBytesMax) return 0;
    const std::size_t lead = opening == Opening::zero ? 1 : 0;
    if (out.size() < lead + 2) return 0;
    if (lead != 0) out[0] = 0;

    std::array<std::uint8_t, kHeaderBytes> head{};
    head[0] = header.type;
    head[1] = header.address;
    store_u16(&head[2], header.session);
    store_u32(&head[4], header.sequence);
    std::array<std::uint8_t, kCrcBytes> crc{};
    store_u32(crc.data(), crc32(body, crc32(head)));

    CobsEncoder cobs{out.subspan(lead, out.size() - lead - 1)};  // keeps room for the closing 00
    cobs.push(head);
    cobs.push(body);
    cobs.push(crc);
    const std::size_t bytes = cobs.finish();
    if (bytes == 0) return 0;
    out[lead + bytes] = 0;
    return lead + bytes + 1;
}

FrameDecoder::Event FrameDecoder::push(std::uint8_t byte) noexcept {
    if (byte == 0) return finish();
    if (!cobs_.begun()) size_ = 0;  // the frame before was kept until now for frame()
    const CobsDecoder::Step step = cobs_.push(byte);
    if (step.has_byte) {
        if (size_ < bytes_.size()) {
            bytes_[size_++] = step.byte;
        } else {
            overlong_ = true;
        }
    }
    return Event::none;
}

FrameDecoder::Event FrameDecoder::finish() noexcept {
    const bool begun = cobs_.begun();
    const bool whole = cobs_.complete() && !overlong_ && size_ >= kHeaderBytes + kCrcBytes;
    const std::size_t size = size_;
    reset();
    if (!begun) return Event::none;  // 00 after 00: nothing was sent in between
    if (!whole) return Event::damaged;
    const std::size_t payload = size - kCrcBytes;
    if (crc32({bytes_.data(), payload}) != load_u32(&bytes_[payload])) return Event::damaged;
    size_ = size;  // for frame(); the next byte starts over
    return Event::frame;
}

Frame FrameDecoder::frame() const noexcept {
    Frame out;
    out.header = {bytes_[0], bytes_[1], load_u16(&bytes_[2]), load_u32(&bytes_[4])};
    out.body = {bytes_.data() + kHeaderBytes, size_ - kHeaderBytes - kCrcBytes};
    return out;
}

void FrameDecoder::reset() noexcept {
    cobs_.reset();
    size_ = 0;
    overlong_ = false;
}

}  // namespace mcuota::link
