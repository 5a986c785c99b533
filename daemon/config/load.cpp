// mcuota.toml as a whole: which keys there are, what they mean, what must fit together.
#include <glob.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "daemon/config/config.hpp"
#include "daemon/config/section.hpp"
#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/flasher.hpp"

namespace mcuota::config {
namespace {

constexpr KnownKey kKnownKeys[] = {
    {"daemon", "state_dir"},
    {"daemon", "socket"},
    {"daemon", "log_level"},
    {"keys", "trusted"},
    {"download", "ca_file"},
    {"download", "size_max_bytes"},
    {"download", "bytes_per_second_max"},
    {"download", "connect_timeout_s"},
    {"download", "stall_timeout_s"},
    {"policy", "attempts_max"},
    {"policy", "backoff_min_s"},
    {"policy", "backoff_max_s"},
    {"policy", "new_url_wait_s"},
    {"cloud", "name"},
    {"cloud", "provider"},
    {"cloud", "host"},
    {"cloud", "port"},
    {"cloud", "ca_file"},
    {"cloud", "product_key"},
    {"cloud", "device_name"},
    {"cloud", "device_secret_file"},
    {"cloud", "device_secret"},
    {"cloud", "sign_method"},
    {"cloud", "timestamp_ms"},
    {"cloud", "keepalive_s"},
    {"cloud", "gateway_version"},
    {"cloud", "batch_login"},
    {"cloud", "add_topology"},
    {"cloud", "legacy_request"},
    {"cloud", "digest_sign"},
    {"cloud", "require_signature"},
    {"cloud", "digest_sign_key_file"},
    {"cloud", "digest_sign_n_hex"},
    {"cloud", "digest_sign_e_hex"},
    {"cloud", "reconnect_min_s"},
    {"cloud", "reconnect_max_s"},
    {"cloud", "login_refused_retry_s"},
    {"device", "name"},
    {"device", "hardware"},
    {"device", "link"},
    {"device", "unique_id"},
    {"device", "cloud"},
    {"device", "product_key"},
    {"device", "device_name"},
    {"device", "device_secret_file"},
    {"device", "device_secret"},
    {"device", "module"},
};

constexpr std::uint64_t kSecretBytesMax = 4096;
constexpr std::uint64_t kPemBytesMax = 64 << 10;
constexpr std::uint64_t kDay_s = 86'400;

std::uint32_t ms_of_s(std::uint64_t seconds) {
    return static_cast<std::uint32_t>(seconds * 1'000);
}

bool name_fits(std::string_view name, std::size_t length_max) {
    return !name.empty() && name.size() <= length_max &&
           std::all_of(name.begin(), name.end(), [](unsigned char c) {
               return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '+';
           });
}

void check_name(Section& section, std::string_view key, const std::string& name, std::size_t length_max) {
    if (name.empty() || name_fits(name, length_max)) return;  // an empty one is reported already
    section.error(key, "\"" + name + "\" does not serve as a name",
                  "use 1 to " + std::to_string(length_max) + " of the characters A-Z a-z 0-9 . _ + -");
}

std::string read_text(Section& section, std::string_view key, const std::filesystem::path& file,
                      std::uint64_t bytes_max) {
    Result<std::vector<std::uint8_t>> bytes = read_file(file, bytes_max);
    if (!bytes) {
        section.error(key, bytes.error().what,
                      bytes.error().next.empty() ? "check the path and who may read it" : bytes.error().next);
        return {};
    }
    return {bytes->begin(), bytes->end()};
}

std::filesystem::path secret_path(const std::string& written) {
    constexpr std::string_view kPrefix = "credential:";
    if (!written.starts_with(kPrefix)) return written;
    const char* folder =
        std::getenv("CREDENTIALS_DIRECTORY");  // NOLINT(concurrency-mt-unsafe): start-up only
    return std::filesystem::path(folder != nullptr ? folder : "/run/credentials/mcuota.service") /
           written.substr(kPrefix.size());
}

// The secret itself, from its file or, warned about, from the configuration.
std::string read_secret(Section& section) {
    const std::string file = section.text("device_secret_file");
    std::string secret = section.text("device_secret");
    if (!secret.empty() && !file.empty())
        section.error("device_secret", "the secret is given twice",
                      "keep device_secret_file and remove this line");
    if (!secret.empty()) {
        section.warning(
            "device_secret", "a secret stands in the configuration, which many may read",
            "put it into a file only the daemon can read and name that: device_secret_file = \"…\"");
        return secret;
    }
    if (file.empty()) return {};
    secret = read_text(section, "device_secret_file", secret_path(file), kSecretBytesMax);
    while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r'))
        secret.pop_back();
    return secret;
}

class Reader {
  public:
    explicit Reader(const std::filesystem::path& file) : problems_(file.string()) {}

    Loaded read(const std::filesystem::path& file) {
        toml::parse_result parsed = toml::parse_file(file.string());
        if (!parsed) {
            const toml::parse_error& error = parsed.error();
            std::error_code ignored;
            const bool exists = std::filesystem::exists(file, ignored);
            problems_.error(
                error.source(), "", std::string(error.description()),
                exists ? "mend the TOML syntax here" : "create it, or name another with --config");
        } else {
            read_root(parsed.table());
        }
        return {std::move(config_), problems_.take()};
    }

  private:
    void read_root(const toml::table& root) {
        for (const auto& [key, node] : root)
            check_root_key(key, node);
        with_table(root, "daemon", [this](Section& section) { read_daemon(section); });
        with_table(root, "keys", [this](Section& section) { read_keys(section); });
        with_table(root, "download", [this](Section& section) { read_download(section); });
        with_table(root, "policy", [this](Section& section) { read_policy(section); });
        with_list(root, "cloud", [this](Section& section) { read_cloud(section); });
        with_list(root, "device", [this](Section& section) { read_device(section); });
        if (root.get("keys") == nullptr)
            problems_.error(root.source(), "keys",
                            "no signing key is trusted: nothing could ever be installed",
                            "add: [keys] with trusted = [\"/etc/mcuota/keys/*.pub.pem\"]");
    }

    void check_root_key(const toml::key& key, const toml::node& node) {
        static constexpr std::string_view kTables[] = {"daemon", "keys",  "download",
                                                       "policy", "cloud", "device"};
        if (std::find(std::begin(kTables), std::end(kTables), key.str()) == std::end(kTables)) {
            const std::string_view near = nearest(key.str(), kTables);
            problems_.error(key.source(), std::string(key.str()),
                            "there is no such table or key at the top level",
                            near.empty() ? "remove it" : "did you mean \"" + std::string(near) + "\"?");
            return;
        }
        const bool list = key.str() == "cloud" || key.str() == "device";
        const bool fits = list ? node.is_array_of_tables() : node.is_table();
        const std::string name(key.str());
        if (!fits)
            problems_.error(node.source(), name,
                            list ? "this must be a list of tables" : "this must be a table",
                            list ? "write [[" + name + "]], once for each" : "write [" + name + "]");
    }

    template <class Read>
    void with_table(const toml::table& root, std::string_view name, Read&& read) {
        static const toml::table kEmpty;
        const toml::table* table = root.get_as<toml::table>(name);
        Section section(table != nullptr ? *table : kEmpty, name, std::string(name), problems_);
        read(section);
    }

    template <class Read>
    void with_list(const toml::table& root, std::string_view name, Read&& read) {
        const toml::array* list = root.get_as<toml::array>(name);
        if (list == nullptr) return;
        std::size_t number = 0;
        for (const toml::node& element : *list) {
            const toml::table* table = element.as_table();
            if (table == nullptr) continue;  // reported by check_root_key
            Section section(*table, name, std::string(name) + "[" + std::to_string(++number) + "]",
                            problems_);
            read(section);
        }
    }

    void read_daemon(Section& section) {
        static constexpr std::pair<std::string_view, LogLevel> kLevels[] = {{"error", LogLevel::error},
                                                                            {"warning", LogLevel::warning},
                                                                            {"info", LogLevel::info},
                                                                            {"debug", LogLevel::debug}};
        DaemonConfig& daemon = config_.daemon;
        daemon.state_dir = absolute(section, "state_dir", daemon.state_dir);
        daemon.socket = absolute(section, "socket", daemon.socket);
        if (daemon.socket.string().size() > 100)
            section.error("socket", "the path is too long for a socket", "use one of at most 100 characters");
        daemon.log_level = section.word("log_level", daemon.log_level, kLevels);
    }

    std::filesystem::path absolute(Section& section, std::string_view key,
                                   const std::filesystem::path& fallback) {
        const std::filesystem::path path = section.text(key, fallback.string());
        if (path.is_absolute()) return path;
        section.error(key, "the path does not start with /", "write the whole path");
        return fallback;
    }

    void read_keys(Section& section) {
        if (!section.has("trusted")) return;
        std::set<std::filesystem::path> files;
        for (const std::string& pattern : section.texts("trusted")) {
            glob_t found{};
            const int code = glob(pattern.c_str(), 0, nullptr, &found);
            for (std::size_t i = 0; i < found.gl_pathc; ++i)
                files.insert(found.gl_pathv[i]);
            globfree(&found);
            // An empty folder of keys is how a gateway starts its life; a named file that is not there is a
            // mistake.
            if (code == GLOB_NOMATCH && pattern.find_first_of("*?[") == std::string::npos)
                section.error("trusted", "there is no key file " + pattern,
                              "make one with mcuota-pack keygen, or correct the path");
            else if (code == GLOB_NOMATCH)
                section.warning("trusted", "no key file fits " + pattern + ": nothing can be installed yet",
                                "copy the public key there (NAME.pub.pem of mcuota-pack keygen)");
            else if (code != 0)
                section.error("trusted", "cannot look for " + pattern, "check who may read the folder");
        }
        config_.trusted_keys.assign(files.begin(), files.end());
    }

    void read_download(Section& section) {
        DownloadConfig& download = config_.download;
        download.ca_file = existing_file(section, "ca_file");
        download.size_max_bytes =
            section.integer("size_max_bytes", download.size_max_bytes, 1024, 1ULL << 30);
        download.bytes_per_second_max = section.integer("bytes_per_second_max", 0, 0, 1ULL << 40);
        download.connect_timeout_ms = ms_of_s(section.integer("connect_timeout_s", 15, 1, 600));
        download.stall_timeout_ms = ms_of_s(section.integer("stall_timeout_s", 30, 1, 3'600));
    }

    std::filesystem::path existing_file(Section& section, std::string_view key) {
        std::filesystem::path file = section.text(key);
        std::error_code ignored;
        if (!file.empty() && !std::filesystem::exists(file, ignored))
            section.error(key, "there is no file " + file.string(), "correct the path");
        return file;
    }

    void read_policy(Section& section) {
        PolicyConfig& policy = config_.policy;
        policy.attempts_max =
            static_cast<std::uint32_t>(section.integer("attempts_max", policy.attempts_max, 1, 1000));
        policy.backoff_min_ms = ms_of_s(section.integer("backoff_min_s", 5, 1, kDay_s));
        policy.backoff_max_ms = ms_of_s(section.integer("backoff_max_s", 900, 1, kDay_s));
        policy.new_url_wait_ms = ms_of_s(section.integer("new_url_wait_s", 60, 1, kDay_s));
        if (policy.backoff_max_ms < policy.backoff_min_ms)
            section.error("backoff_max_s", "smaller than backoff_min_s", "make it at least as large");
    }

    void read_cloud(Section& section) {
        static constexpr std::pair<std::string_view, cloud::SignMethod> kMethods[] = {
            {"hmacsha256", cloud::SignMethod::hmac_sha256},
            {"hmacsha1", cloud::SignMethod::hmac_sha1},
            {"hmacmd5", cloud::SignMethod::hmac_md5}};
        static constexpr std::pair<std::string_view, cloud::DigestSignMode> kModes[] = {
            {"off", cloud::DigestSignMode::off},
            {"digest", cloud::DigestSignMode::digest},
            {"file_sha256", cloud::DigestSignMode::file_sha256}};
        cloud::CloudConfig cloud;
        cloud.name = section.required_text("name");
        check_name(section, "name", cloud.name, 64);
        cloud.provider = section.required_text("provider");
        if (!cloud.provider.empty() && cloud.provider != "aliyun")
            section.error("provider", "there is no adapter \"" + cloud.provider + "\"", "use \"aliyun\"");
        cloud.host = section.required_text("host");
        if (cloud.host.find_first_of("/: ") != std::string::npos)
            section.error("host", "this is not a bare host name",
                          "write only the name; the port has its own key");
        cloud.port = static_cast<std::uint16_t>(section.integer("port", cloud.port, 1, 65'535));
        cloud.ca_file = existing_file(section, "ca_file");
        cloud.product_key = section.required_text("product_key");
        check_name(section, "product_key", cloud.product_key, 64);
        cloud.device_name = section.required_text("device_name");
        cloud.device_secret = read_secret(section);
        if (cloud.device_secret.empty() && !section.has("device_secret_file"))
            section.error(
                "device_secret_file", "the gateway's secret is missing",
                "write it into a file and name that: device_secret_file = \"/etc/mcuota/secrets/gateway\"");
        cloud.sign_method = section.word("sign_method", cloud.sign_method, kMethods);
        cloud.timestamp_ms = section.integer("timestamp_ms", cloud.timestamp_ms, 0, 1ULL << 53);
        cloud.keepalive_s =
            static_cast<std::uint32_t>(section.integer("keepalive_s", cloud.keepalive_s, 30, 1'200));
        cloud.gateway_version = section.text("gateway_version");
        cloud.batch_login = section.flag("batch_login", cloud.batch_login);
        cloud.add_topology = section.flag("add_topology", cloud.add_topology);
        cloud.legacy_request = section.flag("legacy_request", cloud.legacy_request);
        read_digest_sign(section, cloud, section.word("digest_sign", cloud.digest_sign, kModes));
        cloud.artifact_size_max = config_.download.size_max_bytes;
        cloud.reconnect_min_ms = ms_of_s(section.integer("reconnect_min_s", 1, 1, kDay_s));
        cloud.reconnect_max_ms = ms_of_s(section.integer("reconnect_max_s", 120, 1, kDay_s));
        if (cloud.reconnect_max_ms < cloud.reconnect_min_ms)
            section.error("reconnect_max_s", "smaller than reconnect_min_s", "make it at least as large");
        cloud.login_refused_retry_ms = ms_of_s(section.integer("login_refused_retry_s", 300, 1, kDay_s));
        if (!cloud.name.empty() && find_cloud(cloud.name) != nullptr)
            section.error("name", "another [[cloud]] has this name", "give each its own");
        config_.clouds.push_back(std::move(cloud));
    }

    void read_digest_sign(Section& section, cloud::CloudConfig& cloud, cloud::DigestSignMode mode) {
        cloud.digest_sign = mode;
        cloud.require_signature = section.flag("require_signature", cloud.require_signature);
        cloud.digest_sign_n_hex = section.text("digest_sign_n_hex");
        cloud.digest_sign_e_hex = section.text("digest_sign_e_hex", cloud.digest_sign_e_hex);
        const std::string file = section.text("digest_sign_key_file");
        if (!file.empty())
            cloud.digest_sign_key_pem = read_text(section, "digest_sign_key_file", file, kPemBytesMax);
        const bool off = mode == cloud::DigestSignMode::off;
        if (off && cloud.require_signature)
            section.error("require_signature", "signatures are required but not looked at",
                          "set digest_sign = \"digest\" (or \"file_sha256\")");
        if (!off && file.empty() && cloud.digest_sign_n_hex.empty())
            section.error("digest_sign", "there is no key to check signatures with",
                          "name it: digest_sign_key_file = \"…\", or digest_sign_n_hex = \"…\"");
    }

    void read_device(Section& section) {
        DeviceConfig device;
        device.name = section.required_text("name");
        check_name(section, "name", device.name, 64);
        device.hardware = section.required_text("hardware");
        check_name(section, "hardware", device.hardware, kHardwareBytesMax);
        device.link = section.required_text("link");
        check_link(section, device);
        device.unique_id = section.text("unique_id");
        std::transform(device.unique_id.begin(), device.unique_id.end(), device.unique_id.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        if (!device.unique_id.empty() &&
            (device.unique_id.size() != 24 ||
             device.unique_id.find_first_not_of("0123456789abcdef") != std::string::npos))
            section.error("unique_id", "this is not a unique id of a microcontroller",
                          "write its 12 bytes as 24 hex digits (mcuota-flash info shows them)");
        device.cloud = section.text("cloud");
        device.module = section.text("module");
        read_cloud_identity(section, device);
        const auto same = [&](const DeviceConfig& other) { return other.name == device.name; };
        if (!device.name.empty() && std::any_of(config_.devices.begin(), config_.devices.end(), same))
            section.error("name", "another [[device]] has this name", "give each its own");
        config_.devices.push_back(std::move(device));
    }

    void check_link(Section& section, const DeviceConfig& device) {
        if (device.link.empty()) return;
        Result<flasher::LinkAddress> address = flasher::parse_link_address(device.link);
        if (!address) {
            section.error("link", address.error().what,
                          address.error().next.empty() ? "write for example \"uart:/dev/ttyUSB0:921600\""
                                                       : address.error().next);
            return;
        }
        const auto [other, added] =
            links_.try_emplace(address->path_or_host + "#" + std::to_string(address->port) + "#" +
                                   std::to_string(address->address),
                               device.name);
        if (!added)
            section.error("link", "device \"" + other->second + "\" is on the same link",
                          "give each device its own");
    }

    void read_cloud_identity(Section& section, const DeviceConfig& device) {
        cloud::CloudDeviceConfig identity;
        identity.device = device.name;
        identity.module = device.module;
        identity.product_key = section.text("product_key");
        identity.device_name = section.text("device_name");
        identity.device_secret = read_secret(section);
        if (device.cloud.empty()) {
            for (const std::string_view key :
                 {"product_key", "device_name", "device_secret", "device_secret_file", "module"})
                if (section.has(key))
                    section.error(key, "a cloud identity without a cloud",
                                  "add: cloud = \"NAME\", or remove this line");
            return;
        }
        cloud::CloudConfig* cloud = find_cloud(device.cloud);
        if (cloud == nullptr) {
            section.error("cloud", "there is no [[cloud]] named \"" + device.cloud + "\"",
                          "use the name of one, or add it");
            return;
        }
        if (identity.product_key.empty() != identity.device_name.empty())
            section.error(
                identity.product_key.empty() ? "product_key" : "device_name",
                "half of the sub-device's identity is missing",
                "give product_key and device_name, or neither (then the device is a module of the gateway)");
        const bool sub_device = !identity.product_key.empty();
        if (sub_device && identity.device_secret.empty() && !section.has("device_secret_file"))
            section.error("device_secret_file", "the sub-device's secret is missing",
                          "write it into a file and name that here");
        if (!sub_device && device.module.empty())
            section.error("module", "neither a sub-device nor a module of the gateway",
                          "add product_key, device_name and device_secret_file, or module");
        for (const cloud::CloudDeviceConfig& other : cloud->devices)
            if (other.product_key == identity.product_key && other.device_name == identity.device_name &&
                other.module == identity.module)
                section.error(sub_device ? "device_name" : "module",
                              "device \"" + other.device + "\" has the same identity in this cloud",
                              "give each device its own");
        cloud->devices.push_back(std::move(identity));
    }

    cloud::CloudConfig* find_cloud(const std::string& name) {
        for (cloud::CloudConfig& cloud : config_.clouds)
            if (cloud.name == name) return &cloud;
        return nullptr;
    }

    Problems problems_;
    Config config_;
    std::map<std::string, std::string> links_;  // link without its speed → device
};

}  // namespace

std::span<const KnownKey> known_keys() noexcept {
    return kKnownKeys;
}

bool Loaded::usable() const noexcept {
    return std::none_of(problems.begin(), problems.end(), [](const ConfigProblem& problem) {
        return problem.severity == ConfigProblem::Severity::error;
    });
}

std::string ConfigProblem::line_text() const {
    std::string text = file;
    if (line != 0) text += ":" + std::to_string(line) + ":" + std::to_string(column);
    text += ": ";
    if (severity == Severity::warning) text += "warning: ";
    if (!key.empty()) text += key + ": ";
    text += what;
    if (!mend.empty()) text += "; " + mend;
    return text;
}

Loaded load(const std::filesystem::path& file) {
    return Reader(file).read(file);
}

}  // namespace mcuota::config
