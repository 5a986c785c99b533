#pragma once
// The socket's place in the file system: bound without a moment of wrong permissions, a stale one replaced, a
// living one respected.

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>

#include "mcu_flasher/base/result.hpp"

namespace mcuota::api {

/// A listening Unix socket and its file. Owns both: the file is removed only while it is still this socket's.
class SocketFile {
  public:
    /// Listens at `path` with mode 0660 and, where permitted, `group`. Refuses (wrong_state) when a process
    /// answers there already, and (config_invalid) when the path is too long or something else than a socket
    /// stands there.
    [[nodiscard]] static Result<SocketFile> listen(const std::filesystem::path& path,
                                                   std::optional<std::uint32_t> group);
    SocketFile(SocketFile&& other) noexcept;
    SocketFile& operator=(SocketFile&& other) noexcept;
    ~SocketFile();

    /// Gives the descriptor away (non-blocking, close-on-exec); the file stays owned.
    [[nodiscard]] int release_descriptor() noexcept;
    /// Removes the file if it is still ours.
    void remove() noexcept;

  private:
    SocketFile() = default;
    std::filesystem::path path_;
    int descriptor_{-1};
    dev_t device_{0};
    ino_t inode_{0};
};

}  // namespace mcuota::api
