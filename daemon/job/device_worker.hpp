#pragma once
// One device: performs what the life cycle asks for, one job at a time, one operation on the wire at a time.
// A thin shell: every decision is job_fsm's, every change is written down before it is acted on.

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "daemon/job/job_fsm.hpp"
#include "daemon/job/ports.hpp"
#include "daemon/job/signal.hpp"
#include "daemon/job/worker_host.hpp"
#include "mcu_flasher/package/envelope.hpp"

namespace mcuota::job {

class DeviceWorker {
  public:
    /// `device` as stored; `config` as configured. Nothing runs before start().
    DeviceWorker(const Tools& tools, WorkerHost& host, config::DeviceConfig config, db::DeviceRecord device,
                 std::unique_ptr<DevicePort> port);

    /// Goes on with what the database says about this device; asks an idle device who it is.
    void start();
    /// Ends what is under way so that a later start resumes it; host.worker_stopped() is called when it has.
    void stop();

    /// There may be a new job.
    void wake() { idle_.raise(); }
    /// Another device of the gateway has been heard: a job that waits for it may go on.
    void fellow_changed();
    /// Gives an event from outside (cancel, retry, fresh_offer, superseded) to an unfinished or finished job
    /// of this device. When this returns ok it is written down. Errors: the refusal, or the database's.
    [[nodiscard]] Result<db::JobRecord> post(std::int64_t job, const Event& event,
                                             const std::optional<db::AuditRecord>& audit);
    /// Asks the device who it is, unless a job is talking to it right now.
    boost::asio::awaitable<void> refresh();

    /// Which image to go back to, and what speaks against it, by what the device said last: not_found when it
    /// holds no backup, its own error when it did not answer.
    [[nodiscard]] Result<db::ImageRecord> backup() const;

    [[nodiscard]] const db::DeviceRecord& device() const noexcept { return device_; }
    [[nodiscard]] const config::DeviceConfig& config() const noexcept { return config_; }
    /// The job under way.
    [[nodiscard]] const std::optional<db::JobRecord>& job() const noexcept { return job_; }
    [[nodiscard]] const LiveProgress& progress() const noexcept { return progress_; }

  private:
    using EventOf = boost::asio::awaitable<Event>;

    boost::asio::awaitable<void> run();
    boost::asio::awaitable<void> run_job();
    boost::asio::awaitable<void> ask_identity();
    boost::asio::awaitable<std::optional<Event>> perform(Act act);
    EventOf guarded(Act act);
    EventOf step(Act act);
    EventOf download();
    EventOf verify();
    EventOf send();
    EventOf prepare_rollback();
    [[nodiscard]] std::uint64_t fresh_token();
    EventOf install(bool only_follow);
    boost::asio::awaitable<std::optional<Error>> open_package();
    boost::asio::awaitable<Result<link::Identity>> ask_configured();
    boost::asio::awaitable<Result<link::Identity>> ask_ready();
    boost::asio::awaitable<std::optional<Event>> wait_out(bool ask_url);

    [[nodiscard]] bool pick_job();
    [[nodiscard]] Result<Act> apply(const Event& event, const std::optional<db::AuditRecord>& audit = {});
    [[nodiscard]] Result<Act> commit(const db::JobRecord& before, Decision decision,
                                     const std::optional<db::AuditRecord>& audit);
    [[nodiscard]] std::vector<db::OutboxRecord> tell(const db::JobRecord& job, Tell what);
    void remember_identity(const link::Identity& identity);
    void remember_failure(const Error& error);
    void save_device();
    [[nodiscard]] std::optional<Error> check_identity(const link::Identity& identity) const;
    [[nodiscard]] Event reported(const link::Identity& identity, Status status) const;
    [[nodiscard]] Event refused(Error error, const package::Candidates& candidates,
                                std::int32_t payload_index) const;
    EventOf concluded(const link::Identity& identity, Event event);
    void show(std::string step, unsigned percent, std::uint64_t bytes = 0, std::uint64_t total = 0,
              std::uint64_t rate = 0);
    void tell_progress();
    void on_wire(const flasher::Progress& progress);
    [[nodiscard]] std::uint64_t wire_rate(const flasher::Progress& progress);
    /// Lets go of the job: it has ended or is in the queue again.
    void leave_job();
    void job_ended();

    Tools tools_;
    WorkerHost& host_;
    config::DeviceConfig config_;
    db::DeviceRecord device_;
    std::unique_ptr<DevicePort> port_;
    Signal idle_;       // something to do when there was nothing
    Signal interrupt_;  // what is under way is to end
    Signal link_free_;
    Signal stop_;

    std::optional<db::JobRecord> job_;
    std::optional<Act> pending_;  // decided by post() while a step was under way
    LiveProgress progress_;
    std::shared_ptr<const OpenedPackage> package_;
    std::chrono::steady_clock::time_point shown_at_{};
    std::chrono::steady_clock::time_point wire_since_{};
    std::uint64_t wire_from_{0};
    unsigned identity_tries_left_;
    bool identity_saved_{false};  // device_ carries news for the next commit
    bool link_busy_{false};
    bool stopping_{false};
};

}  // namespace mcuota::job
