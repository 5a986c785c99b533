#pragma once
// What a device's worker asks of the engine around it. Everything runs on the loop's thread.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/cloud/cloud.hpp"
#include "daemon/config/config.hpp"
#include "daemon/job/job_fsm.hpp"
#include "daemon/job/package_cache.hpp"
#include "daemon/job/ports.hpp"
#include "daemon/log.hpp"
#include "db/store.hpp"

namespace mcuota::job {

/// What the job under way is doing right now; not stored.
struct LiveProgress {
    std::string step;         ///< words of api::ProgressView::step
    std::uint8_t percent{0};  ///< of the whole job, at most 99 before it has succeeded
    std::uint64_t bytes{0};
    std::uint64_t bytes_total{0};
    std::uint64_t bytes_per_second{0};
    std::string payload_kind;  ///< of what is being sent; empty before
    std::uint64_t payload_bytes{0};
};

/// A device says what is wrong with it when it is asked: once a day, also when nothing else is to be done.
inline constexpr std::int64_t kLookAgain_ms = 24 * 60 * 60 * 1'000;

/// Shared tools; all outlive every worker.
struct Tools {
    boost::asio::any_io_executor executor;
    boost::asio::thread_pool& pool;
    db::Store& store;
    PackageCache& cache;
    Fetcher& fetcher;
    Limits limits;
    Log& log;
    std::int64_t look_again_ms;  ///< how long an idle device is left alone
};

class WorkerHost {
  public:
    [[nodiscard]] virtual db::TimeMs now_ms() const = 0;
    [[nodiscard]] virtual std::uint64_t random() = 0;
    /// The messages that say `report` to the cloud named `provider`; none when it has no such cloud.
    [[nodiscard]] virtual std::vector<db::OutboxRecord> encode(const std::string& provider,
                                                               const cloud::Report& report) = 0;
    virtual void outbox_changed(const std::string& provider) = 0;
    virtual void request_offer(const std::string& provider, const std::string& device,
                               const std::string& module) = 0;
    /// Checks the cloud's own signature over the file, if that cloud is configured to have one. On the pool.
    [[nodiscard]] virtual Result<void> check_signature(const db::JobRecord& job,
                                                       const OpenedPackage& opened) = 0;
    /// Whether the devices of this gateway run what the package requires of them.
    [[nodiscard]] virtual std::optional<Error> unmet(const Manifest& manifest) const = 0;
    virtual void job_changed(const db::JobRecord& job) = 0;
    virtual void device_changed(const std::string& device) = 0;
    virtual void worker_stopped() = 0;

  protected:
    ~WorkerHost() = default;
};

}  // namespace mcuota::job
