#pragma once
// One daemon for one state folder: a lock the kernel drops when the process ends, however it ends.

#include <filesystem>

#include "mcu_flasher/base/result.hpp"

namespace mcuota {

class InstanceLock {
  public:
    /// Makes the folder if it is missing. Errors: wrong_state when another process holds the lock;
    /// file_unwritable.
    [[nodiscard]] static Result<InstanceLock> take(const std::filesystem::path& state_dir);
    InstanceLock(InstanceLock&& other) noexcept;
    InstanceLock& operator=(InstanceLock&&) = delete;
    InstanceLock(const InstanceLock&) = delete;
    InstanceLock& operator=(const InstanceLock&) = delete;
    ~InstanceLock();

  private:
    explicit InstanceLock(int fd) : fd_(fd) {}
    int fd_;
};

}  // namespace mcuota
