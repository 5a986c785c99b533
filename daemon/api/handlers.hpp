#pragma once
// Answers requests from the backend: a route and a JSON body in, a status and JSON text out. Knows neither
// HTTP framing nor sockets; uploads and event streams, which are no plain answers, live in the server.

#include <boost/asio/awaitable.hpp>
#include <string>

#include "daemon/api/backend.hpp"
#include "daemon/api/routes.hpp"

namespace mcuota::api {

/// An HTTP answer: JSON text (ending in a line break) and status.
struct Reply {
    int http_status{200};
    std::string body;
    std::string allow;  ///< for 405
};

[[nodiscard]] Reply reply_for(const Error& error);
[[nodiscard]] Reply reply_for(const Refusal& refusal);
[[nodiscard]] Reply reply_for(const PackageView& package);

/// Serves every action but upload and events. Never throws.
boost::asio::awaitable<Reply> answer(Backend& backend, Route route, std::string body, Caller caller);

}  // namespace mcuota::api
