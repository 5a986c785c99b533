#pragma once
// Frames of the link protocol (docs/link-protocol.md §1): COBS( header | body | CRC-32 ) 00. Shared by
// loader, agent and gateway; freestanding.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "mcu_loader/core/link/cobs.hpp"

namespace mcuota::link {

constexpr std::size_t kChunkBytes = 1024;    ///< envelope bytes in a full DATA frame
constexpr std::size_t kBodyBytesMax = 1028;  ///< longest body of any frame
constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kCrcBytes = 4;
constexpr std::size_t kFrameBytesMax = kHeaderBytes + kBodyBytesMax + kCrcBytes;  ///< before COBS
/// Longest frame on the wire, the opening and the closing 00 included.
constexpr std::size_t kWireBytesMax = cobs_bytes_max(kFrameBytesMax) + 2;

constexpr std::uint8_t kAddressPointToPoint = 0;
constexpr std::uint8_t kAddressAll = 255;

struct FrameHeader {
    std::uint8_t type{0};
    std::uint8_t address{kAddressPointToPoint};
    std::uint16_t session{0};
    std::uint32_t sequence{0};
};

struct Frame {
    FrameHeader header;
    std::span<const std::uint8_t> body;
};

/// Whether a frame starts with a 00 of its own, which closes whatever noise came before it. Frames that
/// follow another at once (DATA) do without.
enum class Opening : std::uint8_t { none, zero };

/// Writes one frame as it goes on the wire. Returns its bytes, or 0 when `out` is too small or the body too
/// long.
[[nodiscard]] std::size_t encode_frame(const FrameHeader& header, std::span<const std::uint8_t> body,
                                       Opening opening, std::span<std::uint8_t> out) noexcept;

/// Takes bytes of the wire one by one and finds the frames among them. Any input whatever is safe.
class FrameDecoder {
  public:
    enum class Event : std::uint8_t {
        none,     ///< nothing complete yet
        frame,    ///< frame() is valid until the next push()
        damaged,  ///< something ended that was no frame: too long, not COBS, wrong CRC
    };

    [[nodiscard]] Event push(std::uint8_t byte) noexcept;
    [[nodiscard]] Frame frame() const noexcept;
    /// Forgets a frame begun (the line's speed changed).
    void reset() noexcept;

  private:
    [[nodiscard]] Event finish() noexcept;

    CobsDecoder cobs_;
    std::size_t size_{0};
    bool overlong_{false};
    std::array<std::uint8_t, kFrameBytesMax> bytes_{};
};

}  // namespace mcuota::link
