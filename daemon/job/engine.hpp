#pragma once
// The job engine: hears the clouds and the admin socket, keeps one worker a device, and is the only writer of
// jobs. Everything runs on one thread's executor; only blocking file work goes to the pool.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "daemon/api/backend.hpp"
#include "daemon/cloud/cloud_factory.hpp"
#include "daemon/config/config.hpp"
#include "daemon/job/admission.hpp"
#include "daemon/job/device_worker.hpp"
#include "daemon/job/package_cache.hpp"
#include "daemon/job/ports.hpp"
#include "daemon/log.hpp"
#include "db/store.hpp"

namespace mcuota::job {

class Engine;
/// Makes the adapter of one [[cloud]] entry (cloud::make_cloud, or a stand-in in tests).
using MakeCloud =
    std::function<Result<std::unique_ptr<cloud::Cloud>>(const cloud::CloudConfig& config, Engine& engine)>;
/// Checks the cloud's own signature over a file (cloud::check_digest_sign).
using CheckSignature = std::function<Result<void>(const cloud::CloudConfig&, const cloud::Offer&,
                                                  const std::string& sha256_raw, const std::string& md5_raw)>;

/// What the engine works with. References outlive it.
struct EngineParts {
    boost::asio::any_io_executor executor;  ///< of a loop with one thread
    boost::asio::thread_pool& pool;
    db::Store& store;
    PackageCache& cache;
    Fetcher& fetcher;
    Log& log;
    MakePort make_port;
    MakeCloud make_cloud;
    CheckSignature check_signature;
    std::function<db::TimeMs()> now_ms;
    std::function<void()> changed;              ///< something worth a status line has changed
    std::int64_t look_again_ms{kLookAgain_ms};  ///< how long an idle device is left alone
};

class Engine final : public api::Backend, public cloud::CloudSink, public cloud::Outbox, private WorkerHost {
  public:
    Engine(EngineParts parts, const config::Config& config);
    ~Engine() override;
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Goes on with every unfinished job and connects to the clouds.
    [[nodiscard]] Result<void> start();
    /// Ends everything resumably; `done` is called when nothing is under way any more.
    void stop(std::function<void()> done);
    [[nodiscard]] std::optional<std::string> version_of(const std::string& device) const;
    /// "2 devices, 1 job under way, cloud ali connected".
    [[nodiscard]] std::string status_line() const;

    // api::Backend
    [[nodiscard]] api::DaemonView daemon() const override;
    [[nodiscard]] std::vector<api::CloudView> clouds() const override;
    [[nodiscard]] Result<std::vector<api::DeviceView>> devices() override;
    [[nodiscard]] Result<std::vector<api::JobView>> jobs(const api::JobFilter& filter) override;
    [[nodiscard]] Result<api::JobView> job(std::int64_t id) override;
    boost::asio::awaitable<Result<api::PackageView>> adopt_package(std::filesystem::path file,
                                                                   std::string sha256_hex) override;
    [[nodiscard]] std::filesystem::path upload_dir() const override;
    [[nodiscard]] std::uint64_t package_bytes_max() const override;
    boost::asio::awaitable<Result<std::vector<api::InstallView>>> install(
        api::InstallRequest request) override;
    boost::asio::awaitable<Result<api::JobView>> cancel(std::int64_t id, api::Caller caller) override;
    boost::asio::awaitable<Result<api::JobView>> retry(std::int64_t id, bool full,
                                                       api::Caller caller) override;
    boost::asio::awaitable<Result<api::JobView>> rollback(std::string device, api::Caller caller) override;
    boost::asio::awaitable<Result<api::DeviceView>> refresh(std::string device) override;
    std::uint64_t subscribe(EventFn callback) override;
    void unsubscribe(std::uint64_t subscription) override;

    // cloud::CloudSink
    void on_offer(const cloud::Offer& offer) override;
    void on_bad_offer(const std::string& provider, const std::string& device, const Error& error) override;
    void on_link(const std::string& provider, bool up, const std::string& why) override;

    // cloud::Outbox
    [[nodiscard]] std::vector<cloud::Outbox::Item> pending(const std::string& provider,
                                                           std::size_t limit) override;
    void acknowledged(std::int64_t id) override;

  private:
    struct CloudState {
        cloud::CloudConfig config;
        std::unique_ptr<cloud::Cloud> cloud;
        bool up{false};
        std::string why{"not connected yet"};
        std::optional<db::TimeMs> since_ms;
    };

    // WorkerHost
    [[nodiscard]] db::TimeMs now_ms() const override { return parts_.now_ms(); }
    [[nodiscard]] std::uint64_t random() override;
    [[nodiscard]] std::vector<db::OutboxRecord> encode(const std::string& provider,
                                                       const cloud::Report& report) override;
    void outbox_changed(const std::string& provider) override;
    void request_offer(const std::string& provider, const std::string& device,
                       const std::string& module) override;
    [[nodiscard]] Result<void> check_signature(const db::JobRecord& job,
                                               const OpenedPackage& opened) override;
    [[nodiscard]] std::optional<Error> unmet(const Manifest& manifest) const override;
    void job_changed(const db::JobRecord& job) override;
    void device_changed(const std::string& device) override;
    void worker_stopped() override;
    void tell_stopped();

    [[nodiscard]] Result<void> reconcile();
    [[nodiscard]] Result<void> take_offer(const cloud::Offer& offer, DeviceWorker& worker);
    [[nodiscard]] Result<void> refuse_offer(const cloud::Offer& offer, const DeviceWorker& worker,
                                            std::int64_t failed);
    [[nodiscard]] Result<std::int64_t> create(const db::JobRecord& wanted, const Admission& admission,
                                              DeviceWorker& worker, const std::string& reason,
                                              const db::AuditRecord& audit);
    [[nodiscard]] Result<std::vector<db::JobRecord>> unfinished_of(const std::string& device);
    [[nodiscard]] Result<std::vector<api::InstallView>> install_now(const api::InstallRequest& request,
                                                                    const package::Package& package);
    [[nodiscard]] Result<DeviceWorker*> worker_of_job(std::int64_t id);
    [[nodiscard]] api::JobView view(const db::JobRecord& job) const;
    [[nodiscard]] api::DeviceView view(const DeviceWorker& worker) const;
    [[nodiscard]] api::CloudView view(const CloudState& cloud) const;
    void publish(const api::Event& event);

    EngineParts parts_;
    config::Config config_;
    Tools tools_;
    std::map<std::string, std::unique_ptr<DeviceWorker>> workers_;
    std::map<std::string, CloudState> clouds_;
    std::map<std::uint64_t, EventFn> subscribers_;
    std::uint64_t last_subscription_{0};
    db::TimeMs started_at_ms_{0};
    std::random_device random_;
    std::function<void()> stopped_;
    std::size_t running_workers_{0};
    bool stopping_{false};
};

}  // namespace mcuota::job
