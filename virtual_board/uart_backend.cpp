// SPDX-License-Identifier: GPL-2.0-or-later
// Ptys and sockets.

#include "virtual_board/uart_backend.hpp"

#include <arpa/inet.h>
#include <asm/termbits.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace mcuota::board {
namespace {

[[nodiscard]] Failure system_failure(const std::string& what) {
    return {what + ": " + std::strerror(errno), "check the path and its permissions"};
}

/// Owns a descriptor.
class Fd {
  public:
    explicit Fd(int fd = -1) noexcept : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Fd() { reset(); }
    void reset() noexcept {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    explicit operator bool() const noexcept { return fd_ >= 0; }

  private:
    int fd_;
};

class PtyBackend final : public UartBackend {
  public:
    static Outcome<std::unique_ptr<UartBackend>> open(const std::string& path) {
        Fd master(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
        if (!master || ::grantpt(master.get()) != 0 || ::unlockpt(master.get()) != 0)
            return system_failure("cannot open a pseudo terminal");
        std::array<char, 128> name{};
        if (::ptsname_r(master.get(), name.data(), name.size()) != 0)
            return system_failure("cannot name the pseudo terminal");
        // Kept open, so that clients can come and go without the master seeing a hang-up.
        Fd slave(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
        if (!slave) return system_failure(std::string("cannot open ") + name.data());
        struct termios2 mode {};
        if (::ioctl(slave.get(), TCGETS2, &mode) != 0)
            return system_failure("cannot read the terminal's mode");
        mode.c_iflag = 0;
        mode.c_oflag = 0;
        mode.c_lflag = 0;
        mode.c_cflag = CS8 | CREAD | CLOCAL | B115200;
        mode.c_ispeed = mode.c_ospeed = 115200;
        mode.c_cc[VMIN] = 1;
        mode.c_cc[VTIME] = 0;
        if (::ioctl(slave.get(), TCSETS2, &mode) != 0) return system_failure("cannot make the terminal raw");
        Fd watch(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
        if (!watch || ::inotify_add_watch(watch.get(), name.data(), IN_OPEN | IN_CLOSE) < 0)
            return system_failure("cannot watch the pseudo terminal");
        struct stat old {};
        if (::lstat(path.c_str(), &old) == 0) {
            if (!S_ISLNK(old.st_mode))
                return Failure{path + " exists and is not a symbolic link",
                               "choose another path for the pty"};
            ::unlink(path.c_str());
        }
        if (::symlink(name.data(), path.c_str()) != 0) return system_failure("cannot create " + path);
        return std::unique_ptr<UartBackend>(
            new PtyBackend(std::move(master), std::move(slave), std::move(watch), path, name.data()));
    }
    ~PtyBackend() override {
        // Only our own link: another board may have taken the path over.
        std::array<char, 128> target{};
        if (::readlink(path_.c_str(), target.data(), target.size() - 1) > 0 && target_ == target.data())
            ::unlink(path_.c_str());
    }

    void poll_set(std::vector<pollfd>& set) const override {
        set.push_back({master_.get(), POLLIN, 0});
        set.push_back({watch_.get(), POLLIN, 0});
    }
    void update() override {
        alignas(inotify_event) std::array<char, 4096> buffer;
        for (;;) {
            const ssize_t got = ::read(watch_.get(), buffer.data(), buffer.size());
            if (got <= 0) return;
            for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
                inotify_event event;
                std::memcpy(&event, buffer.data() + at, sizeof event);
                at += sizeof event + event.len;
                const bool was = clients_ > 0;
                if (event.mask & IN_OPEN) ++clients_;
                if ((event.mask & IN_CLOSE) && clients_ > 0) --clients_;
                // What an earlier client left unread is not for the next one.
                if (was && clients_ == 0) ::ioctl(slave_.get(), TCFLSH, TCIFLUSH);
            }
        }
    }
    bool connected() const override { return clients_ > 0; }
    std::size_t read(std::span<std::uint8_t> into) override {
        const ssize_t got = ::read(master_.get(), into.data(), into.size());
        return got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    void write(std::span<const std::uint8_t> bytes) override {
        update();
        if (clients_ == 0) {
            dropped_ += bytes.size();
            return;
        }
        const ssize_t done = ::write(master_.get(), bytes.data(), bytes.size());
        const std::size_t sent = done > 0 ? static_cast<std::size_t>(done) : 0;
        dropped_ += bytes.size() - sent;
    }
    std::uint64_t client_baud() const override {
        struct termios2 mode {};
        return ::ioctl(master_.get(), TCGETS2, &mode) == 0 ? mode.c_ospeed : 0;
    }
    std::string address() const override { return "pty:" + path_; }

  private:
    PtyBackend(Fd master, Fd slave, Fd watch, std::string path, std::string target)
        : master_(std::move(master)),
          slave_(std::move(slave)),
          watch_(std::move(watch)),
          path_(std::move(path)),
          target_(std::move(target)) {}
    Fd master_, slave_, watch_;
    std::string path_, target_;
    unsigned clients_{0};
};

class SocketBackend final : public UartBackend {
  public:
    SocketBackend(Fd listener, std::string address, std::string unlink_path)
        : listener_(std::move(listener)),
          address_(std::move(address)),
          unlink_path_(std::move(unlink_path)) {}
    ~SocketBackend() override {
        if (!unlink_path_.empty()) ::unlink(unlink_path_.c_str());
    }

    void poll_set(std::vector<pollfd>& set) const override {
        set.push_back({client_ ? client_.get() : listener_.get(), POLLIN, 0});
    }
    void update() override {
        if (client_) return;
        Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!client) return;
        const int on = 1;
        ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on,
                     sizeof on);  // fails harmlessly on a Unix socket
        client_ = std::move(client);
    }
    bool connected() const override { return static_cast<bool>(client_); }
    std::size_t read(std::span<std::uint8_t> into) override {
        if (!client_ || into.empty()) return 0;
        const ssize_t got = ::recv(client_.get(), into.data(), into.size(), 0);
        if (got > 0) return static_cast<std::size_t>(got);
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) client_.reset();
        return 0;
    }
    void write(std::span<const std::uint8_t> bytes) override {
        std::size_t sent = 0;
        if (client_) {
            const ssize_t done = ::send(client_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (done > 0) sent = static_cast<std::size_t>(done);
            if (done < 0 && errno != EAGAIN && errno != EINTR) client_.reset();
        }
        dropped_ += bytes.size() - sent;
    }
    std::uint64_t client_baud() const override { return 0; }
    std::string address() const override { return address_; }

  private:
    Fd listener_, client_;
    std::string address_, unlink_path_;
};

[[nodiscard]] Outcome<std::unique_ptr<UartBackend>> open_tcp(const std::string& text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size())
        return Failure{"\"" + text + "\" is no TCP port",
                       "use --uart tcp:PORT with a port between 0 and 65535"};
    Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!listener) return system_failure("cannot open a TCP socket");
    const int on = 1;
    ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener.get(), 1) != 0)
        return system_failure("cannot listen on 127.0.0.1:" + text);
    socklen_t length = sizeof address;
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
    return std::unique_ptr<UartBackend>(
        new SocketBackend(std::move(listener), "tcp:" + std::to_string(ntohs(address.sin_port)), {}));
}

}  // namespace

