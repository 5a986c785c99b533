// A line over TCP: boards on a network, and serial servers in raw mode.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "mcu_flasher/transport/stream_transport.hpp"

namespace mcuota::flasher {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

asio::awaitable<boost::system::error_code> connect(tcp::socket& socket, const std::string& host,
                                                   std::uint16_t port) {
    tcp::resolver resolver{socket.get_executor()};
    const auto [resolve_error, endpoints] =
        co_await resolver.async_resolve(host, std::to_string(port), kTuple);
    if (resolve_error) co_return resolve_error;
    const auto [error, endpoint] = co_await asio::async_connect(socket, endpoints, kTuple);
    co_return error;
}

}  // namespace

asio::awaitable<Result<std::unique_ptr<Transport>>> open_tcp(asio::any_io_executor executor, std::string host,
                                                             std::uint16_t port, std::uint32_t timeout_ms) {
    using namespace asio::experimental::awaitable_operators;
    const std::string name = "tcp:" + host + ":" + std::to_string(port);
    tcp::socket socket{executor};
    asio::steady_timer timer{executor, std::chrono::milliseconds{timeout_ms}};
    const auto first = co_await (connect(socket, host, port) || timer.async_wait(kTuple));
    boost::system::error_code error = asio::error::timed_out;
    if (first.index() == 0) error = std::get<0>(first);
    if (error)
        co_return Error{ErrorCode::link_open_failed, name + " cannot be reached: " + error.message(),
                        "check address and port, and that the device or serial server listens there"};
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay{true}, ignored);
    std::unique_ptr<Transport> out = std::make_unique<StreamTransport<tcp::socket>>(std::move(socket), name);
    co_return out;
}

}  // namespace mcuota::flasher
