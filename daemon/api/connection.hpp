#pragma once
// One client of the API: its stream, who it is, and what it listens for. For server.cpp.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "daemon/api/event_queue.hpp"
#include "daemon/api/peer.hpp"

namespace mcuota::api {

using Protocol = boost::asio::local::stream_protocol;
using Stream = boost::beast::basic_stream<Protocol, boost::asio::any_io_executor>;

constexpr std::size_t kEventThingsMax = 1024;  ///< things one listener may be told about at once

struct Connection {
    explicit Connection(Stream taken, std::size_t buffer_bytes_max)
        : stream(std::move(taken)), buffer(buffer_bytes_max), wake(stream.get_executor()) {}

    Stream stream;
    boost::beast::flat_buffer buffer;
    Peer peer;
    Access access{Access::none};
    bool between_requests{true};
    std::chrono::steady_clock::time_point since{std::chrono::steady_clock::now()};

    // Event streams only.
    bool listening{false};
    bool closed{false};
    std::vector<std::int64_t> only;
    EventQueue events{kEventThingsMax};
    boost::asio::steady_timer wake;

    void close() {
        closed = true;
        wake.cancel();
        stream.close();
    }
};
using ConnectionPtr = std::shared_ptr<Connection>;

}  // namespace mcuota::api
