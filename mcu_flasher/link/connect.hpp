#pragma once
// Finding a device and opening a session: HELLO at the speeds it may be listening at, then the move to the
// speed wanted.

#include <cstdint>
#include <vector>

#include "mcu_flasher/link/ask.hpp"

namespace mcuota::flasher {

constexpr std::uint32_t kBaseBaud = 115'200;

struct ConnectOptions {
    std::uint32_t wanted_baud{kBaseBaud};
    std::uint32_t timeout_ms{5'000};
    std::uint32_t nonce{1};  ///< random: it makes the session's number
    bool stay_in_loader{false};
};

/// Ends with the channel's session open, at the wanted speed or, when the line does not carry that, at the
/// base speed.
class ConnectMachine final : public Machine {
  public:
    explicit ConnectMachine(ConnectOptions options) : options_(options) {}
    void start(Channel& channel, Micros now) override;
    void on_frame(Channel& channel, const link::Frame& frame, Micros now) override;
    void on_time(Channel& channel, Micros now) override;
    [[nodiscard]] Micros deadline() const override;
    /// The wanted speed was tried and not kept.
    [[nodiscard]] bool speed_given_up() const noexcept { return speed_given_up_; }

  private:
    enum class Stage : std::uint8_t { hello, speed, switching, proof, fall_back };

    void say_hello(Channel& channel, Micros now);
    void on_hello_answer(Channel& channel, const link::HelloAnswer& answer, Micros now);
    void settle(Channel& channel, Micros now);
    void prove_speed(Channel& channel, Micros now);
    void give_up_speed(Channel& channel, Micros now);

    ConnectOptions options_;
    Stage stage_{Stage::hello};
    std::vector<std::uint32_t> speeds_;
    std::size_t tries_{0};
    std::uint32_t hello_sequence_{0};
    std::uint64_t bytes_before_{0}, frames_before_{0};
    bool installing_{false};
    bool speed_given_up_{false};
    Micros give_up_at_{0}, deadline_{kNever};
    Ask ask_;
};

}  // namespace mcuota::flasher