Outcome<int> listen_unix(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return Failure{"\"" + path + "\" is no usable socket path", "use a path of 1 to 107 characters"};
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    struct stat old {};
    if (::lstat(path.c_str(), &old) == 0) {
        if (!S_ISSOCK(old.st_mode))
            return Failure{path + " exists and is not a socket", "choose another path"};
        ::unlink(path.c_str());
    }
    Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!listener) return system_failure("cannot open a socket");
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener.get(), 4) != 0)
        return system_failure("cannot listen on " + path);
    return listener.release();
}

Outcome<std::unique_ptr<UartBackend>> open_uart(const std::string& spec) {
    const std::size_t colon = spec.find(':');
    const std::string kind = spec.substr(0, colon);
    const std::string rest = colon == std::string::npos ? std::string() : spec.substr(colon + 1);
    if (rest.empty() || (kind != "pty" && kind != "unix" && kind != "tcp"))
        return Failure{"\"" + spec + "\" is no serial line", "use pty:PATH, unix:PATH or tcp:PORT"};
    if (kind == "pty") return PtyBackend::open(rest);
    if (kind == "tcp") return open_tcp(rest);
    Outcome<int> listener = listen_unix(rest);
    if (!listener) return listener.failure();
    return std::unique_ptr<UartBackend>(new SocketBackend(Fd(*listener), spec, rest));
}

}  // namespace mcuota::board
