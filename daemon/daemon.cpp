// Wiring only: who knows whom, in which order they start and stop.
#include "daemon/daemon.hpp"

#include <signal.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <utility>

#include "daemon/api/server.hpp"
#include "daemon/cloud/cloud_factory.hpp"
#include "daemon/download/downloader.hpp"
#include "daemon/instance_lock.hpp"
#include "daemon/job/engine.hpp"
#include "daemon/service_manager.hpp"
#include "daemon/version.hpp"
#include "mcu_flasher/flasher.hpp"

namespace mcuota {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kPoolThreads = 4;  // two downloads, one package check, one upload
constexpr auto kStopLimit = std::chrono::milliseconds(1'500);
constexpr auto kDrainLimit = std::chrono::milliseconds(300);

db::TimeMs wall_clock_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// download::MarkStore over the database. A mark that cannot be saved costs bytes after a restart, nothing
// else.
class Marks final : public download::MarkStore {
  public:
    Marks(db::Store& store, Log& log) : store_(store), log_(log) {}
    download::Mark load(std::int64_t job) override {
        Result<std::optional<db::DownloadRecord>> record = store_.download(job);
        if (!record) log_.warning("job " + std::to_string(job) + ": " + record.error().line());
        if (!record || !*record) return {};
        return {(*record)->offset_bytes, (*record)->etag, (*record)->digest_state};
    }
    void save(std::int64_t job, const download::Mark& mark) override {
        Result<void> saved =
            store_.save_download(job, {mark.offset, mark.etag, mark.digest_state}, wall_clock_ms());
        if (!saved) log_.warning("job " + std::to_string(job) + ": " + saved.error().line());
    }

  private:
    db::Store& store_;
    Log& log_;
};

class HttpFetcher final : public job::Fetcher {
  public:
    HttpFetcher(asio::thread_pool& pool, download::MarkStore& marks, const config::DownloadConfig& config)
        : downloader_(pool, marks, options(config)) {}
    asio::awaitable<Result<download::Done>> fetch(
        download::Request request, std::function<void(const download::Progress&)> progress) override {
        return downloader_.fetch(std::move(request), std::move(progress));
    }

  private:
    static download::Options options(const config::DownloadConfig& config) {
        download::Options options;
        options.ca_file = config.ca_file;
        options.connect_timeout_ms = config.connect_timeout_ms;
        options.stall_timeout_ms = config.stall_timeout_ms;
        options.bytes_per_second_max = config.bytes_per_second_max;
        return options;
    }
    download::Downloader downloader_;
};

class FlasherPort final : public job::DevicePort {
  public:
    FlasherPort(const asio::any_io_executor& executor, flasher::LinkAddress address)
        : flasher_(executor, std::move(address)) {}
    asio::awaitable<Result<link::Identity>> identify() override { return flasher_.identify(); }
    asio::awaitable<Result<link::Identity>> after_trial(link::Identity identity) override {
        return flasher_.after_trial(std::move(identity), {});
    }
    asio::awaitable<Result<void>> send(std::span<const std::uint8_t> envelope,
                                       flasher::ProgressFn progress) override {
        return flasher_.send(envelope, std::move(progress));
    }
    asio::awaitable<Result<flasher::InstallReport>> install(std::uint64_t token,
                                                            flasher::ProgressFn progress) override {
        return flasher_.install(token, std::move(progress));
    }
    asio::awaitable<Result<flasher::InstallReport>> rollback(std::uint64_t token,
                                                             flasher::ProgressFn progress) override {
        return flasher_.rollback(token, std::move(progress));
    }
    asio::awaitable<Result<flasher::InstallReport>> follow(std::uint64_t token,
                                                           flasher::ProgressFn progress) override {
        return flasher_.follow(token, std::move(progress));
    }
    asio::awaitable<Result<std::uint16_t>> rotate(std::span<const std::uint8_t> record) override {
        return flasher_.rotate(record);
    }
    void close() override { flasher_.close(); }

  private:
    flasher::Flasher flasher_;
};

Result<package::Keyring> load_keys(const std::vector<std::filesystem::path>& files) {
    package::Keyring keyring;
    for (const std::filesystem::path& file : files) {
        Result<void> added = keyring.add_file(file);
        if (!added) return std::move(added).error();
    }
    return keyring;
}

cloud::LogSink log_sink(Log& log) {
    return [&log](cloud::LogLevel level, const std::string& text) {
        level == cloud::LogLevel::warning ? log.warning(text) : log.info(text);
    };
}

// Everything that lives as long as the loop runs. Members are destroyed in reverse: the loop's handlers go
// before what they refer to.
class Gateway {
  public:
    Gateway(const config::Config& config, Log& log, db::Store& store, job::PackageCache& cache)
        : config_(config),
          log_(log),
          pool_(kPoolThreads),
          marks_(store, log),
          fetcher_(pool_, marks_, config.download),
          manager_(loop_.get_executor()),
          engine_(parts(store, cache), config),
          server_(loop_.get_executor(), pool_, engine_, server_options(config)),
          signals_(loop_),
          stop_limit_(loop_) {}

    Result<void> run() {
        boost::system::error_code ignored;
        signals_.add(SIGTERM, ignored);
        signals_.add(SIGINT, ignored);
        signals_.async_wait([this](const boost::system::error_code& error, int number) {
            if (error) return;
            log_.info(std::string("stopping on ") + (number == SIGINT ? "SIGINT" : "SIGTERM") +
                      "; what is under way goes on at the next start");
            stop();
        });
        Result<void> started = engine_.start();
        if (started) started = server_.start();
        if (started) {
            manager_.ready(engine_.status_line());
            log_.info("mcuotad " + std::string(kVersion) + " is ready: " + engine_.status_line());
        } else {
            stop();
        }
        loop_.run();
        drain();
        if (started) log_.info("mcuotad has stopped");
        return started;
    }

  private:
    void stop() {
        signals_.cancel();
        manager_.stopping();
        server_.stop();
        engine_.stop([this] {
            stop_limit_.cancel();
            loop_.stop();
        });
        stop_limit_.expires_after(kStopLimit);
        stop_limit_.async_wait([this](const boost::system::error_code& error) {
            if (!error) cut_off();
        });
    }

    // Lets the last handlers return, so that nothing refers to what is destroyed next.
    void drain() {
        loop_.restart();
        loop_.run_for(kDrainLimit);
        if (!loop_.stopped()) cut_off();
        pool_.stop();
        pool_.join();
    }

    // With the process: every state survives that.
    [[noreturn]] void cut_off() {
        log_.warning("something did not stop in time and is cut off");
        ::_exit(0);
    }

    job::EngineParts parts(db::Store& store, job::PackageCache& cache) {
        const asio::any_io_executor executor = loop_.get_executor();
        return {executor,
                pool_,
                store,
                cache,
                fetcher_,
                log_,
                [executor](const std::string& link) -> std::unique_ptr<job::DevicePort> {
                    // The configuration was checked: the link parses.
                    return std::make_unique<FlasherPort>(executor, *flasher::parse_link_address(link));
                },
                [this, executor](const cloud::CloudConfig& entry, job::Engine& engine) {
                    return cloud::make_cloud(
                        entry, executor, engine, engine,
                        [&engine](const std::string& device) { return engine.version_of(device); },
                        log_sink(log_));
                },
                cloud::check_digest_sign,
                wall_clock_ms,
                [this] { manager_.status(engine_.status_line()); }};
    }

    static api::ServerOptions server_options(const config::Config& config) {
        api::ServerOptions options;
        options.socket = config.daemon.socket;
        return options;
    }

    const config::Config& config_;
    Log& log_;
    asio::io_context loop_{1};
    asio::thread_pool pool_;
    Marks marks_;
    HttpFetcher fetcher_;
    ServiceManager manager_;
    job::Engine engine_;
    api::Server server_;
    asio::signal_set signals_;
    asio::steady_timer stop_limit_;
};

}  // namespace

Result<void> run_daemon(const config::Config& config, Log& log) {
    Result<InstanceLock> lock = InstanceLock::take(config.daemon.state_dir);
    if (!lock) return std::move(lock).error();
    Result<package::Keyring> keys = load_keys(config.trusted_keys);
    if (!keys) return std::move(keys).error();
    Result<db::Store> store = db::Store::open(config.daemon.state_dir / db::kDatabaseFile);
    if (!store) return std::move(store).error();
    job::PackageCache cache(config.daemon.state_dir, *store, std::move(*keys),
                            config.download.size_max_bytes);
    Result<void> prepared = cache.prepare();
    if (!prepared) return prepared;
    Gateway gateway(config, log, *store, cache);
    return gateway.run();
}

}  // namespace mcuota
