#pragma once
// What mcuota.toml says, read and checked as a whole: every problem with its line, its key and the mend.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/cloud/cloud_config.hpp"

namespace mcuota::config {

inline constexpr const char* kDefaultFile = "/etc/mcuota/mcuota.toml";

enum class LogLevel : std::uint8_t { error, warning, info, debug };

struct DaemonConfig {
    std::filesystem::path state_dir{"/var/lib/mcuota"};
    std::filesystem::path socket{"/run/mcuota/api.sock"};
    LogLevel log_level{LogLevel::info};
};

struct DownloadConfig {
    std::filesystem::path ca_file;  ///< PEM; empty: the system's certificates
    std::uint64_t size_max_bytes{64ULL << 20};
    std::uint64_t bytes_per_second_max{0};  ///< 0: unlimited
    std::uint32_t connect_timeout_ms{15'000};
    std::uint32_t stall_timeout_ms{30'000};
};

struct PolicyConfig {
    std::uint32_t attempts_max{20};
    std::uint32_t backoff_min_ms{5'000};
    std::uint32_t backoff_max_ms{900'000};
    std::uint32_t new_url_wait_ms{60'000};  ///< before a cloud that has not answered is asked again
};

/// One [[device]].
struct DeviceConfig {
    std::string name;
    std::string hardware;
    std::string link;       ///< checked: flasher::parse_link_address() accepts it
    std::string unique_id;  ///< 24 hex digits; empty: any
    std::string cloud;      ///< name of a [[cloud]]; empty: none
    std::string module;
};

struct Config {
    DaemonConfig daemon;
    std::vector<std::filesystem::path>
        trusted_keys;  ///< files the patterns of [keys] trusted lead to, sorted
    DownloadConfig download;
    PolicyConfig policy;
    std::vector<cloud::CloudConfig> clouds;  ///< with their devices
    std::vector<DeviceConfig> devices;
};

/// One thing that is wrong. Lines and columns count from 1; 0: the file as a whole.
struct ConfigProblem {
    enum class Severity : std::uint8_t { error, warning } severity{Severity::error};
    std::string file;
    std::uint32_t line{0};
    std::uint32_t column{0};
    std::string key;   ///< "device[2].link"; empty: the file
    std::string what;  ///< what is wrong
    std::string mend;  ///< what helps
    /// "mcuota.toml:12:1: device[2].link: …; …"
    [[nodiscard]] std::string line_text() const;
};

/// The configuration as far as it could be read, and everything wrong with it.
struct Loaded {
    Config config;
    std::vector<ConfigProblem> problems;  ///< in the order of the file
    /// Nothing worse than warnings: the configuration may be used.
    [[nodiscard]] bool usable() const noexcept;
};

/// Reads `file` and the files it names (secrets, keys). Files with secrets may also be named relative to
/// $CREDENTIALS_DIRECTORY by "credential:NAME" (systemd LoadCredential=).
[[nodiscard]] Loaded load(const std::filesystem::path& file);

/// Every key the reader knows: {"device", "link"}, … ; what config/mcuota.toml must explain.
struct KnownKey {
    std::string_view table;
    std::string_view key;
};
[[nodiscard]] std::span<const KnownKey> known_keys() noexcept;

}  // namespace mcuota::config
