#pragma once
// Why a request of the API is not taken, before anybody looks at what it asks for.

#include <optional>
#include <string>
#include <variant>

#include "daemon/api/handlers.hpp"
#include "daemon/api/peer.hpp"
#include "daemon/api/routes.hpp"
#include "daemon/api/server.hpp"

namespace mcuota::api {

[[nodiscard]] Refusal too_large(std::string what);
[[nodiscard]] Error busy(std::string what);
/// Why somebody with this access may not change things, or not even read them.
[[nodiscard]] Error forbidden(Access access, const ServerOptions& options);
/// Why a request that was understood is refused: rights before everything else.
[[nodiscard]] std::optional<Reply> refusal_of(const std::variant<Route, Refusal>& routed, Access access,
                                              const ServerOptions& options);

}  // namespace mcuota::api
