#pragma once
// One connection to a broker, from CONNECT to its end, over the Paho C++ client. A new attempt is a new
// object: nothing of an old connection can leak into the next.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "daemon/cloud/protocol.hpp"

namespace mcuota::cloud {

/// What happens on a connection. Called on the MQTT library's threads: may only post.
struct MqttEvents {
    /// CONNACK 0 (code 0), CONNACK refusal (1…5) or another failure (negative); `words` of the library.
    std::function<void(int code, std::string words)> connected;
    std::function<void(std::string words)> lost;
    /// An operation begun with `id` has ended: acknowledged, or failed.
    std::function<void(std::uint64_t id, bool ok)> completed;
    std::function<void(std::string topic, std::string payload)> message;
};

/// Clean session, no will, no automatic reconnect, QoS 0 and 1, nothing retained.
/// Constructing, publishing and subscribing do not block; closing and destroying do (the library joins its
/// threads, up to about a second): do that off the event loop.
class MqttConnection {
  public:
    struct Target {
        std::string host;
        std::uint16_t port;
        std::filesystem::path ca_file;
        std::uint32_t keepalive_s;
        std::uint32_t connect_timeout_ms;
        ConnectPlan plan;
    };
    MqttConnection(const Target& target, MqttEvents events);
    ~MqttConnection();
    MqttConnection(const MqttConnection&) = delete;
    MqttConnection& operator=(const MqttConnection&) = delete;

    /// Begins. Empty, or why it could not even begin.
    [[nodiscard]] std::string connect();
    /// False: not accepted, completed() will not follow.
    [[nodiscard]] bool publish(std::uint64_t id, const OutMessage& message);
    [[nodiscard]] bool subscribe(std::uint64_t id, const std::string& filter);
    /// DISCONNECT, waiting at most `timeout_ms`.
    void close(std::uint32_t timeout_ms);

  private:
    class Client;
    std::unique_ptr<Client> client_;
};

}  // namespace mcuota::cloud
