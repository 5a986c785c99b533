#pragma once
// What every conversation with a device has in common: frames and moments in, frames and a next moment out.
// Machines hold no clock and do no input or output, so they are tested with scripted conversations.

#include <optional>
#include <string>

#include "mcu_flasher/link/channel.hpp"

namespace mcuota::flasher {

/// Why a conversation ended without its result.
struct Failure {
    enum class Kind : std::uint8_t {
        silent,        ///< nothing at all was heard
        garbled,       ///< bytes came, but no frame of ours
        session_lost,  ///< the device started anew or forgot the session: say hello again
        installing,    ///< only PROGRESS was heard: the loader is at work
        refused,       ///< `status` says why
        nonsense,      ///< a valid frame whose body makes no sense
        unproven,      ///< the time for an outcome passed
    } kind{Kind::silent};
    Status status{Status::ok};
    std::string detail{};
};

class Machine {
  public:
    virtual ~Machine() = default;
    virtual void start(Channel& channel, Micros now) = 0;
    virtual void on_frame(Channel& channel, const link::Frame& frame, Micros now) = 0;
    /// `now` has reached deadline().
    virtual void on_time(Channel& channel, Micros now) = 0;
    [[nodiscard]] virtual Micros deadline() const = 0;

    [[nodiscard]] bool done() const noexcept { return done_; }
    /// Only when done: nothing when it ended well.
    [[nodiscard]] const std::optional<Failure>& failure() const noexcept { return failure_; }

  protected:
    void end_well() noexcept { done_ = true; }
    void fail(Failure failure) {
        done_ = true;
        failure_ = std::move(failure);
    }

  private:
    bool done_{false};
    std::optional<Failure> failure_;
};

/// Feeds received bytes to a machine, then the clock when its moment has come.
inline void advance(Machine& machine, Channel& channel, std::span<const std::uint8_t> bytes, Micros now) {
    channel.receive(bytes, [&](const link::Frame& frame) {
        if (!machine.done()) machine.on_frame(channel, frame, now);
    });
    if (!machine.done() && now >= machine.deadline()) machine.on_time(channel, now);
}

}  // namespace mcuota::flasher
