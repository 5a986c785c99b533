#pragma once
// A device on a real file descriptor (a pty's master, a socket), run by a thread of its own: the link server
// of the firmware over the fake target of the simulation.

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "tests/unit/link/sim.hpp"

namespace mcuota::sim {

class FdLine final : public link::Line {
  public:
    explicit FdLine(int fd) : fd_(fd) {}
    std::size_t receive(std::span<std::uint8_t> out) noexcept override {
        const ssize_t got = ::read(fd_, out.data(), out.size());
        return got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    std::size_t send(std::span<const std::uint8_t> bytes) noexcept override {
        const ssize_t put = ::write(fd_, bytes.data(), bytes.size());
        return put > 0 ? static_cast<std::size_t>(put) : 0;
    }
    bool sent() noexcept override { return true; }
    void set_baud(std::uint32_t) noexcept override {}

  private:
    int fd_;
};

/// Serves `fd` (and closes it) from start() to stop(). `target` belongs to the thread in between.
class FdDevice {
  public:
    explicit FdDevice(int fd) : fd_(fd) { (void)::fcntl(fd, F_SETFL, O_NONBLOCK); }
    FdDevice(const FdDevice&) = delete;
    FdDevice& operator=(const FdDevice&) = delete;
    ~FdDevice() {
        stop();
        hang_up();
    }

    void start() {
        running_ = true;
        thread_ = std::thread{[this] { serve(); }};
    }
    void stop() {
        running_ = false;
        if (thread_.joinable()) thread_.join();
    }
    void hang_up() {
        if (fd_ >= 0) (void)::close(std::exchange(fd_, -1));
    }

    FakeTarget target;
    /// Called in the thread after every poll of the server; may ask for the end by returning false.
    std::function<bool()> after_poll;

  private:
    void serve() {
        const auto begin = std::chrono::steady_clock::now();
        FdLine line{fd_};
        Bytes window(16 * link::kChunkBytes);
        std::unique_ptr<link::LinkServer> server;
        while (running_) {
            if (!server || target.reset_wanted) {
                target.reset_wanted = false;
                server = std::make_unique<link::LinkServer>(line, target, link::LinkServerConfig{}, window);
            }
            const auto past = std::chrono::steady_clock::now() - begin;
            const auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(past).count();
            const bool worked = server->poll(static_cast<std::uint32_t>(now_ms));
            if (after_poll && !after_poll()) return;
            if (worked) continue;
            pollfd set{fd_, POLLIN, 0};
            (void)::poll(&set, 1, 1);
        }
    }

    int fd_;
    std::atomic<bool> running_{false};
    std::thread thread_;
};

/// A new pty; the master's descriptor and the slave's path.
struct Pty {
    Pty() : master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
        (void)::grantpt(master);
        (void)::unlockpt(master);
        std::array<char, 64> name{};
        (void)::ptsname_r(master, name.data(), name.size());
        path = name.data();
    }
    int master;
    std::string path;
};

}  // namespace mcuota::sim
