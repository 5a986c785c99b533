#pragma once
// Following an installation (or a restore) through the resets of the device: listening at the base speed,
// saying hello until loader or application answers, asking for the outcome of one token until it is known.

#include <cstdint>
#include <optional>

#include "mcu_flasher/link/ask.hpp"

namespace mcuota::flasher {

struct FollowOptions {
    std::uint32_t timeout_ms{180'000};
    std::uint32_t nonce{1};  ///< random; the hellos count on from it
};

/// Ends well when the outcome is known and the identity read afterwards; unknown_token is an outcome, too.
class FollowMachine final : public Machine {
  public:
    FollowMachine(std::uint64_t token, FollowOptions options) : token_(token), options_(options) {}
    void start(Channel& channel, Micros now) override;
    void on_frame(Channel& channel, const link::Frame& frame, Micros now) override;
    void on_time(Channel& channel, Micros now) override;
    [[nodiscard]] Micros deadline() const override;

    [[nodiscard]] const link::Outcome& outcome() const noexcept { return outcome_; }
    [[nodiscard]] const link::Identity& identity() const noexcept { return identity_; }
    /// Latest word of the device about the step it is in.
    [[nodiscard]] std::optional<link::Step> step() const noexcept { return step_; }
    [[nodiscard]] std::uint8_t percent() const noexcept { return percent_; }
    /// Why the loader said it stays, when it did.
    [[nodiscard]] std::optional<Status> boot_status() const noexcept { return boot_status_; }

  private:
    enum class Stage : std::uint8_t { hello, outcome, waiting, identify };

    void say_hello(Channel& channel, Micros now);
    void ask_outcome(Channel& channel, Micros now);
    void settle(Channel& channel, Micros now);
    void start_over(Channel& channel, Micros now, Micros wait);

    std::uint64_t token_;
    FollowOptions options_;
    Stage stage_{Stage::hello};
    std::uint32_t nonce_{0};
    std::uint32_t hello_sequence_{0};
    Micros give_up_at_{kNever}, deadline_{kNever};
    Ask ask_;
    link::Outcome outcome_;
    link::Identity identity_;
    std::optional<link::Step> step_;
    std::uint8_t percent_{0};
    std::optional<Status> boot_status_;
};

}  // namespace mcuota::flasher
