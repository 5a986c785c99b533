// The loop a command runs on, and what Ctrl-C does to it.
#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <optional>
#include <random>

#include "mcu_flasher/cli/commands.hpp"

namespace mcuota::flash {

namespace asio = boost::asio;

Result<void> with_device(const Common& common, const flasher::Options& options, const Work& work) {
    const auto address = flasher::parse_link_address(common.link);
    if (!address) return address.error();
    flasher::Options limits = options;
    limits.connect_timeout_ms = common.timeout_s * 1'000;
    // Whoever grants a device longer to answer grants it for every answer.
    limits.silence_timeout_ms = std::max(limits.silence_timeout_ms, limits.connect_timeout_ms);

    asio::io_context loop{1};
    flasher::Flasher device{loop.get_executor(), *address, limits};
    asio::cancellation_signal cancel;
    asio::signal_set signals{loop, SIGINT, SIGTERM};
    signals.async_wait([&](const boost::system::error_code& error, int) {
        if (!error) cancel.emit(asio::cancellation_type::terminal);
    });
    std::optional<Result<void>> result;
    asio::co_spawn(
        loop, work(device),
        asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr thrown, Result<void> ended) {
            result = thrown ? Result<void>{Error{ErrorCode::cancelled, "stopped by a signal", ""}}
                            : std::move(ended);
            signals.cancel();
            device.close();
        }));
    loop.run();
    return result ? std::move(*result)
                  : Result<void>{Error{ErrorCode::internal, "the loop ended early", "report this"}};
}

std::uint64_t new_token() {
    std::random_device random;
    std::uint64_t token = 0;
    while (token == 0)
        token = std::uint64_t{random()} << 32 | random();
    return token;
}

}  // namespace mcuota::flash
