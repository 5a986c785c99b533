#pragma once
// The one place that talks MQTT: keeps a connection to a broker, performs what a Protocol machine asks for,
// and drains the outbox. Knows no cloud.

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "daemon/cloud/cloud.hpp"
#include "daemon/cloud/cloud_factory.hpp"
#include "daemon/cloud/protocol.hpp"

namespace mcuota::cloud {

struct MqttOptions {
    std::string name;  ///< the [[cloud]] entry
    std::string host;
    std::uint16_t port{8883};
    std::filesystem::path ca_file;  ///< empty: the system's certificates
    std::uint32_t keepalive_s{300};
    std::uint32_t connect_timeout_ms{20'000};
    std::uint32_t ack_timeout_ms{30'000};  ///< a broker that acknowledges nothing for so long is given up
    std::uint32_t reconnect_min_ms{1'000};
    std::uint32_t reconnect_max_ms{120'000};
    std::uint32_t login_refused_retry_ms{300'000};
    std::uint32_t stable_ms{60'000};  ///< a connection that lasted so long resets the reconnect pause
    std::size_t window{10};           ///< outbox messages on their way at a time
};

/// A Cloud over MQTT 3.1.1 with TLS. All members are called on `executor`, and so are sink, outbox and log;
/// the MQTT library's own threads do nothing but post. Does not block, except the destructor: up to a second
/// and a half for the library to close its socket.
class MqttShell final : public Cloud {
  public:
    MqttShell(MqttOptions options, std::unique_ptr<Protocol> protocol, boost::asio::any_io_executor executor,
              CloudSink& sink, Outbox& outbox, LogSink log);
    ~MqttShell() override;
    MqttShell(const MqttShell&) = delete;
    MqttShell& operator=(const MqttShell&) = delete;

    void start() override;
    void stop() override;
    std::vector<OutMessage> encode(const Report& report) const override;
    void outbox_changed() override;
    void request_offer(const std::string& device, const std::string& module) override;
    bool connected() const override;

  private:
    class Core;
    std::shared_ptr<Core> core_;
};

}  // namespace mcuota::cloud
