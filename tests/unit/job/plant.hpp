#pragma once
// A gateway without a gateway: the real engine, store and package cache around a device, a web server and a
// cloud that do as the test says. A kill is a copy of the state folder taken at that instant.

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/job/engine.hpp"
#include "mcu_flasher/package/builder.hpp"
#include "tests/unit/db/store_fixture.hpp"

namespace mcuota::job {

/// A microcontroller: lives through kills of the gateway.
struct FakeDevice {
    std::string hardware{"stm32f429-demo"};
    std::string version{"1.0.0"};
    Sha256Digest running{};
    std::uint8_t running_state{1};
    std::string backup_version;  ///< empty: it holds no backup
    Sha256Digest backup{};
    std::vector<std::uint8_t> staged;
    std::map<std::uint64_t, Status> outcomes;  ///< installations it has accepted
    unsigned rollbacks{0};                     ///< how often it was really asked to go back
    unsigned installs{0};                      ///< how often an image was really installed
    // What the test wants of it:
    std::vector<Error> identify_errors, send_errors, install_errors,
        follow_errors;                   ///< one each time, first first
    bool backup_damaged{false};          ///< and it says so when it is asked who it is
    bool backup_breaks{false};           ///< found damaged when it is wanted
    std::optional<Status> install_ends;  ///< instead of ok; the old image then runs again
    std::map<PayloadKind, Status> refuses_at_finish, refuses_in_rehearsal;  ///< kinds it will not have
    std::function<void()> on_refusal;                                       ///< called at each of them
    std::uint16_t key_generation{0};
    KeyId key_current{};  ///< zeros: it does not tell
    std::optional<Error> refuses_rotation;
    std::vector<std::vector<std::uint8_t>> rotations;                ///< records it was given, in order
    std::vector<PayloadKind> sent;                                   ///< what it was sent, in order
    bool hang_identify{false}, hang_send{false}, hang_trial{false};  ///< never ends by itself
    bool deaf_to_install{false};                                     ///< INSTALL never arrives
    unsigned asked{0};                                               ///< times identified
};

/// What a cloud was told and asked.
struct FakeCloudLog {
    std::vector<cloud::Report> encoded;
    std::vector<std::string> offers_requested;
};

class Plant {
  public:
    explicit Plant(const std::string& extra_config = "");
    ~Plant();
    Plant(const Plant&) = delete;
    Plant& operator=(const Plant&) = delete;

    void start();
    /// Clean stop, as by SIGTERM; checks that it takes no longer than 2 s.
    void stop();
    /// kill -9: the next start finds the files as they are now.
    void kill();
    /// Runs the loop until `met`; false after `limit_ms` of nothing.
    bool until(const std::function<bool()>& met, int limit_ms = 5'000);
    bool until_state(std::int64_t id, db::JobState state);
    [[nodiscard]] db::JobRecord job(std::int64_t id);
    [[nodiscard]] std::vector<std::string> life(std::int64_t id);
    /// Messages waiting for the cloud: "failure 2.0.0", "version 1.0.0", "progress 30".
    [[nodiscard]] std::vector<std::string> told();

    /// How many lines of the log hold `text`, since the last start().
    [[nodiscard]] std::size_t logged(const std::string& text);

    /// A push of the package as the cloud would send it.
    cloud::Offer offer(const std::string& version = "2.0.0", const std::string& url = "https://x/p?sig=1");
    /// Uploads and installs the package as `mcuota install` would.
    Result<std::vector<api::InstallView>> install_local(bool dry_run = false);
    template <class T>
    Result<T> wait_for(boost::asio::awaitable<Result<T>> work);

    FakeDevice device;
    FakeDevice neighbour;
    FakeCloudLog cloud_log;
    std::vector<Error> fetch_errors;  ///< one each time, first first
    bool hang_fetch{false};
    std::vector<std::uint8_t> package_file;  ///< what the web server serves
    unsigned fetches{0};
    Sha256Digest image_sha256{};
    std::uint32_t pages_max{0};
    std::int64_t look_again_ms{kLookAgain_ms};  ///< before start(): how long an idle device is left alone

    void make_package(const std::string& version, const std::string& hardware = "stm32f429-demo");
    /// Puts a payload of `bytes` bytes (of no meaning: this device does not decode) into the package, for
    /// deltas from the image the device runs.
    void add_payload(PayloadKind kind, std::size_t bytes);
    /// The package requires that device to run the version or a newer one.
    void add_requirement(const std::string& name, const std::string& version);
    /// A key rotation record in the package (nobody here checks its signature).
    void add_rotation(std::uint16_t generation);
    [[nodiscard]] KeyId key_id() const { return signer_->key_id(); }
    /// A second device beside pump-1: `neighbour`. Before start().
    void add_neighbour(const std::string& name, const std::string& hardware);
    config::Config& config() { return config_; }
    package::KeySigner& signer() { return *signer_; }

    std::unique_ptr<boost::asio::io_context> loop;
    std::unique_ptr<db::Store> store;
    std::unique_ptr<Engine> engine;

  private:
    struct Running;
    void sign_again();
    db::TempFolder folder_;
    std::filesystem::path state_;
    int generation_{0};
    config::Config config_;
    std::unique_ptr<package::KeySigner> signer_;
    package::Package package_;
    std::string public_pem_;
    std::unique_ptr<Running> running_;
};

template <class T>
Result<T> Plant::wait_for(boost::asio::awaitable<Result<T>> work) {
    std::optional<Result<T>> answer;
    const auto keep = [](boost::asio::awaitable<Result<T>> asked,
                         std::optional<Result<T>>& out) -> boost::asio::awaitable<void> {
        out.emplace(co_await std::move(asked));
    };
    boost::asio::co_spawn(*loop, keep(std::move(work), answer), boost::asio::detached);
    if (!until([&] { return answer.has_value(); })) return Error{ErrorCode::deadline_passed, "no answer", ""};
    return std::move(*answer);
}

}  // namespace mcuota::job
