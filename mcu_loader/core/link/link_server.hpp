#pragma once
// The device's side of the link protocol (docs/link-protocol.md): sessions, requests, the receive window,
// line speed. Loader and agent run one each from their main loop; storage and decisions are the Target's.
// Freestanding.

#include <array>
#include <cstdint>
#include <span>

#include "mcu_loader/core/link/frame.hpp"
#include "mcu_loader/core/link/messages.hpp"
#include "mcu_loader/core/link/target.hpp"

namespace mcuota::link {

struct LinkServerConfig {
    Role role{Role::loader};
    std::uint8_t address{kAddressPointToPoint};
    std::uint32_t base_baud{115'200};
    /// Bytes the Line collects by itself while poll() is not called (the DMA ring). The gateway is never
    /// allowed to have more on the way than fits there, so a device that is busy erasing loses nothing.
    std::uint32_t receive_ring_bytes{32'768};
};

/// What happened on the line since the start.
struct LinkCounters {
    std::uint32_t frames{0};   ///< valid ones for this device
    std::uint32_t damaged{0};  ///< frames that ended without being one
    std::uint32_t duplicate_chunks{0};
};

/// About 4 KiB: make it static. `window` holds chunks that came early, kChunkBytes each: its size is what the
/// window offers (with the receive ring), at most kWindowFramesMax chunks, at least 1. All calls from one
/// context.
class LinkServer {
  public:
    LinkServer(Line& line, Target& target, const LinkServerConfig& config,
               std::span<std::uint8_t> window) noexcept;

    /// Call it again and again. Never waits and does at most one frame's work: one call of the Target. False
    /// when nothing was to be done, so the caller may sleep until the line or the millisecond clock
    /// interrupts.
    bool poll(std::uint32_t now_ms) noexcept;

    /// Tells how an installation comes along. Advice only: lost when the transmitter is full and another one
    /// follows.
    void send_progress(std::uint64_t token, Step step, std::uint8_t percent) noexcept;
    /// Tells once why the device is here; call it when the server starts.
    void send_boot(Status status) noexcept;

    /// Before an application is started: only a HELLO that asks the loader to stay is heard, and ends this.
    /// Whatever else a gateway began here would be cut off; it finds the application instead.
    void set_leaving() noexcept { leaving_ = true; }
    /// Whether a gateway asked in its HELLO that the loader does not start the application.
    [[nodiscard]] bool stay_requested() const noexcept { return stay_requested_; }
    /// Whether a session is open: somebody is talking to the device.
    [[nodiscard]] bool in_session() const noexcept { return session_ != 0; }
    [[nodiscard]] const LinkCounters& counters() const noexcept { return counters_; }

  private:
    enum class After : std::uint8_t { nothing, reset, speed };
    struct Last {
        bool valid{false};
        std::uint8_t type{0};
        std::uint16_t session{0};
        std::uint32_t sequence{0};
        std::uint32_t nonce{0};  ///< of HELLO: its session is always 0
    };
    struct Transfer {
        bool open{false};
        Status failed{Status::ok};  ///< a write that went wrong: nothing more is taken
        std::uint32_t total_bytes{0};
        std::uint32_t chunks{0};
        std::uint32_t next{0};           ///< first chunk not yet handed to the target
        std::uint32_t written_bytes{0};  ///< where the target's data ends
        std::uint32_t have{0};           ///< bit i: chunk next + i waits in the window
        std::uint32_t unacknowledged{0};
    };

    // line in
    bool receive(std::uint32_t now_ms) noexcept;
    void accept(const Frame& frame, std::uint32_t now_ms) noexcept;
    void on_request(const Frame& frame) noexcept;
    void on_hello(const Frame& frame) noexcept;
    void on_data(const Frame& frame, std::uint32_t now_ms) noexcept;
    [[nodiscard]] bool is_repeat(const Frame& frame) noexcept;
    // requests
    void on_identify(const Frame& frame) noexcept;
    void on_offer(const Frame& frame) noexcept;
    void on_finish(const Frame& frame) noexcept;
    void on_token(const Frame& frame) noexcept;
    void on_reboot(const Frame& frame) noexcept;
    void on_rotate(const Frame& frame) noexcept;
    void on_self_test(const Frame& frame) noexcept;
    void on_log(const Frame& frame) noexcept;
    void on_speed(const Frame& frame) noexcept;
    // the window
    [[nodiscard]] bool deliver_waiting() noexcept;
    void write_chunk(std::span<const std::uint8_t> bytes) noexcept;
    [[nodiscard]] std::uint32_t chunk_length(std::uint32_t chunk) const noexcept;
    [[nodiscard]] std::uint8_t* slot(std::uint32_t chunk) noexcept;
    [[nodiscard]] Ack present_ack() const noexcept;
    // line out
    void answer(const Frame& to, std::size_t body_bytes, After after = After::nothing) noexcept;
    void answer_bytes(const Frame& to, std::span<const std::uint8_t> body, After after) noexcept;
    void answer_status(const Frame& to, Status status, After after = After::nothing) noexcept;
    void refuse(const FrameHeader& to, Status status) noexcept;
    void refuse_data(Status status, std::uint16_t session, std::uint32_t sequence,
                     std::uint32_t now_ms) noexcept;
    void put(const FrameHeader& header, std::span<const std::uint8_t> body) noexcept;
    bool pump() noexcept;
    [[nodiscard]] bool next_event() noexcept;
    void after_answer(std::uint32_t now_ms) noexcept;
    void watch_speed(std::uint32_t now_ms) noexcept;
    void set_baud(std::uint32_t baud, std::uint32_t now_ms) noexcept;

    Line& line_;
    Target& target_;
    LinkServerConfig config_;
    std::span<std::uint8_t> window_;
    std::uint32_t window_frames_;

    FrameDecoder decoder_;
    std::array<std::uint8_t, 64> input_{};
    std::size_t input_size_{0}, input_at_{0};
    std::uint32_t heard_ms_{0};  ///< last byte of anything
    std::uint32_t valid_ms_{0};  ///< last valid frame
    bool damaged_pending_{false};
    bool served_{false};  ///< a frame was worked on in the last poll

    std::uint16_t session_{0};
    bool stay_requested_{false};
    bool leaving_{false};
    Last last_;
    Transfer transfer_;
    LinkCounters counters_;

    std::array<std::uint8_t, kBodyBytesMax> body_{};    ///< where answers are composed
    std::array<std::uint8_t, kWireBytesMax> answer_{};  ///< the last answer, kept for repeats
    std::size_t answer_size_{0}, answer_at_{0};
    bool answer_pending_{false};
    std::array<std::uint8_t, 64> event_{};
    std::size_t event_size_{0}, event_at_{0};  ///< an event begun is finished before anything else
    bool ack_due_{false}, boot_due_{false}, progress_due_{false}, refusal_due_{false};
    BootEvent boot_;
    ProgressEvent progress_;
    Refusal refusal_;
    FrameHeader refusal_to_;
    std::uint32_t refused_ms_{0};
    bool refused_before_{false};

    After after_{After::nothing};
    std::uint32_t answer_left_ms_{0};  ///< when the answer that after_ waits for was last seen on its way
    std::uint32_t baud_;
    std::uint32_t baud_next_{0};
    bool speed_unproven_{false};  ///< no valid frame heard at this speed yet
};

}  // namespace mcuota::link
