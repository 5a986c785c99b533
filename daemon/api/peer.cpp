// Peer credentials of Unix sockets and the access rule over them.
#include "daemon/api/peer.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace mcuota::api {
namespace {

bool in_group(const Peer& peer, const std::optional<std::uint32_t>& group) noexcept {
    if (!group) return false;
    return peer.gid == *group ||
           std::find(peer.groups.begin(), peer.groups.end(), *group) != peer.groups.end();
}

Error unknown_peer(const char* call) {
    return Error{
        ErrorCode::permission_denied,
        std::string("the kernel does not say who is asking (") + call + ": " + std::strerror(errno) + ")",
        "report this: it should not happen on Linux 4.13 or newer", 0};
}

}  // namespace

Access access_of(const Peer& peer, const AccessRules& rules) noexcept {
    if (peer.uid == 0 || peer.uid == rules.own_uid || in_group(peer, rules.admin_group))
        return Access::change;
    return in_group(peer, rules.read_group) ? Access::read : Access::none;
}

Result<Peer> peer_of(int socket) {
    ucred credentials{};
    socklen_t length = sizeof credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
        return unknown_peer("SO_PEERCRED");
    Peer peer{credentials.uid, credentials.gid, {}};

    // The kernel tells the size it needs by ERANGE; the groups of a connection never change afterwards.
    peer.groups.resize(32);
    for (;;) {
        length = static_cast<socklen_t>(peer.groups.size() * sizeof(gid_t));
        if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &length) == 0) break;
        if (errno != ERANGE || length / sizeof(gid_t) <= peer.groups.size())
            return unknown_peer("SO_PEERGROUPS");
        peer.groups.resize(length / sizeof(gid_t));
    }
    peer.groups.resize(length / sizeof(gid_t));
    return peer;
}

std::optional<std::uint32_t> group_id(const std::string& name) {
    std::vector<char> room(4096);
    group entry{};
    group* found = nullptr;
    while (getgrnam_r(name.c_str(), &entry, room.data(), room.size(), &found) == ERANGE &&
           room.size() < 1U << 20)
        room.resize(room.size() * 2);
    if (found == nullptr) return std::nullopt;
    return found->gr_gid;
}

std::string user_name(std::uint32_t uid) {
    std::vector<char> room(4096);
    passwd entry{};
    passwd* found = nullptr;
    if (getpwuid_r(uid, &entry, room.data(), room.size(), &found) != 0 || found == nullptr)
        return std::to_string(uid);
    return found->pw_name;
}

}  // namespace mcuota::api
