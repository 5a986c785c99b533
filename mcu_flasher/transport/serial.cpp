// Serial ports at any speed the driver knows, and ptys. Speeds go through termios2: the classic interface,
// and with it Asio's own serial port, knows only a fixed list.
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>

#include "mcu_flasher/transport/stream_transport.hpp"

namespace mcuota::flasher {

namespace asio = boost::asio;

namespace {

constexpr int kFlushOutput = 1;  // TCOFLUSH; <termios.h> cannot be included beside <asm/termbits.h>
constexpr int kFlushBoth = 2;    // TCIOFLUSH

/// Closes unless released.
class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) (void)::close(fd_);
    }
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

  private:
    int fd_;
};

Error open_error(const std::string& path, int error) {
    const std::string what = "the serial port " + path + " cannot be opened: " + std::strerror(error);
    switch (error) {
        case ENOENT:
        case ENXIO:
        case ENODEV:
            return {ErrorCode::link_open_failed, what,
                    "plug it in; ls /dev/serial/by-id shows what is there"};
        case EACCES:
        case EPERM:
            return {ErrorCode::link_open_failed, what,
                    "join the group dialout: adduser $USER dialout, then log in again"};
        case EBUSY:
        case EWOULDBLOCK:
            return {ErrorCode::link_open_failed, "the serial port " + path + " is in use by another program",
                    "stop the other program (fuser " + path +
                        " names it); mcuotad holds the ports of its devices"};
        case ENOTTY:
            return {ErrorCode::link_open_failed, path + " is not a serial port", "give a serial port's path"};
        default:
            return {ErrorCode::link_open_failed, what, "check the port"};
    }
}

int apply_speed(int fd, std::uint32_t baud) {
    termios2 settings{};
    if (::ioctl(fd, TCGETS2, &settings) != 0) return errno;
    settings.c_iflag = 0;
    settings.c_oflag = 0;
    settings.c_lflag = 0;
    settings.c_cflag = CS8 | CREAD | CLOCAL | BOTHER | (BOTHER << IBSHIFT);
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    settings.c_ispeed = baud;
    settings.c_ospeed = baud;
    return ::ioctl(fd, TCSETS2, &settings) == 0 ? 0 : errno;
}

class SerialTransport final : public StreamTransport<asio::posix::stream_descriptor> {
  public:
    using StreamTransport::StreamTransport;
    ~SerialTransport() override { SerialTransport::close(); }

    Result<void> set_baud(std::uint32_t baud) override {
        state_->drop_output();
        const int fd = state_->stream.native_handle();
        (void)::ioctl(fd, TCFLSH, kFlushOutput);
        if (const int error = apply_speed(fd, baud); error != 0)
            return Error{
                ErrorCode::link_lost,
                state_->name + " cannot be set to " + std::to_string(baud) + " baud: " + std::strerror(error),
                "check the port, or choose another speed"};
        return {};
    }

    // close() of a tty waits up to 30 s for output that nobody takes, unless it is thrown away before.
    void close() override {
        if (state_->closed) return;
        (void)::ioctl(state_->stream.native_handle(), TCFLSH, kFlushOutput);
        shut();
    }
};

}  // namespace

Result<std::unique_ptr<Transport>> open_serial(asio::any_io_executor executor, const std::string& path,
                                               std::uint32_t baud) {
    Descriptor fd{::open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)};
    if (fd.get() < 0) return open_error(path, errno);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return open_error(path, errno);
    if (const int error = apply_speed(fd.get(), baud); error != 0) return open_error(path, error);
    (void)::ioctl(fd.get(),
                  TIOCEXCL);  // not every driver knows it; the lock above is what our own programs obey
    (void)::ioctl(fd.get(), TCFLSH, kFlushBoth);
    asio::posix::stream_descriptor stream{executor};
    boost::system::error_code error;
    stream.assign(fd.get(), error);
    if (error) return open_error(path, error.value());
    (void)fd.release();
    std::unique_ptr<Transport> out = std::make_unique<SerialTransport>(std::move(stream), path);
    return out;
}

}  // namespace mcuota::flasher
