// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// A memory of the device that can tell whether anybody looks into a part of it: the host's page protection
// sees the loads of executed code, the models and the proof itself alike. It does not see the execution of
// code that the engine has translated before.

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mcuota::board {

class WatchedMemory {
  public:
    explicit WatchedMemory(std::span<const std::uint8_t> content);
    ~WatchedMemory();
    WatchedMemory(const WatchedMemory&) = delete;
    WatchedMemory& operator=(const WatchedMemory&) = delete;

    [[nodiscard]] std::span<std::uint8_t> bytes() const noexcept { return bytes_; }

    /// From now on the first access to [begin, begin + size_bytes), whole pages of the host, is noticed. Only
    /// one part of one memory of the process is watched. False: the host does not do it.
    [[nodiscard]] bool watch(std::size_t begin, std::size_t size_bytes);
    /// Accesses are not noticed until resume().
    void pause();
    void resume();
    /// The part has been accessed since watch(). It is not protected any more then.
    [[nodiscard]] bool accessed() const noexcept { return accessed_ != 0; }

  private:
    static void fault(int number, ::siginfo_t* info, void* context);
    [[nodiscard]] bool protect(bool closed);

    std::span<std::uint8_t> bytes_;
    std::span<std::uint8_t> part_;
    volatile std::sig_atomic_t accessed_{0};
    static WatchedMemory* watched_;
    static struct ::sigaction before_;  ///< who took faults before
};

}  // namespace mcuota::board
