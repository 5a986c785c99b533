#pragma once
// What the configuration says about one cloud and the devices it may update. Filled by daemon/config, checked
// there; the adapters only read it.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mcuota::cloud {

/// How the login passwords are made. Names in the configuration: "hmacsha256", "hmacsha1", "hmacmd5".
enum class SignMethod : std::uint8_t { hmac_sha256, hmac_sha1, hmac_md5 };

/// What an Aliyun `digestsign` signs (cloud-protocols §1.11).
enum class DigestSignMode : std::uint8_t {
    off,          ///< never looked at
    digest,       ///< SHA-256 over the raw digest of the push (two hashes in a row; AliOS Things)
    file_sha256,  ///< the file's SHA-256 itself is what is signed (one hash)
};

/// One MCU as this cloud knows it.
struct CloudDeviceConfig {
    std::string device;  ///< our name for it ([[device]] name)
    /// Identity as a sub-device of the gateway. Both empty: the MCU is the module `module` of the gateway
    /// itself.
    std::string product_key;
    std::string device_name;
    std::string device_secret;  ///< the secret itself (config reads device_secret_file); empty for a module
    std::string module;         ///< the cloud's name of the firmware; empty: the default module
};

/// One [[cloud]] entry.
struct CloudConfig {
    std::string name;                ///< our name for it; Offer::provider
    std::string provider{"aliyun"};  ///< which adapter
    std::string host;                ///< broker; certificate must name it
    std::uint16_t port{443};
    std::filesystem::path ca_file;  ///< PEM; empty: the system's certificates
    /// The gateway's own identity.
    std::string product_key;
    std::string device_name;
    std::string device_secret;
    SignMethod sign_method{SignMethod::hmac_sha256};
    /// Aliyun's fixed 2524608000000 of its own SDK; 0: no timestamp in the client id.
    std::uint64_t timestamp_ms{2'524'608'000'000};
    std::uint32_t keepalive_s{300};  ///< Aliyun accepts 30…1200
    std::string gateway_version;     ///< version reported for the gateway itself; empty: not reported
    bool batch_login{false};         ///< log in all sub-devices with one message (up to 50 each)
    bool add_topology{true};         ///< offer topo/add when a login says the topology relation is missing
    bool legacy_request{false};      ///< ask with /ota/device/request instead of thing/ota/firmware/get
    DigestSignMode digest_sign{DigestSignMode::off};
    bool require_signature{false};    ///< refuse pushes without digestsign (needs digest_sign)
    std::string digest_sign_key_pem;  ///< RSA public key, PEM; or n and e below
    std::string digest_sign_n_hex;    ///< modulus, 512 hex digits
    std::string digest_sign_e_hex{"010001"};
    std::uint64_t artifact_size_max{64ULL << 20};  ///< larger offers are refused
    std::uint32_t reconnect_min_ms{1'000};  ///< first pause after a lost connection; doubles, with jitter
    std::uint32_t reconnect_max_ms{120'000};
    std::uint32_t login_refused_retry_ms{300'000};  ///< pause after the cloud refused the credentials
    std::vector<CloudDeviceConfig> devices;
};

}  // namespace mcuota::cloud
