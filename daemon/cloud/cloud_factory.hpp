#pragma once
// Makes the right adapter for a [[cloud]] entry. The only header of this folder the daemon's wiring needs.

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daemon/cloud/cloud.hpp"
#include "daemon/cloud/cloud_config.hpp"

namespace mcuota::cloud {

/// The version the device itself last reported, or nothing when it has never been heard.
using VersionOf = std::function<std::optional<std::string>(const std::string& device)>;

/// Severity first, then the text; secrets and url queries are already taken out. `info`, `warning`.
enum class LogLevel : std::uint8_t { info, warning };
using LogSink = std::function<void(LogLevel, const std::string&)>;

/// The adapter for `config`, not yet started. Every callback (sink, outbox, version_of, log) is called on
/// `executor`, which must run one handler at a time (a strand or a single-threaded io_context); the Cloud
/// must be used and destroyed there too. Errors: config_invalid for an unknown provider or unusable keys.
[[nodiscard]] Result<std::unique_ptr<Cloud>> make_cloud(const CloudConfig& config,
                                                        boost::asio::any_io_executor executor,
                                                        CloudSink& sink, Outbox& outbox, VersionOf version_of,
                                                        LogSink log = {});

/// Checks a downloaded file against the offer's digestsign, if `config` asks for it (cloud-protocols §1.11).
/// Reads nothing but `sha256` and `md5`, the raw digests of the whole file. Errors: signature_invalid.
[[nodiscard]] Result<void> check_digest_sign(const CloudConfig& config, const Offer& offer,
                                             const std::string& sha256_raw, const std::string& md5_raw);

}  // namespace mcuota::cloud
