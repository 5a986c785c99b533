// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// The gateway's side of the link protocol (docs/link-protocol.md), just enough to hand a package over and ask
// for a rollback. It lives in the board's virtual time, on a line that loses nothing.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "virtual_board/prove/digest.hpp"
#include "virtual_board/time.hpp"

namespace mcuota::board {

using Bytes = std::vector<std::uint8_t>;

/// A job as a gateway has it.
struct LinkJob {
    const Bytes* envelope{nullptr};  ///< null: roll back
    std::uint64_t token{0};
    /// Key rotation records that go before; a device that has them already says so. Null: none.
    const std::vector<Bytes>* rotations{nullptr};
};

class LinkClient {
  public:
    enum class Stage : std::uint8_t {
        quiet,      ///< listens only
        hello,      ///< says hello until the device answers
        rotating,   ///< waits for ROTATE's answer
        offering,   ///< waits for what the device holds
        sending,    ///< DATA flows
        finishing,  ///< waits for FINISH's answer
        starting,   ///< waits for INSTALL's or ROLLBACK's answer
        accepted,   ///< the device said yes
        refused     ///< the device said no: refusal()
    };
    using Send = std::function<void(std::span<const std::uint8_t>)>;

    explicit LinkClient(Send send) : send_(std::move(send)) {}

    /// Listens only; forgets everything of before.
    void listen();
    /// Wants `job` performed.
    void want(const LinkJob& job);
    /// The device started anew: its session is gone.
    void device_started();
    /// A byte came from the device.
    void received(std::uint8_t byte, Time now);
    /// Time has passed: repeats what is unanswered.
    void poll(Time now);

    /// Everything that decides what it will send next, as one number.
    [[nodiscard]] std::uint64_t state() const noexcept {
        return std::uint64_t{sequence_} << 40 ^ std::uint64_t{nonce_} << 20 ^ next_chunk_ << 8 ^
               static_cast<std::uint64_t>(stage_) ^ job_.token << 56 ^ std::uint64_t{rotations_sent_} << 4;
    }
    [[nodiscard]] Stage stage() const noexcept { return stage_; }
    [[nodiscard]] std::uint16_t refusal() const noexcept { return refusal_; }
    /// Why the loader serves, from its BOOT event since the last start.
    [[nodiscard]] const std::optional<std::uint16_t>& boot_reason() const noexcept { return boot_reason_; }

  private:
    void frame(Time now);
    void answered(std::uint8_t type, std::span<const std::uint8_t> body, Time now);
    void acknowledged(std::uint32_t next, std::uint32_t limit);
    void ask(std::uint8_t type, const Bytes& body, Stage stage, Time now);
    void send_frame(std::uint8_t type, std::uint32_t sequence, std::span<const std::uint8_t> body,
                    bool opening);
    void rotate_or_offer(Time now);
    void offer(bool restart, Time now);
    void hello(Time now);
    void send_chunks(Time now);

    Send send_;
    LinkJob job_;
    Stage stage_{Stage::quiet};
    std::uint16_t session_{0};
    std::uint32_t sequence_{0};
    std::uint32_t nonce_{0};
    std::uint16_t window_{0}, chunk_bytes_{0};
    std::uint32_t next_chunk_{0}, sent_until_{0}, limit_{0};
    std::uint32_t rotations_sent_{0};  ///< since the last HELLO
    std::uint8_t asked_{0};
    Bytes asked_body_;
    Time asked_at_{0};
    std::uint16_t refusal_{0};
    std::optional<std::uint16_t> boot_reason_;
    Bytes incoming_;
};

}  // namespace mcuota::board
