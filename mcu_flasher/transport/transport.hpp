#pragma once
// Bytes to and from a device: serial ports (ptys included) and TCP, as Asio shells without any knowledge of
// the protocol.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "mcu_flasher/flasher.hpp"

namespace mcuota::flasher {

/// An open line. All calls on the executor it was opened with (a strand, or a single-threaded loop); on_event
/// is called there.
class Transport {
  public:
    virtual ~Transport() = default;
    /// Starts reading. `on_event` says: look at take() and failure(). Never called from inside another call.
    virtual void start(std::function<void()> on_event) = 0;
    /// Queues bytes; never waits.
    virtual void write(std::span<const std::uint8_t> bytes) = 0;
    /// Forgets what is queued and sends the rest at `baud`. Lines without a speed ignore it.
    virtual Result<void> set_baud(std::uint32_t baud) = 0;
    /// Everything received since the last call.
    [[nodiscard]] virtual std::vector<std::uint8_t> take() = 0;
    /// Why the line is gone, once it is: link_lost.
    [[nodiscard]] virtual const std::optional<Error>& failure() const = 0;
    /// Drops unsent output and closes, without waiting for the line. Idempotent.
    virtual void close() = 0;
};

/// Opens the port raw, 8N1, without flow control, at `baud`, and locks it against other programs.
/// link_open_failed with what helps.
[[nodiscard]] Result<std::unique_ptr<Transport>> open_serial(boost::asio::any_io_executor executor,
                                                             const std::string& path, std::uint32_t baud);

/// Connects within `timeout_ms`; link_open_failed otherwise. Ends early when cancelled.
boost::asio::awaitable<Result<std::unique_ptr<Transport>>> open_tcp(boost::asio::any_io_executor executor,
                                                                    std::string host, std::uint16_t port,
                                                                    std::uint32_t timeout_ms);

}  // namespace mcuota::flasher
