#pragma once
// The gateway's memory: typed functions over the state database, each one transaction. The only code that
// knows SQL. May be called from any thread. Every failure is database_failed or disk_full and means: nothing
// was changed.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "db/records.hpp"
#include "mcu_flasher/base/result.hpp"

namespace mcuota::db {

/// Name of the database inside the state folder.
inline constexpr const char* kDatabaseFile = "mcuota.db";

/// Which jobs to list, newest first. Empty members mean: any.
struct JobQuery {
    std::vector<JobState> states;
    std::string device;
    std::optional<TimeMs> since_ms;  ///< created at or after
    std::uint32_t limit{50};
};

/// A change of one job with everything that becomes true at the same moment.
struct JobChange {
    JobRecord after;
    JobState from{JobState::queued};   ///< what the database must still say; otherwise nothing is written
    std::string reason;                ///< of the transition; empty: not a step worth a line (progress)
    std::vector<OutboxRecord> outbox;  ///< told upstream when this is true
    std::optional<AuditRecord> audit;
    std::optional<DeviceRecord> device;  ///< what the device said that led here
};

/// How many jobs there are, for one screen and for metrics.
struct JobCounts {
    std::uint64_t unfinished{0};
    std::uint64_t succeeded{0};
    std::uint64_t failed{0};
    std::uint64_t cancelled{0};
};

class Store {
  public:
    /// Opens, creates or migrates the database. A newer schema, a foreign or damaged file is refused.
    [[nodiscard]] static Result<Store> open(const std::filesystem::path& file);
    /// For programs that only look while the daemon is down. not_found when there is no database yet.
    [[nodiscard]] static Result<Store> open_read_only(const std::filesystem::path& file);
    ~Store();
    Store(Store&&) noexcept;
    Store& operator=(Store&&) noexcept;

    /// Runs `body` so that everything it writes through this store becomes true together, or not at all when
    /// it returns an error.
    [[nodiscard]] Result<void> together(const std::function<Result<void>()>& body);

    // Devices.
    /// Makes the table say what the configuration says; devices that left it stay, marked.
    [[nodiscard]] Result<void> configure_devices(
        std::span<const std::pair<std::string, std::string>> names_and_hardware);
    /// Configured devices only, by name.
    [[nodiscard]] Result<std::vector<DeviceRecord>> devices();
    [[nodiscard]] Result<std::optional<DeviceRecord>> device(const std::string& name);
    /// Stores what was learned about a device, and what is to be told because of it.
    [[nodiscard]] Result<void> save_device(const DeviceRecord& device, std::span<const OutboxRecord> outbox,
                                           TimeMs now_ms);

    // Jobs.
    /// Writes a new job down with its first transition; gives its id.
    [[nodiscard]] Result<std::int64_t> insert_job(const JobRecord& job, const std::string& reason,
                                                  const std::optional<AuditRecord>& audit, TimeMs now_ms);
    [[nodiscard]] Result<void> change_job(const JobChange& change, TimeMs now_ms);
    [[nodiscard]] Result<std::optional<JobRecord>> job(std::int64_t id);
    [[nodiscard]] Result<std::vector<JobRecord>> jobs(const JobQuery& query);
    /// Oldest first.
    [[nodiscard]] Result<std::vector<JobRecord>> unfinished_jobs();
    /// The newest failed jobs that no later success of the same device has made good, newest first.
    [[nodiscard]] Result<std::vector<JobRecord>> open_failures(std::uint32_t limit);
    /// The newest job of this device and source that has finished.
    [[nodiscard]] Result<std::optional<JobRecord>> last_finished(const std::string& device, SourceKind kind,
                                                                 const std::string& provider,
                                                                 const std::string& module);
    /// The newest failed jobs of this device, newest first.
    [[nodiscard]] Result<std::vector<JobRecord>> failures(const std::string& device, std::uint32_t limit);
    [[nodiscard]] Result<std::vector<TransitionRecord>> transitions(std::int64_t job);
    [[nodiscard]] Result<JobCounts> job_counts();

    // Downloads.
    [[nodiscard]] Result<std::optional<DownloadRecord>> download(std::int64_t job);
    [[nodiscard]] Result<void> save_download(std::int64_t job, const DownloadRecord& mark, TimeMs now_ms);
    [[nodiscard]] Result<void> drop_download(std::int64_t job);

    // Packages.
    [[nodiscard]] Result<void> save_package(const PackageRecord& package);
    [[nodiscard]] Result<std::vector<PackageRecord>> packages();
    [[nodiscard]] Result<void> drop_package(const std::string& sha256);
    /// Those no unfinished job needs.
    [[nodiscard]] Result<std::vector<PackageRecord>> unreferenced_packages();

    // Outbox.
    [[nodiscard]] Result<std::vector<OutboxRecord>> outbox(const std::string& provider, std::size_t limit);
    [[nodiscard]] Result<void> drop_outbox(std::int64_t id);
    [[nodiscard]] Result<std::uint64_t> outbox_count(const std::string& provider);
    [[nodiscard]] Result<std::uint64_t> outbox_count(const std::string& provider, const std::string& device,
                                                     std::int64_t created_until_ms);

    // Audit trail, newest first.
    [[nodiscard]] Result<std::vector<AuditRecord>> audit(const std::string& device,
                                                         std::optional<TimeMs> since_ms, std::uint32_t limit);

    /// Bounds the database file, for tests of a full disk. 4096-byte pages.
    [[nodiscard]] Result<void> limit_pages(std::uint64_t pages_max);

  private:
    struct Impl;
    explicit Store(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace mcuota::db
