#pragma once
// Bodies of the link protocol's messages (docs/link-protocol.md §3 and §4): one encoder and one total,
// bounds-checked decoder each. Encoders return the bytes written, 0 when `out` is too small; decoders return
// false for whatever is no such body. Shared by loader, agent and gateway; freestanding.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "mcu_loader/core/link/target.hpp"

namespace mcuota::link {

constexpr std::uint8_t kProtocolVersion = 1;

/// First byte of a frame. Wire value: append only.
enum class Type : std::uint8_t {
    hello = 0x01,
    identify = 0x02,
    offer = 0x03,
    data = 0x04,
    finish = 0x05,
    install = 0x06,
    outcome = 0x07,
    confirm = 0x08,
    rollback = 0x09,
    reboot = 0x0A,
    log = 0x0B,
    speed = 0x0C,
    abort = 0x0D,
    echo = 0x0E,
    rotate = 0x0F,
    self_test = 0x10,  ///< bodies: self_test.hpp
    ack = 0xC0,
    progress = 0xC1,
    boot = 0xC2,
    refused = 0xFF,
};
constexpr std::uint8_t kAnswerBit = 0x80;
[[nodiscard]] constexpr std::uint8_t wire(Type type) noexcept {
    return static_cast<std::uint8_t>(type);
}
[[nodiscard]] constexpr std::uint8_t answer_to(Type type) noexcept {
    return static_cast<std::uint8_t>(wire(type) | kAnswerBit);
}

constexpr std::uint8_t kHelloStayInLoader = 1U << 0;
constexpr std::size_t kRefusalDetailBytesMax = 64;
constexpr std::uint32_t kWindowFramesMax = 32;  ///< what an ACK's bitmap can name

struct Hello {
    std::uint8_t version_low{kProtocolVersion};
    std::uint8_t version_high{kProtocolVersion};
    std::uint8_t flags{0};
    std::uint32_t nonce{0};
};
struct HelloAnswer {
    std::uint8_t version{kProtocolVersion};
    Role role{Role::loader};
    std::uint16_t session{0};
    std::uint16_t window_frames{0};
    std::uint16_t chunk_bytes{0};
    std::uint32_t nonce{0};
};
struct Ack {
    std::uint32_t next{0};
    std::uint32_t limit{0};
    std::uint32_t bitmap{0};
};
struct ProgressEvent {
    std::uint64_t token{0};
    Step step{Step::check};
    std::uint8_t percent{0};
};
struct BootEvent {
    Status status{Status::ok};
    Role role{Role::loader};
};
struct Refusal {
    Status status{Status::ok};
    std::uint8_t type{0};  ///< the type refused
    std::string_view detail;
};

using Body = std::span<const std::uint8_t>;
using BodyOut = std::span<std::uint8_t>;

[[nodiscard]] std::size_t encode(const Hello& message, BodyOut out) noexcept;
[[nodiscard]] std::size_t encode(const HelloAnswer& message, BodyOut out) noexcept;
[[nodiscard]] std::size_t encode(const Offer& message, BodyOut out) noexcept;
[[nodiscard]] std::size_t encode(const Held& message, BodyOut out) noexcept;
[[nodiscard]] std::size_t encode(const Outcome& message, BodyOut out) noexcept;
[[nodiscard]] std::size_t encode(const Ack& message, BodyOut out) noexcept;
[[nodiscard]] std::size_t encode(const ProgressEvent& message, BodyOut out) noexcept;
[[nodiscard]] std::size_t encode(const BootEvent& message, BodyOut out) noexcept;
[[nodiscard]] std::size_t encode(const Refusal& message, BodyOut out) noexcept;
[[nodiscard]] std::size_t encode(const Identity& message, BodyOut out) noexcept;
[[nodiscard]] std::size_t encode_u64(std::uint64_t value,
                                     BodyOut out) noexcept;  ///< INSTALL, OUTCOME, ROLLBACK
[[nodiscard]] std::size_t encode_u32(std::uint32_t value, BodyOut out) noexcept;  ///< LOG, SPEED
[[nodiscard]] std::size_t encode_u16(std::uint16_t value,
                                     BodyOut out) noexcept;  ///< ROTATE's answer

[[nodiscard]] bool decode(Body body, Hello& out) noexcept;
[[nodiscard]] bool decode(Body body, HelloAnswer& out) noexcept;
[[nodiscard]] bool decode(Body body, Offer& out) noexcept;
[[nodiscard]] bool decode(Body body, Held& out) noexcept;
[[nodiscard]] bool decode(Body body, Outcome& out) noexcept;
[[nodiscard]] bool decode(Body body, Ack& out) noexcept;
[[nodiscard]] bool decode(Body body, ProgressEvent& out) noexcept;
[[nodiscard]] bool decode(Body body, BootEvent& out) noexcept;
[[nodiscard]] bool decode(Body body, Refusal& out) noexcept;  ///< `detail` points into `body`
[[nodiscard]] bool decode(Body body, Identity& out) noexcept;
[[nodiscard]] bool decode_u64(Body body, std::uint64_t& out) noexcept;
[[nodiscard]] bool decode_u32(Body body, std::uint32_t& out) noexcept;
[[nodiscard]] bool decode_u16(Body body, std::uint16_t& out) noexcept;

}  // namespace mcuota::link
