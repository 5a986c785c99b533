// flock(2) on state_dir/lock.
#include "daemon/instance_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace mcuota {
namespace {

Error unusable(const std::filesystem::path& path, int code) {
    return {
        code == ENOSPC ? ErrorCode::disk_full : ErrorCode::file_unwritable,
        "the state folder cannot be used: " + path.string() + ": " + std::generic_category().message(code),
        "make it belong to the daemon's user, or name another with state_dir in mcuota.toml"};
}

}  // namespace

Result<InstanceLock> InstanceLock::take(const std::filesystem::path& state_dir) {
    std::error_code error;
    std::filesystem::create_directories(state_dir, error);
    if (error) return unusable(state_dir, error.value());
    const std::filesystem::path file = state_dir / "lock";
    const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) return unusable(file, errno);
    InstanceLock lock(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
    if (errno != EWOULDBLOCK) return unusable(file, errno);
    return Error{ErrorCode::wrong_state, "another mcuotad uses the state folder " + state_dir.string(),
                 "stop it first (systemctl stop mcuota), or give this one a state_dir of its own"};
}

InstanceLock::InstanceLock(InstanceLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
InstanceLock::~InstanceLock() {
    if (fd_ >= 0) ::close(fd_);
}

}  // namespace mcuota
