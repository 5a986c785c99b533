#pragma once
// Aliyun IoT Platform, gateway with sub-devices: topics, credentials and messages as pure functions. Source
// of every form: cloud-protocols §1. No state, no clock, no socket: the order of things is aliyun_session's.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/cloud/cloud.hpp"
#include "daemon/cloud/cloud_config.hpp"

namespace mcuota::cloud::aliyun {

/// ProductKey and DeviceName: who a topic speaks of.
struct Identity {
    std::string product_key;
    std::string device_name;
    auto operator<=>(const Identity&) const = default;
};

/// Fields of the MQTT CONNECT (§1.1).
struct Credentials {
    std::string client_id, username, password;
};
[[nodiscard]] Credentials connect_credentials(const CloudConfig& config);

/// Upper-case hex HMAC of `text`, key taken as ASCII.
[[nodiscard]] std::string hmac_hex(SignMethod method, std::string_view key, std::string_view text);

// --- topics (§1.3, §1.10)
// ---------------------------------------------------------------------------------------------

[[nodiscard]] std::string ota_topic(std::string_view what,
                                    const Identity& who);  ///< /ota/device/{what}/{pk}/{dn}
[[nodiscard]] std::string sys_topic(const Identity& who,
                                    std::string_view what);  ///< /sys/{pk}/{dn}/thing/{what}
[[nodiscard]] std::string session_topic(const Identity& gateway,
                                        std::string_view what);  ///< /ext/session/…/combine/{what}
[[nodiscard]] std::string error_topic(const Identity& gateway);  ///< /ext/error/{pk}/{dn}

/// What a downlink topic is about.
enum class Downlink : std::uint8_t {
    upgrade,  ///< push
    request,  ///< legacy poll's answer (and our own question, heard back)
    firmware_get_reply,
    login_reply,
    batch_login_reply,
    logout_reply,
    topo_add_reply,
    topo_change,
    disable,
    enable,
    remove,         ///< thing/delete
    session_error,  ///< /ext/error
};
struct ParsedTopic {
    Downlink kind;
    Identity who;
};
[[nodiscard]] std::optional<ParsedTopic> parse_topic(std::string_view topic);

// --- uplinks
// ----------------------------------------------------------------------------------------------------------

/// A sub-device with its secret.
struct SubDevice {
    Identity who;
    std::string secret;
};
[[nodiscard]] std::string login_payload(std::uint32_t id, const SubDevice& sub, SignMethod method,
                                        std::uint64_t timestamp_ms);
[[nodiscard]] std::string batch_login_payload(std::uint32_t id, std::span<const SubDevice> subs,
                                              SignMethod method, std::uint64_t timestamp_ms);
[[nodiscard]] std::string logout_payload(std::uint32_t id, const Identity& sub);
[[nodiscard]] std::string topo_add_payload(std::uint32_t id, std::span<const SubDevice> subs,
                                           SignMethod method, std::uint64_t timestamp_ms);
/// Poll for a pending update; an empty module asks for the default one.
[[nodiscard]] std::string firmware_get_payload(std::uint32_t id, std::string_view module);
[[nodiscard]] std::string inform_payload(std::uint32_t id, std::string_view version, std::string_view module);
/// `step`: 1…100 or a failure step; `desc` is cut to the platform's 128 characters.
[[nodiscard]] std::string progress_payload(std::uint32_t id, int step, std::string_view desc,
                                           std::string_view module);
/// "Understood", for downlink requests that want a reply; `id` as the request had it.
[[nodiscard]] std::string ok_payload(std::string_view id);

/// -1…-4 for an error (§0.4).
[[nodiscard]] int failure_step(ErrorCode code);
/// The messages that say `report` about (`who`, module). Ids are derived from the content, so the same report
/// is the same message.
[[nodiscard]] std::vector<OutMessage> encode_report(const Identity& who, std::string_view module,
                                                    const Report& report);

// --- downlinks
// --------------------------------------------------------------------------------------------------------

/// A reply to a request of ours (§1.2).
struct Reply {
    std::string id;
    std::uint64_t code{0};
    std::string message;
    std::vector<Identity> devices;  ///< those named in `data`, an object or an array
};
[[nodiscard]] Result<Reply> parse_reply(std::string_view payload);

/// A push or a poll's answer that was understood. `offer` lacks provider and device: the topic's owner is
/// found by the session. `offer.module` is empty for the default module, which the platform also calls
/// "default".
struct Push {
    std::string id;
    std::optional<Offer> offer;  ///< nothing: the platform has no update
};
/// Why a push cannot be followed, and what could still be read of it.
struct PushError {
    Error error;
    std::string module;
};
struct PushRules {
    std::uint64_t size_max{64ULL << 20};
    bool require_signature{false};
};
[[nodiscard]] std::variant<Push, PushError> parse_push(std::string_view payload, const PushRules& rules);

/// Whether a message on the legacy request topic is our own question coming back.
[[nodiscard]] bool is_own_request(std::string_view payload);

}  // namespace mcuota::cloud::aliyun
