// Binds the API's Unix socket.
#include "daemon/api/socket_file.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace mcuota::api {
namespace {

constexpr mode_t kMode = 0660;
constexpr const char* kNewSuffix = ".new";

Error cannot_listen(const std::filesystem::path& path, const std::string& why) {
    return Error{ErrorCode::config_invalid, "cannot listen on " + path.string() + ": " + why,
                 "check [daemon] socket in mcuota.toml and the rights on its directory", 0};
}

Result<sockaddr_un> address_of(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string text = path.string();
    if (text.size() >= sizeof address.sun_path)
        return cannot_listen(path, "a socket path has at most " +
                                       std::to_string(sizeof address.sun_path - 1 - std::strlen(kNewSuffix)) +
                                       " bytes");
    std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
    return address;
}

const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

/// What stands at `path` now may be replaced: nothing, or a socket nobody answers on.
Result<void> may_replace(const std::filesystem::path& path, const sockaddr_un& address) {
    struct stat there {};
    if (::lstat(path.c_str(), &there) != 0) {
        if (errno == ENOENT) return {};
        return cannot_listen(path, std::strerror(errno));
    }
    if (!S_ISSOCK(there.st_mode)) return cannot_listen(path, "something else than a socket stands there");
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) return cannot_listen(path, std::strerror(errno));
    const int connected = ::connect(probe, generic(address), sizeof address);
    const int problem = errno;
    ::close(probe);
    // EAGAIN: a living listener whose queue is full.
    if (connected == 0 || problem == EAGAIN)
        return Error{ErrorCode::wrong_state, "another process already answers on " + path.string(),
                     "stop it first: systemctl stop mcuota", 0};
    return {};
}

}  // namespace

Result<SocketFile> SocketFile::listen(const std::filesystem::path& path, std::optional<std::uint32_t> group) {
    const std::filesystem::path fresh = path.string() + kNewSuffix;
    const auto address = address_of(path);
    if (!address) return address.error();
    const auto fresh_address = address_of(fresh);
    if (!fresh_address) return fresh_address.error();
    if (auto free = may_replace(path, *address); !free) return std::move(free).error();

    SocketFile out;
    out.descriptor_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (out.descriptor_ < 0) return cannot_listen(path, std::strerror(errno));
    // Made under a name nobody uses, given its rights, then moved into place: whoever finds it finds it
    // ready.
    ::unlink(fresh.c_str());
    if (::fchmod(out.descriptor_, kMode) != 0 ||
        ::bind(out.descriptor_, generic(*fresh_address), sizeof *fresh_address) != 0)
        return cannot_listen(path, std::strerror(errno));
    out.path_ = fresh;
    struct stat made {};
    if (::lstat(fresh.c_str(), &made) != 0) return cannot_listen(path, std::strerror(errno));
    out.device_ = made.st_dev;
    out.inode_ = made.st_ino;
    // Without the right to give the socket to the group only root and the daemon's own account reach it:
    // safe.
    if (group && made.st_gid != *group && ::lchown(fresh.c_str(), static_cast<uid_t>(-1), *group) != 0 &&
        errno != EPERM && errno != EINVAL)
        return cannot_listen(path, std::strerror(errno));
    if (::chmod(fresh.c_str(), kMode) != 0 || ::listen(out.descriptor_, SOMAXCONN) != 0 ||
        ::rename(fresh.c_str(), path.c_str()) != 0)
        return cannot_listen(path, std::strerror(errno));
    out.path_ = path;
    return out;
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      descriptor_(std::exchange(other.descriptor_, -1)),
      device_(other.device_),
      inode_(other.inode_) {}

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(device_, other.device_);
    std::swap(inode_, other.inode_);
    return *this;
}

SocketFile::~SocketFile() {
    remove();
    if (descriptor_ >= 0) ::close(descriptor_);
}

int SocketFile::release_descriptor() noexcept {
    return std::exchange(descriptor_, -1);
}

void SocketFile::remove() noexcept {
    if (path_.empty()) return;
    struct stat there {};
    if (::lstat(path_.c_str(), &there) == 0 && there.st_dev == device_ && there.st_ino == inode_)
        ::unlink(path_.c_str());
    path_.clear();
}

}  // namespace mcuota::api
