#pragma once
// A cloud's conversation as a pure machine: events in, actions out, time as a number. The MQTT shell performs
// the actions; other clouds bring their own machine and keep the shell.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "daemon/cloud/cloud.hpp"
#include "daemon/cloud/cloud_factory.hpp"

namespace mcuota::cloud {

/// What the MQTT CONNECT carries.
struct ConnectPlan {
    std::string client_id, username, password;
};

namespace action {
/// SUBSCRIBE to each filter; when all are granted (or one is not) the machine hears on_subscribed(tag, ok).
struct Subscribe {
    std::uint32_t tag;
    std::vector<std::string> filters;
};
/// Publish now, outside the outbox: part of the conversation, worthless after a reconnect.
struct Publish {
    OutMessage message;
};
struct DeliverOffer {
    Offer offer;
};
struct DeliverBadOffer {
    std::string device;
    Error error;
};
/// What may be sent or how well the cloud is reached has changed.
struct LinkState {
    bool up;
    std::string why;
};
/// Give up this connection and make a new one.
struct Reconnect {
    std::string why;
};
struct Log {
    LogLevel level;
    std::string text;
};
}  // namespace action

using Action = std::variant<action::Subscribe, action::Publish, action::DeliverOffer, action::DeliverBadOffer,
                            action::LinkState, action::Reconnect, action::Log>;
using Actions = std::vector<Action>;

/// "No timer wanted" as a deadline.
inline constexpr std::uint64_t kNever = ~std::uint64_t{0};

/// The machine. `now_ms` is any clock that never goes back. After each event the shell asks deadline_ms()
/// anew.
class Protocol {
  public:
    virtual ~Protocol() = default;

    [[nodiscard]] virtual ConnectPlan connect_plan() const = 0;
    [[nodiscard]] virtual Actions on_connected(std::uint64_t now_ms) = 0;
    [[nodiscard]] virtual Actions on_disconnected() = 0;
    [[nodiscard]] virtual Actions on_subscribed(std::uint32_t tag, bool ok, std::uint64_t now_ms) = 0;
    [[nodiscard]] virtual Actions on_message(const std::string& topic, const std::string& payload,
                                             std::uint64_t now_ms) = 0;
    [[nodiscard]] virtual Actions on_timer(std::uint64_t now_ms) = 0;
    /// The job engine wants a fresh offer. Kept until the device can ask.
    [[nodiscard]] virtual Actions on_offer_wanted(const std::string& device, const std::string& module,
                                                  std::uint64_t now_ms) = 0;
    /// When on_timer() is due, or kNever.
    [[nodiscard]] virtual std::uint64_t deadline_ms() const = 0;
    /// Whether an outbox message may leave now: connected, and its sub-device logged in.
    [[nodiscard]] virtual bool may_send(const OutMessage& message) const = 0;
    /// Messages to publish before an orderly disconnect.
    [[nodiscard]] virtual std::vector<OutMessage> farewell() = 0;
    [[nodiscard]] virtual std::vector<OutMessage> encode(const Report& report) const = 0;
};

}  // namespace mcuota::cloud
