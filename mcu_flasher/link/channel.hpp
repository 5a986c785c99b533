#pragma once
// The gateway's end of a line as a value: frames in, bytes out, and a model of when the line has carried
// them. No input or output happens here; a driver (flasher.cpp, or a test) moves the bytes.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mcu_loader/core/link/frame.hpp"
#include "mcu_loader/core/link/messages.hpp"

namespace mcuota::flasher {

/// Monotonic microseconds. Where it starts is the driver's business.
using Micros = std::uint64_t;
constexpr Micros kMicrosPerMs = 1'000;
constexpr Micros kNever = ~Micros{0};

/// What the device said when it opened the session.
struct Session {
    std::uint16_t number{0};  ///< 0: none
    link::Role role{link::Role::loader};
    std::uint16_t window_frames{1};
    std::uint16_t chunk_bytes{link::kChunkBytes};
};

class Channel {
  public:
    /// `baud` 0: the line's speed is unknown (TCP) and nothing is paced.
    Channel(std::uint8_t address, std::uint32_t baud) : address_(address), baud_(baud) {}

    [[nodiscard]] const Session& session() const noexcept { return session_; }
    void open_session(const Session& session) noexcept { session_ = session; }
    void drop_session() noexcept { session_ = {}; }
    [[nodiscard]] std::uint32_t next_sequence() noexcept { return ++sequence_; }

    /// Queues one frame of the session given (0 for HELLO).
    void send(link::Type type, std::uint16_t session, std::uint32_t sequence, link::Body body, Micros now);
    /// When the line will have carried everything queued so far; at most `now` when it is idle.
    [[nodiscard]] Micros line_free_at() const noexcept { return line_free_at_; }
    /// The device has acknowledged all but `bytes` of what was sent: the line cannot be busy longer than for
    /// those.
    void line_has_at_most(std::size_t bytes, Micros now) noexcept;
    [[nodiscard]] Micros time_of(std::size_t bytes) const noexcept;

    [[nodiscard]] std::uint32_t baud() const noexcept { return baud_; }
    /// Another speed from the next byte on; whatever was queued before is void.
    void set_baud(std::uint32_t baud) noexcept;

    /// Finds frames among bytes received; calls on_frame(frame) for each one meant for this address.
    template <class OnFrame>
    void receive(std::span<const std::uint8_t> bytes, OnFrame&& on_frame) {
        bytes_heard_ += bytes.size();
        for (const std::uint8_t byte : bytes) {
            if (decoder_.push(byte) != link::FrameDecoder::Event::frame) continue;
            const link::Frame frame = decoder_.frame();
            if (frame.header.address != address_ || (frame.header.type & link::kAnswerBit) == 0) continue;
            ++frames_heard_;
            on_frame(frame);
        }
    }
    [[nodiscard]] std::uint64_t bytes_heard() const noexcept { return bytes_heard_; }
    [[nodiscard]] std::uint64_t frames_heard() const noexcept { return frames_heard_; }

    /// What the driver has to do: first the speed, then the bytes.
    [[nodiscard]] std::optional<std::uint32_t> take_baud() noexcept;
    [[nodiscard]] std::vector<std::uint8_t> take_bytes() noexcept;

  private:
    std::uint8_t address_;
    std::uint32_t baud_;
    Session session_;
    std::uint32_t sequence_{0};
    link::FrameDecoder decoder_;
    std::vector<std::uint8_t> out_;
    std::optional<std::uint32_t> new_baud_;
    Micros line_free_at_{0};
    std::uint64_t bytes_heard_{0}, frames_heard_{0};
};

}  // namespace mcuota::flasher
