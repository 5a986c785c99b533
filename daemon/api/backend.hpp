#pragma once
// The door between the socket API and the job engine: the engine implements Backend, the API server calls it.
// Everything here runs on the daemon's io_context; whatever may block is awaited.

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/api/views.hpp"
#include "mcu_flasher/base/result.hpp"

namespace mcuota::api {

/// Which jobs to list. Newest first. An empty member means: any.
struct JobFilter {
    std::vector<std::string> states;  ///< names of kJobStates
    std::string device;
    std::optional<TimeMs> since_ms;  ///< created at or after
    std::uint32_t limit{50};
};

/// Who asks (peer credentials of the socket); for the audit trail.
struct Caller {
    std::uint32_t uid{0};
    std::string name;  ///< account name, or the uid as text
};

/// Install a cached package on devices. All or nothing: a job for every device that needs one, or an error
/// and none.
struct InstallRequest {
    std::string package_sha256;
    std::vector<std::string> devices;
    bool dry_run{false};  ///< check everything, start nothing
    Caller caller;
};

/// Something changed. The value is the whole present state of the thing; progress of a running job counts as
/// a change (the engine sends at most about four a second and job).
using Event = std::variant<JobView, DeviceView, CloudView>;

class Backend {
  public:
    virtual ~Backend() = default;

    // Reads: at once, from memory or the database.
    [[nodiscard]] virtual DaemonView daemon() const = 0;
    [[nodiscard]] virtual std::vector<CloudView> clouds() const = 0;
    [[nodiscard]] virtual Result<std::vector<DeviceView>> devices() = 0;
    /// Progress of running jobs is live. Transitions are left empty.
    [[nodiscard]] virtual Result<std::vector<JobView>> jobs(const JobFilter& filter) = 0;
    /// With transitions. not_found when there is no such job.
    [[nodiscard]] virtual Result<JobView> job(std::int64_t id) = 0;

    // Commands.
    /// Takes an uploaded package file into the cache: checks form and signature, then moves it to its content
    /// address. On an error the file stays where it is and the caller removes it. `file` lies in
    /// `upload_dir()`.
    virtual boost::asio::awaitable<Result<PackageView>> adopt_package(std::filesystem::path file,
                                                                      std::string sha256_hex) = 0;
    /// Where uploads are written before they are adopted: on the cache's file system, private to the daemon.
    [[nodiscard]] virtual std::filesystem::path upload_dir() const = 0;
    [[nodiscard]] virtual std::uint64_t package_bytes_max() const = 0;
    virtual boost::asio::awaitable<Result<std::vector<InstallView>>> install(InstallRequest request) = 0;
    /// wrong_state when finished or when the device already decides.
    virtual boost::asio::awaitable<Result<JobView>> cancel(std::int64_t id, Caller caller) = 0;
    /// Starts a finished, unsuccessful job over, or ends the wait of an unfinished one. `full`: no deltas.
    virtual boost::asio::awaitable<Result<JobView>> retry(std::int64_t id, bool full, Caller caller) = 0;
    /// Makes a job that brings the device back to its backup image, after asking it for that image. not_found
    /// for an unknown name and for a device without a backup; nothing_to_do when that runs; the device's own
    /// error when it does not answer.
    virtual boost::asio::awaitable<Result<JobView>> rollback(std::string device, Caller caller) = 0;
    /// Asks the device who it is now, and waits for the answer. Its view also when it did not answer (`error`
    /// set); not_found for an unknown name.
    virtual boost::asio::awaitable<Result<DeviceView>> refresh(std::string device) = 0;

    // Events. The callback runs on the io_context and must not wait.
    using EventFn = std::function<void(const Event&)>;
    virtual std::uint64_t subscribe(EventFn callback) = 0;
    virtual void unsubscribe(std::uint64_t subscription) = 0;
};

}  // namespace mcuota::api
