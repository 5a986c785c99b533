#pragma once
// One request and its answer: repeated with growing waits until the answer comes or patience ends.

#include <cstdint>
#include <optional>
#include <vector>

#include "mcu_flasher/link/machine.hpp"

namespace mcuota::flasher {

/// How long to ask. Times are counted from when the line has carried the request.
struct Patience {
    std::uint32_t first_wait_ms{1'000};
    std::uint32_t wait_ms_max{4'000};
    std::uint32_t total_ms{10'000};
};

/// A request in flight; part of the machines that ask something.
class Ask {
  public:
    enum class State : std::uint8_t { idle, asking, answered, refused, unanswered };

    void begin(Channel& channel, link::Type type, std::uint16_t session, std::vector<std::uint8_t> body,
               Patience patience, Micros now);
    /// Whether the frame was the answer (or refusal) to this request.
    bool on_frame(const link::Frame& frame);
    void on_time(Channel& channel, Micros now);
    [[nodiscard]] Micros deadline() const noexcept { return state_ == State::asking ? deadline_ : kNever; }
    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] link::Type type() const noexcept { return type_; }
    [[nodiscard]] link::Body answer() const noexcept { return answer_; }
    /// Only when refused or unanswered.
    [[nodiscard]] Failure failure() const;

  private:
    void send(Channel& channel, Micros now);

    State state_{State::idle};
    link::Type type_{link::Type::echo};
    std::uint16_t session_{0};
    std::uint32_t sequence_{0};
    std::vector<std::uint8_t> body_, answer_;
    Patience patience_;
    std::uint32_t wait_ms_{0};
    Micros give_up_at_{0}, deadline_{kNever};
    std::uint64_t heard_before_{0};
    bool heard_bytes_{false};
    Status refusal_{Status::ok};
    std::string detail_;
};

/// The whole conversation is one request in the open session.
class AskMachine final : public Machine {
  public:
    AskMachine(link::Type type, std::vector<std::uint8_t> body, Patience patience)
        : type_(type), body_(std::move(body)), patience_(patience) {}
    void start(Channel& channel, Micros now) override;
    void on_frame(Channel& channel, const link::Frame& frame, Micros now) override;
    void on_time(Channel& channel, Micros now) override;
    [[nodiscard]] Micros deadline() const override { return ask_.deadline(); }
    [[nodiscard]] link::Body answer() const noexcept { return ask_.answer(); }

  private:
    void settle();
    link::Type type_;
    std::vector<std::uint8_t> body_;
    Patience patience_;
    Ask ask_;
};

}  // namespace mcuota::flasher
