#pragma once
// Who is at the other end of the Unix socket, and what that person may do. The kernel vouches for it.
//
// Needs the daemon's own view of users: inside a user namespace (systemd PrivateUsers=yes) every other
// person's groups read as "nobody" and only root could change anything.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mcu_flasher/base/result.hpp"

namespace mcuota::api {

/// Credentials of a connected process at the time it connected.
struct Peer {
    std::uint32_t uid{0};
    std::uint32_t gid{0};
    std::vector<std::uint32_t> groups;  ///< supplementary
};

enum class Access : std::uint8_t { none = 0, read = 1, change = 2 };

/// Who may do what.
struct AccessRules {
    std::uint32_t own_uid{0};                  ///< the daemon's own account may change, too
    std::optional<std::uint32_t> read_group;   ///< nullopt: the group does not exist here
    std::optional<std::uint32_t> admin_group;  ///< its members read and change
};

/// Root, the daemon's own account and the admin group change; the read group reads; nobody else does
/// anything.
[[nodiscard]] Access access_of(const Peer& peer, const AccessRules& rules) noexcept;

/// SO_PEERCRED and SO_PEERGROUPS of a connected socket.
[[nodiscard]] Result<Peer> peer_of(int socket);

[[nodiscard]] std::optional<std::uint32_t> group_id(const std::string& name);
/// Account name, or the number as text.
[[nodiscard]] std::string user_name(std::uint32_t uid);

}  // namespace mcuota::api
