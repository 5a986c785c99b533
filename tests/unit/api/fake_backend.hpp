#pragma once
// A job engine made of plain members, for tests of the API server and the CLI.

#include <unistd.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/api/backend.hpp"

namespace mcuota::api {

class FakeBackend : public Backend {
  public:
    explicit FakeBackend(std::filesystem::path state_dir) : state_dir_(std::move(state_dir)) {}

    DaemonView daemon_view{true, "0.1.0", 1'795'255'000'000, "/var/lib/mcuota"};
    std::vector<CloudView> cloud_views;
    std::vector<DeviceView> device_views;
    std::vector<JobView> job_views;  ///< newest first
    std::optional<Error> broken;     ///< every read fails with it
    std::optional<Error> refuses_package;
    std::optional<Error> refuses_install;
    bool up_to_date{false};
    bool device_silent{false};  ///< who asks for a rollback gets an answer only when `silence` is gone
    std::unique_ptr<boost::asio::steady_timer> silence;
    bool throws{false};
    std::uint64_t package_limit{1U << 20};
    std::vector<std::string> calls;
    std::map<std::uint64_t, EventFn> listeners;

    void emit(const Event& event) {
        for (const auto& [id, listener] : listeners)
            listener(event);
    }
    /// Puts the job's new state into the list and tells everyone.
    void change(const JobView& job) {
        for (JobView& known : job_views)
            if (known.id == job.id) known = job;
        emit(job);
    }

    DaemonView daemon() const override { return daemon_view; }
    std::vector<CloudView> clouds() const override { return cloud_views; }
    Result<std::vector<DeviceView>> devices() override {
        if (broken) return *broken;
        return device_views;
    }
    Result<std::vector<JobView>> jobs(const JobFilter& filter) override {
        if (throws) throw std::runtime_error("boom");
        if (broken) return *broken;
        std::vector<JobView> out;
        for (const JobView& job : job_views) {
            bool state = filter.states.empty();
            for (const std::string& wanted : filter.states)
                state = state || wanted == job.state;
            if (!state || (!filter.device.empty() && filter.device != job.device)) continue;
            if (filter.since_ms && job.created_at_ms < *filter.since_ms) continue;
            if (out.size() < filter.limit) out.push_back(job);
            out.back().transitions.clear();
        }
        return out;
    }
    Result<JobView> job(std::int64_t id) override {
        for (const JobView& job : job_views)
            if (job.id == id) return job;
        return Error{ErrorCode::not_found, "there is no job " + std::to_string(id),
                     "list them: mcuota job list", 0};
    }

    boost::asio::awaitable<Result<PackageView>> adopt_package(std::filesystem::path file,
                                                              std::string sha256_hex) override;
    std::filesystem::path upload_dir() const override { return state_dir_ / "incoming"; }
    std::uint64_t package_bytes_max() const override { return package_limit; }

    boost::asio::awaitable<Result<std::vector<InstallView>>> install(InstallRequest request) override;
    boost::asio::awaitable<Result<JobView>> cancel(std::int64_t id, Caller caller) override;
    boost::asio::awaitable<Result<JobView>> retry(std::int64_t id, bool full, Caller caller) override;
    boost::asio::awaitable<Result<JobView>> rollback(std::string device, Caller caller) override;
    boost::asio::awaitable<Result<DeviceView>> refresh(std::string device) override;
    std::uint64_t subscribe(EventFn callback) override {
        listeners.emplace(++last_listener_, std::move(callback));
        return last_listener_;
    }
    void unsubscribe(std::uint64_t subscription) override { listeners.erase(subscription); }

  private:
    std::filesystem::path state_dir_;
    std::uint64_t last_listener_{0};
};

}  // namespace mcuota::api
