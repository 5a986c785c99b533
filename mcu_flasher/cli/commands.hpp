#pragma once
// The commands of mcuota-flash. Each prints its result and yields the error that decides the exit code.

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <vector>

#include "mcu_flasher/flasher.hpp"

namespace mcuota::flash {

/// What every command takes.
struct Common {
    std::string link;
    std::uint32_t timeout_s{5};
    bool json{false};
};
struct PushOptions {
    std::string file;
    std::vector<std::string> pubkeys;
    bool full{false};
    std::uint32_t install_timeout_s{180};
};
struct SelfTestOptions {
    bool erase_everything{false};  ///< without it nothing is begun
    bool quick{false};             ///< only both ends of large regions
    std::uint32_t seed{0};         ///< 0: a random one
};

using Work = std::function<boost::asio::awaitable<Result<void>>(flasher::Flasher&)>;

/// Opens the link's flasher, runs `work` on a loop of its own and cancels it on SIGINT and SIGTERM.
[[nodiscard]] Result<void> with_device(const Common& common, const flasher::Options& options,
                                       const Work& work);

[[nodiscard]] Result<void> info(const Common& common);
[[nodiscard]] Result<void> push(const Common& common, const PushOptions& options);
[[nodiscard]] Result<void> confirm(const Common& common);
[[nodiscard]] Result<void> rollback(const Common& common, std::uint32_t install_timeout_s);
[[nodiscard]] Result<void> reboot(const Common& common, bool stay_in_loader);
/// When the test failed with --json, its document is printed here, error included: `json` is then taken back.
[[nodiscard]] Result<void> self_test(Common& common, const SelfTestOptions& options);
[[nodiscard]] Result<void> log(const Common& common);
/// Hands the rotation records of a file to the device, in their order.
[[nodiscard]] Result<void> rotate(const Common& common, const std::string& file);

/// A random number for one installation, never 0.
[[nodiscard]] std::uint64_t new_token();

}  // namespace mcuota::flash
