// Refusals in words.
#include "daemon/api/refusals.hpp"

#include <utility>

namespace mcuota::api {

Refusal too_large(std::string what) {
    return Refusal{413, Error{ErrorCode::usage, std::move(what), "send less", 0}, {}};
}

Error forbidden(Access access, const ServerOptions& options) {
    if (access == Access::none)
        return Error{ErrorCode::permission_denied,
                     "reading needs membership of the group " + options.read_group,
                     "join it and log in again: sudo adduser $USER " + options.read_group, 0};
    return Error{ErrorCode::permission_denied,
                 "changing things needs root or the group " + options.admin_group,
                 "use sudo, or join it and log in again: sudo adduser $USER " + options.admin_group, 0};
}

Error busy(std::string what) {
    return Error{ErrorCode::deadline_passed, std::move(what), "try again in a moment", 0};
}

std::optional<Reply> refusal_of(const std::variant<Route, Refusal>& routed, Access access,
                                const ServerOptions& options) {
    if (access == Access::none) return reply_for(forbidden(access, options));
    if (const auto* refusal = std::get_if<Refusal>(&routed)) return reply_for(*refusal);
    if (std::get<Route>(routed).changes() && access != Access::change)
        return reply_for(forbidden(access, options));
    return std::nullopt;
}

}  // namespace mcuota::api
