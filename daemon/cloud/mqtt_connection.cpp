// Paho MQTT C++ 1.2, with its traps kept in this file:
//  - waiting for a token inside a callback never ends, so callbacks only hand on;
//  - listeners are passed in the call, because one set afterwards may never fire;
//  - automatic reconnect is off: it loses subscriptions and races with a reconnect of our own;
//  - the TLS error handler is not used: the library keeps a pointer to a copy of the options that is already
//  dead when
//    the handler fires. probe.hpp finds the words instead;
//  - Client::destroy joins the library's threads; the owner destroys connections off the event loop.
#include "daemon/cloud/mqtt_connection.hpp"

#include <mqtt/async_client.h>

#include <chrono>
#include <utility>

namespace mcuota::cloud {
namespace {

void* as_context(std::uint64_t id) {
    return reinterpret_cast<void*>(static_cast<std::uintptr_t>(id));  // NOLINT: an id, never dereferenced
}

}  // namespace

class MqttConnection::Client final : public virtual mqtt::iaction_listener, public virtual mqtt::callback {
  public:
    Client(const Target& target, MqttEvents events)
        : events_(std::move(events)),
          connecting_(events_),
          client_("ssl://" + target.host + ":" + std::to_string(target.port), target.plan.client_id,
                  nullptr) {
        mqtt::ssl_options tls;
        if (!target.ca_file.empty()) tls.set_trust_store(target.ca_file.string());
        tls.set_enable_server_cert_auth(true);
        tls.set_verify(true);
        options_ = mqtt::connect_options_builder()
                       .mqtt_version(MQTTVERSION_3_1_1)
                       .clean_session(true)
                       .automatic_reconnect(false)
                       .keep_alive_interval(std::chrono::seconds(target.keepalive_s))
                       .connect_timeout(std::chrono::seconds((target.connect_timeout_ms + 999) / 1000))
                       .max_inflight(100)
                       .user_name(target.plan.username)
                       .password(target.plan.password)
                       .ssl(std::move(tls))
                       .finalize();
        client_.set_callback(*this);
    }

    std::string connect() {
        try {
            client_.connect(options_, nullptr, connecting_);
            return {};
        } catch (const mqtt::exception& failed) {
            return failed.what();
        }
    }

    bool publish(std::uint64_t id, const OutMessage& message) {
        try {
            client_.publish(mqtt::make_message(message.topic, message.payload, message.qos, false),
                            as_context(id), *this);
            return true;
        } catch (const mqtt::exception&) {
            return false;
        }
    }

    bool subscribe(std::uint64_t id, const std::string& filter) {
        try {
            client_.subscribe(filter, 1, as_context(id), *this);
            return true;
        } catch (const mqtt::exception&) {
            return false;
        }
    }

    void close(std::uint32_t timeout_ms) {
        try {
            client_.disconnect(static_cast<int>(timeout_ms))->wait_for(std::chrono::milliseconds(timeout_ms));
        } catch (const mqtt::exception&) {
            // Was not connected: there is nothing to close.
        }
    }

  private:
    /// The CONNECT has a listener of its own: its failures carry codes.
    class Connecting final : public virtual mqtt::iaction_listener {
      public:
        explicit Connecting(const MqttEvents& events) : events_(events) {}
        void on_success(const mqtt::token&) override { events_.connected(0, {}); }
        void on_failure(const mqtt::token& token) override {
            const int code = token.get_return_code();
            events_.connected(code == 0 ? -1 : code, mqtt::exception::error_str(code));
        }

      private:
        const MqttEvents& events_;
    };

    static std::uint64_t id_of(const mqtt::token& token) {
        return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(token.get_user_context()));
    }
    void on_success(const mqtt::token& token) override { events_.completed(id_of(token), true); }
    void on_failure(const mqtt::token& token) override { events_.completed(id_of(token), false); }
    void connection_lost(const std::string& cause) override { events_.lost(cause); }
    void message_arrived(mqtt::const_message_ptr message) override {
        if (message) events_.message(message->get_topic(), message->to_string());
    }

    MqttEvents events_;
    Connecting connecting_;
    mqtt::connect_options options_;
    mqtt::async_client client_;  // last: destroyed first, after which nobody calls back
};

MqttConnection::MqttConnection(const Target& target, MqttEvents events)
    : client_(std::make_unique<Client>(target, std::move(events))) {}
MqttConnection::~MqttConnection() = default;

std::string MqttConnection::connect() {
    return client_->connect();
}
bool MqttConnection::publish(std::uint64_t id, const OutMessage& message) {
    return client_->publish(id, message);
}
bool MqttConnection::subscribe(std::uint64_t id, const std::string& filter) {
    return client_->subscribe(id, filter);
}
void MqttConnection::close(std::uint32_t timeout_ms) {
    client_->close(timeout_ms);
}

}  // namespace mcuota::cloud
