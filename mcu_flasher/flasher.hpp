#pragma once
// The one door to a device behind a wire: what the daemon and mcuota-flash use. Coroutines on the caller's
// executor; nothing here knows jobs, clouds or databases.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mcu_flasher/base/result.hpp"
#include "mcu_loader/core/link/self_test.hpp"
#include "mcu_loader/core/link/target.hpp"

namespace mcuota::flasher {

/// Where a device is: parsed from "uart:/dev/ttyUSB0[:baud[:address]]" or "tcp:HOST:PORT".
struct LinkAddress {
    enum class Kind : std::uint8_t { uart, tcp } kind{Kind::uart};
    std::string path_or_host;
    std::uint16_t port{0};
    std::uint32_t baud{115200};  ///< speed a session moves to after the hello at 115200
    std::uint8_t address{0};     ///< RS-485 address; 0 point to point
};
[[nodiscard]] Result<LinkAddress> parse_link_address(const std::string& text);
[[nodiscard]] std::string to_string(const LinkAddress& address);

using link::Identity;

/// What a running transfer or installation tells while it goes on.
struct Progress {
    enum class Phase : std::uint8_t {
        connecting,
        preparing,
        sending,
        checking,
        installing,
        trial
    } phase{Phase::connecting};
    std::optional<link::Step> step;  ///< of the installation, when the device tells it
    std::uint64_t bytes{0};          ///< sent and acknowledged, those held from before included
    std::uint64_t bytes_total{0};
    std::uint64_t resumed_from{0};  ///< bytes the device proved to hold already
    std::uint64_t frames_resent{0};
};
using ProgressFn = std::function<void(const Progress&)>;

/// Time limits and tries; the defaults suit a 115200 baud line and typical flash times.
struct Options {
    std::uint32_t connect_timeout_ms{5'000};
    std::uint32_t answer_timeout_ms{1'000};     ///< first wait for an answer; repeated with growth
    std::uint32_t silence_timeout_ms{10'000};   ///< nothing heard at all: device_silent
    std::uint32_t install_timeout_ms{180'000};  ///< from INSTALL until the outcome is known
    bool stay_in_loader{false};
};

/// How an installation or rollback ended, in the device's own words after its reboot.
struct InstallReport {
    Status status{Status::unknown_token};  ///< ok = confirmed
    Identity identity;                     ///< read after the outcome
};

/// One device on one link. One operation at a time. Every operation can be cancelled (asio cancellation) and
/// leaves the device able to continue: a cancelled send is resumed by the next one.
class Flasher {
  public:
    Flasher(boost::asio::any_io_executor executor, LinkAddress address, Options options = {});
    ~Flasher();
    Flasher(Flasher&&) noexcept;
    Flasher& operator=(Flasher&&) noexcept;

    boost::asio::awaitable<Result<Identity>> identify();
    /// Who the device is once it takes an installation. While the image `identity` tells of is on trial it
    /// takes none: then the trial is followed to its end, at most install_timeout_ms. Errors: device_busy
    /// when it goes on, or those of identify().
    boost::asio::awaitable<Result<Identity>> after_trial(Identity identity, ProgressFn progress);
    /// Carries `envelope` (docs/package-format.md §4) into the download region, resuming what the device
    /// holds, and lets the device check it. Done means: FINISH was answered with ok.
    boost::asio::awaitable<Result<void>> send(std::span<const std::uint8_t> envelope, ProgressFn progress);
    /// Asks for the installation of what is staged and follows it through resets until the device tells the
    /// outcome of `token`. May be called again with the same token after a crash: it then only follows.
    boost::asio::awaitable<Result<InstallReport>> install(std::uint64_t token, ProgressFn progress);
    /// Only follows `token` (after a crash of the gateway): outcome unknown_token when the device never heard
    /// of it.
    boost::asio::awaitable<Result<InstallReport>> follow(std::uint64_t token, ProgressFn progress);
    boost::asio::awaitable<Result<void>> confirm();
    boost::asio::awaitable<Result<InstallReport>> rollback(std::uint64_t token, ProgressFn progress);
    /// Hands one key rotation record (docs/package-format.md §6) to the device and yields the generation of
    /// its keys then in force. A record that is in force already is ok again. Refused with key_unknown,
    /// signature_invalid, wrong_state (a record before it is missing, or another one of that generation is in
    /// force), busy, malformed_request or an error of the memory.
    boost::asio::awaitable<Result<std::uint16_t>> rotate(std::span<const std::uint8_t> record);
    /// Runs the self test of the device's port (docs/porting.md): **everything its regions hold is erased**.
    /// `bytes`: how much of each region, 0 all of it (link::SelfTestRequest). `each` sees every answer on the
    /// way. Yields the last answer, passed or failed. Only a loader built with it takes it; any other device
    /// refuses with unknown_request.
    boost::asio::awaitable<Result<link::SelfTestReport>> self_test(
        std::uint32_t seed, std::uint32_t bytes, std::function<void(const link::SelfTestReport&)> each);
    boost::asio::awaitable<Result<void>> reboot(bool stay_in_loader);
    boost::asio::awaitable<Result<std::vector<std::string>>> log();
    /// Closes the port (flushing first); any later call opens it again.
    void close();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace mcuota::flasher
