// Frames and the line's clock.
#include "mcu_flasher/link/channel.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace mcuota::flasher {

void Channel::send(link::Type type, std::uint16_t session, std::uint32_t sequence, link::Body body,
                   Micros now) {
    std::array<std::uint8_t, link::kWireBytesMax> wire{};
    const link::FrameHeader header{link::wire(type), address_, session, sequence};
    // DATA frames follow one another; any other frame first closes whatever noise the line carried meanwhile.
    const link::Opening opening = type == link::Type::data ? link::Opening::none : link::Opening::zero;
    const std::size_t size = link::encode_frame(header, body, opening, wire);
    out_.insert(out_.end(), wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(size));
    line_free_at_ = std::max(line_free_at_, now) + time_of(size);
}

void Channel::line_has_at_most(std::size_t bytes, Micros now) noexcept {
    line_free_at_ = std::min(line_free_at_, now + time_of(bytes));
}

Micros Channel::time_of(std::size_t bytes) const noexcept {
    constexpr Micros kBitsPerByte = 10;  // 8N1
    return baud_ == 0 ? 0 : static_cast<Micros>(bytes) * kBitsPerByte * 1'000'000 / baud_;
}

void Channel::set_baud(std::uint32_t baud) noexcept {
    if (baud_ == 0 || baud == baud_) return;
    baud_ = baud;
    new_baud_ = baud;
    line_free_at_ = 0;
    out_.clear();
    decoder_.reset();
}

std::optional<std::uint32_t> Channel::take_baud() noexcept {
    return std::exchange(new_baud_, std::nullopt);
}

std::vector<std::uint8_t> Channel::take_bytes() noexcept {
    return std::exchange(out_, {});
}

}  // namespace mcuota::flasher
