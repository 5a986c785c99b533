#pragma once
// What the job engine and a cloud say to each other. An adapter is a pure machine (codec + session) behind
// one MQTT shell; it knows no database and no job table. Everything told upstream is first written to the
// outbox.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mcu_flasher/base/result.hpp"

namespace mcuota::cloud {

enum class DigestKind : std::uint8_t { none = 0, md5 = 1, sha256 = 2 };

/// A cloud wants a device to run another version. `device` is our configured device name.
struct Offer {
    std::string provider;  ///< name of the [[cloud]] entry
    std::string device;
    std::string request_id;  ///< the cloud's id of this push, as text
    std::string module;      ///< empty: the default module
    std::string version;
    std::uint64_t size_bytes{0};
    DigestKind digest_kind{DigestKind::none};
    std::string digest_hex;  ///< lower case
    std::string url;         ///< byte for byte as received; empty for MQTT streams (stream_id then)
    std::string digest_sign_base64;
    std::optional<std::uint64_t> stream_id, stream_file_id;
    bool is_diff{false};
    /// Same job as another push of the same (provider, device, module): same version, size and digest.
    [[nodiscard]] bool same_content(const Offer& other) const;
};

/// What the job engine tells upstream about one job or device.
struct Report {
    enum class Kind : std::uint8_t { version, progress, failure } kind{Kind::progress};
    std::string device;
    std::string module;
    std::string version;         ///< version: what runs there; otherwise the target
    std::uint8_t percent{0};     ///< progress: 1…100 over the whole job
    std::optional<Error> error;  ///< failure
    std::string step{};          ///< progress: what is being done, one word for people ("download", "send")
};

/// One message for the broker, as it will be published. Stored in the outbox until acknowledged.
struct OutMessage {
    std::string topic;
    std::string payload;
    int qos{1};
    /// Messages of one key replace each other while unsent (progress): empty = never replaced.
    std::string coalesce_key;
};

/// Where an adapter delivers what it hears. Called on the daemon's executor.
class CloudSink {
  public:
    virtual void on_offer(const Offer& offer) = 0;
    /// The push could not be understood but names a device: the cloud is told, no job is made.
    virtual void on_bad_offer(const std::string& provider, const std::string& device, const Error& error) = 0;
    /// Connected (and sub-devices logged in) or not; `why` when not.
    virtual void on_link(const std::string& provider, bool up, const std::string& why) = 0;

  protected:
    ~CloudSink() = default;
};

/// Persistent queue of everything told upstream (SQLite behind it; a vector in tests). The MQTT shell drains
/// it in order and removes a message only when the broker has acknowledged it.
class Outbox {
  public:
    struct Item {
        std::int64_t id;
        OutMessage message;
    };
    [[nodiscard]] virtual std::vector<Item> pending(const std::string& provider, std::size_t limit) = 0;
    virtual void acknowledged(std::int64_t id) = 0;

  protected:
    ~Outbox() = default;
};

/// A cloud as the daemon sees it.
class Cloud {
  public:
    virtual ~Cloud() = default;
    /// Connects and keeps connected. Reports versions after each (re)connect through version_of().
    virtual void start() = 0;
    /// Orderly disconnect; idempotent.
    virtual void stop() = 0;
    /// Messages that say `report`; pure, so they can be stored in the transaction that makes them true.
    [[nodiscard]] virtual std::vector<OutMessage> encode(const Report& report) const = 0;
    /// The outbox has something new.
    virtual void outbox_changed() = 0;
    /// Asks the cloud for a fresh url for this device and module (comes back as an Offer).
    virtual void request_offer(const std::string& device, const std::string& module) = 0;
    [[nodiscard]] virtual bool connected() const = 0;
};

}  // namespace mcuota::cloud
