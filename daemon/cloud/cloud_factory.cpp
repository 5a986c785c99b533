// Chooses and assembles adapters.
#include "daemon/cloud/cloud_factory.hpp"

#include <random>

#include "daemon/cloud/aliyun_digest_sign.hpp"
#include "daemon/cloud/aliyun_session.hpp"
#include "daemon/cloud/mqtt_shell.hpp"

namespace mcuota::cloud {

Result<std::unique_ptr<Cloud>> make_cloud(const CloudConfig& config, boost::asio::any_io_executor executor,
                                          CloudSink& sink, Outbox& outbox, VersionOf version_of,
                                          LogSink log) {
    if (config.provider != "aliyun")
        return Error{ErrorCode::config_invalid,
                     "[[cloud]] " + config.name + ": no cloud provider \"" + config.provider + "\"",
                     "set provider = \"aliyun\""};
    if (config.require_signature && config.digest_sign == DigestSignMode::off)
        return Error{
            ErrorCode::config_invalid,
            "[[cloud]] " + config.name + ": require_signature needs digest_sign to say what is signed",
            "set digest_sign = \"digest\""};
    if (config.digest_sign != DigestSignMode::off)
        if (Result<aliyun::SignKey> key = aliyun::load_sign_key(config); !key) return std::move(key).error();

    MqttOptions options;
    options.name = config.name;
    options.host = config.host;
    options.port = config.port;
    options.ca_file = config.ca_file;
    options.keepalive_s = config.keepalive_s;
    options.reconnect_min_ms = config.reconnect_min_ms;
    options.reconnect_max_ms = config.reconnect_max_ms;
    options.login_refused_retry_ms = config.login_refused_retry_ms;
    auto session = std::make_unique<aliyun::Session>(config, std::move(version_of), std::random_device{}());
    return std::unique_ptr<Cloud>(std::make_unique<MqttShell>(
        std::move(options), std::move(session), std::move(executor), sink, outbox, std::move(log)));
}

Result<void> check_digest_sign(const CloudConfig& config, const Offer& offer, const std::string& sha256_raw,
                               const std::string& md5_raw) {
    if (config.digest_sign == DigestSignMode::off) return {};
    if (offer.digest_sign_base64.empty()) {
        if (!config.require_signature) return {};
        return Error{ErrorCode::signature_invalid, "the cloud's offer is not signed (no digestsign)",
                     "switch on secure upgrade for the product"};
    }
    Result<aliyun::SignKey> key = aliyun::load_sign_key(config);
    if (!key) return std::move(key).error();
    const bool double_hash = config.digest_sign == DigestSignMode::digest;
    const std::string& digest = double_hash && offer.digest_kind == DigestKind::md5 ? md5_raw : sha256_raw;
    return aliyun::verify_digest_sign(*key, config.digest_sign, digest, offer.digest_sign_base64);
}

}  // namespace mcuota::cloud
