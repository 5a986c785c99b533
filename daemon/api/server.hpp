#pragma once
// The HTTP+JSON API on the Unix socket. One thread: everything runs on the executor it is given (of a
// single-threaded io_context, the backend's own); files are written on the pool.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "daemon/api/backend.hpp"
#include "mcu_flasher/base/result.hpp"

namespace mcuota::api {

struct ServerOptions {
    std::filesystem::path socket{"/run/mcuota/api.sock"};
    std::string read_group{"mcuota"};         ///< its members read
    std::string admin_group{"mcuota-admin"};  ///< its members read and change
    std::size_t connections_max{64};          ///< beyond it the longest idle one is closed
    std::size_t event_streams_max{32};
    std::size_t uploads_max{2};
    std::uint32_t header_bytes_max{8U << 10};
    std::uint64_t body_bytes_max{64U << 10};  ///< JSON bodies
    std::uint32_t idle_timeout_ms{60'000};    ///< between requests of one connection
    std::uint32_t request_timeout_ms{
        10'000};                             ///< from a request's first byte to the end of its header or body
    std::uint32_t stall_timeout_ms{30'000};  ///< an upload or a reader of events that does not move
};

/// Serves until stop(). What is being answered when it stops is cut off; clients see a closed connection.
class Server {
  public:
    Server(boost::asio::any_io_executor executor, boost::asio::thread_pool& pool, Backend& backend,
           ServerOptions options = {});
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Listens and starts serving. Errors as of SocketFile::listen.
    [[nodiscard]] Result<void> start();
    /// Closes every connection and removes the socket; idempotent. The backend must outlive the executor's
    /// last handler.
    void stop();
    [[nodiscard]] std::size_t connections() const noexcept;

  private:
    struct Core;
    std::shared_ptr<Core> core_;
};

}  // namespace mcuota::api
