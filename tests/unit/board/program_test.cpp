// The program from outside: boards are started as processes and talked to over their sockets and ptys.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/unit/board/temp_dir.hpp"
#include "tests/unit/board/thumb.hpp"

using namespace mcuota::board;
using mcuota::board::test::TempDir;
using mcuota::board::test::Thumb;

namespace {

using Wall = std::chrono::steady_clock;

/// A running mcuota-board. Standard output is read line by line.
class Process {
  public:
    explicit Process(std::vector<std::string> arguments) {
        int pipe_ends[2];
        REQUIRE(::pipe2(pipe_ends, O_CLOEXEC) == 0);
        arguments.insert(arguments.begin(), {MCUOTA_BOARD_PROGRAM, "run"});
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(pipe_ends[1], 1);
            std::vector<char*> argv;
            argv.reserve(arguments.size() + 1);
            for (std::string& argument : arguments)
                argv.push_back(argument.data());
            argv.push_back(nullptr);
            ::execv(argv[0], argv.data());
            ::_exit(127);
        }
        ::close(pipe_ends[1]);
        out_ = pipe_ends[0];
    }
    ~Process() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        ::close(out_);
    }
    /// Waits for an event line that contains `text`.
    bool expect(const std::string& text) {
        for (;;) {
            const auto end = lines_.find('\n');
            if (end != std::string::npos) {
                const std::string line = lines_.substr(0, end);
                lines_.erase(0, end + 1);
                if (line.find(text) != std::string::npos) return true;
                continue;
            }
            pollfd wait{out_, POLLIN, 0};
            char buffer[4096];
            if (::poll(&wait, 1, 20'000) <= 0) return false;
            const ssize_t got = ::read(out_, buffer, sizeof buffer);
            if (got <= 0) return false;
            lines_.append(buffer, static_cast<std::size_t>(got));
        }
    }
    int end(int signal) {
        ::kill(pid_, signal);
        return wait();
    }
    int wait() {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

  private:
    pid_t pid_{-1};
    int out_{-1};
    std::string lines_;
};

class Client {
  public:
    explicit Client(int fd) : fd_(fd) { REQUIRE(fd >= 0); }
    ~Client() { ::close(fd_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    static int unix_socket(const std::string& path) {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
        ::close(fd);
        return -1;
    }
    static int pty(const std::string& path, speed_t speed) {
        const int fd = ::open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
        termios mode{};
        ::tcgetattr(fd, &mode);
        ::cfmakeraw(&mode);
        ::cfsetspeed(&mode, speed);
        ::tcsetattr(fd, TCSANOW, &mode);
        return fd;
    }
    void send(const std::string& text) {
        REQUIRE(::write(fd_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    /// Reads until `bytes` are there; gives up after twenty seconds without a byte.
    std::string receive(std::size_t bytes) {
        std::string in;
        while (in.size() < bytes && more(in, 20'000)) {
        }
        return in;
    }
    std::string line() {
        std::string in;
        while (in.find('\n') == std::string::npos && more(in, 20'000)) {
        }
        return in;
    }
    bool more(std::string& in, int timeout_ms) {
        pollfd wait{fd_, POLLIN, 0};
        if (::poll(&wait, 1, timeout_ms) <= 0) return false;
        char buffer[4096];
        const ssize_t got = ::read(fd_, buffer, sizeof buffer);
        if (got <= 0) return false;
        in.append(buffer, static_cast<std::size_t>(got));
        return true;
    }

  private:
    int fd_;
};

/// Firmware that echoes USART1 by interrupts at 115200 and sleeps otherwise; a '!' resets the MCU.
std::string echo_firmware(const TempDir& dir) {
    constexpr std::uint32_t kUsart1 = 0x4001'1000;
    Thumb handler;
    handler.mov(0, kUsart1).ldr(1, 0).ldr(1, 0, 4).str(1, 0, 4).cmp(1, '!').raw({0xD109});  // BNE over 11
                                                                                            // halfwords
    handler.poke(0xE000'ED0C, 0x05FA'0004).raw({0xF3BF, 0x8F6F});
    Thumb program;
    program.poke(0x4002'3830, 1u << 20 | 1).poke(0x4002'3844, 1u << 4);
    program.poke(0x4002'0000, 0xA800'0000 | 2u << 18 | 2u << 20).poke(0x4002'0024, 7u << 4 | 7u << 8);
    program.poke(kUsart1 + 8, 139).poke(kUsart1 + 0xC, 0x202C).poke(0xE000'E104, 1u << 5);
    // A word of sector 5 is programmed once at every start.
    program.poke(0x4002'3C04, 0x4567'0123).poke(0x4002'3C04, 0xCDEF'89AB).poke(0x4002'3C10, 0x201);
    program.poke(0x0802'0000, 0x600D'F00D).poke(0x4002'3C10, 0x8000'0000);
    const auto loop = program.here();
    program.wfi().b(loop);
    handler.ret();
    std::vector<std::uint8_t> image(0x800, 0xFF);
    const auto put = [&](std::size_t at, const Thumb& code) {
        std::memcpy(image.data() + at, code.code().data(), 2 * code.code().size());
    };
    const auto vector = [&](std::size_t number, std::uint32_t value) {
        std::memcpy(image.data() + 4 * number, &value, 4);
    };
    vector(0, 0x2002'0000);
    vector(1, 0x0800'0401);
    vector(16 + 37, 0x0800'0601);
    put(0x400, program);
    put(0x600, handler);
    const std::string path = dir / "echo.bin";
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(image.data()), static_cast<std::streamsize>(image.size()));
    return path;
}

std::vector<std::string> arguments(const TempDir& dir, std::vector<std::string> more) {
    std::vector<std::string> all{"--flash", dir / "flash.img", "--nor", dir / "nor.img", "--json"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

}  // namespace

TEST_CASE("a board echoes over a Unix socket, to one client after the other", "[board][program]") {
    const std::string speed = GENERATE("max", "real");
    TempDir dir;
    Process board(
        arguments(dir, {"--load", echo_firmware(dir), "--uart", "unix:" + dir / "uart", "--speed", speed}));
    REQUIRE(board.expect("\"event\":\"reset\",\"cause\":\"power\""));
    for (int i = 0; i < 3; ++i) {
        Client client(Client::unix_socket(dir / "uart"));
        client.send("echo this, board");
        CHECK(client.receive(16) == "echo this, board");
    }
    CHECK(board.end(SIGTERM) == 0);
    CHECK(board.expect("\"event\":\"stopped\""));
    CHECK_FALSE(std::filesystem::exists(dir / "uart"));
}

TEST_CASE("at real speed a byte takes its time on the line", "[board][program]") {
    TempDir dir;
    Process board(
        arguments(dir, {"--load", echo_firmware(dir), "--uart", "unix:" + dir / "uart", "--speed", "real"}));
    REQUIRE(board.expect("\"cause\":\"power\""));
    Client client(Client::unix_socket(dir / "uart"));
    const std::string text(1152, 'x');  // 100 ms at 115200
    const auto begin = Wall::now();
    client.send(text);
    CHECK(client.receive(text.size()) == text);
    CHECK(Wall::now() - begin >= std::chrono::milliseconds(95));
}

TEST_CASE("an idle board is never further ahead than its speed allows", "[board][program]") {
    struct Row {
        std::vector<std::string> more;
        std::uint64_t rate;
    };
    const Row row = GENERATE(Row{{"--speed", "real"}, 1}, Row{{"--speed", "max"}, 4},
                             Row{{"--speed", "max", "--idle-rate", "2"}, 2});
    TempDir dir;
    std::vector<std::string> more = row.more;
    more.insert(more.end(), {"--load", echo_firmware(dir), "--control", "unix:" + dir / "control"});
    Process board(arguments(dir, more));
    REQUIRE(board.expect("\"cause\":\"power\""));
    Client control(Client::unix_socket(dir / "control"));
    const auto board_ms = [&] {
        control.send("status\n");
        const std::string line = control.line();
        const auto at = line.find("\"time_ms\":");
        REQUIRE(at != std::string::npos);
        return std::stoull(line.substr(at + 10));
    };
    const auto begin = Wall::now();
    const std::uint64_t from = board_ms();
    std::uint64_t to = from;
    while (to < from + 300)
        to = board_ms();
    const auto wall_ms = std::chrono::duration_cast<std::chrono::milliseconds>(Wall::now() - begin).count();
    CHECK(to - from <= row.rate * static_cast<std::uint64_t>(wall_ms + 10) + 5);
}

TEST_CASE("a pty carries bytes at the right speed and garbage at a wrong one", "[board][program]") {
    TempDir dir;
    Process board(arguments(dir, {"--load", echo_firmware(dir), "--uart", "pty:" + dir / "tty", "--control",
                                  "unix:" + dir / "control", "--speed", "real"}));
    REQUIRE(board.expect("\"cause\":\"power\""));
    {
        Client client(Client::pty(dir / "tty", B115200));
        client.send("right speed");
        CHECK(client.receive(11) == "right speed");
    }
    {
        Client client(Client::pty(dir / "tty", B57600));
        client.send("wrong speed");
        CHECK(client.receive(11) != "wrong speed");
        Client control(Client::unix_socket(dir / "control"));
        control.send("status\n");
        CHECK(control.line().find("\"framing_errors\":11") != std::string::npos);
    }
    {
        Client client(Client::pty(dir / "tty", B115200));
        client.send("right again");
        CHECK(client.receive(11) == "right again");
    }
    CHECK(board.end(SIGINT) == 0);
    CHECK_FALSE(std::filesystem::is_symlink(dir / "tty"));
}

TEST_CASE("the control socket resets, cuts power, reports and quits", "[board][program]") {
    TempDir dir;
    Process board(arguments(
        dir, {"--load", echo_firmware(dir), "--control", "unix:" + dir / "control", "--speed", "max"}));
    REQUIRE(board.expect("\"cause\":\"power\""));
    Client control(Client::unix_socket(dir / "control"));
    const auto ask = [&](const std::string& command) {
        control.send(command + "\n");
        return control.line();
    };
    const std::string ok = "{\"ok\":true}\n";
    CHECK(ask("reset") == ok);
    CHECK(board.expect("\"cause\":\"pin\""));
    CHECK(ask("status").find("\"last_reset\":\"pin\"") != std::string::npos);
    CHECK(ask("power off") == ok);
    CHECK(ask("status").find("\"power\":false") != std::string::npos);
    CHECK(ask("reset").find("\"ok\":false") != std::string::npos);
    CHECK(ask("power on") == ok);
    CHECK(board.expect("\"cause\":\"power\""));
    CHECK(ask("power cycle") == ok);
    CHECK(board.expect("\"cause\":\"power\""));
    CHECK(ask("boot0 0") == ok);
    CHECK(ask("boot0 1").find("\"ok\":false") != std::string::npos);
    CHECK(ask("fault nor-busy:2") == ok);
    CHECK(ask("fault flash-erase:5") == ok);
    CHECK(ask("status").find("\"faults\":2,\"fault_hits\":0") != std::string::npos);
    CHECK(ask("fault nor-busy").find("nor-busy:N") != std::string::npos);
    CHECK(ask("fault none") == ok);
    CHECK(ask("status").find("\"faults\":0") != std::string::npos);
    CHECK(ask("dance").find("unknown command") != std::string::npos);
    CHECK(ask("quit") == ok);
    CHECK(board.wait() == 0);
    CHECK_FALSE(std::filesystem::exists(dir / "control"));
}

TEST_CASE("what was programmed survives kill -9", "[board][program]") {
    TempDir dir;
    const std::vector<std::string> more{
        "--load", echo_firmware(dir), "--uart", "unix:" + dir / "uart", "--speed", "max"};
    {
        Process board(arguments(dir, more));
        REQUIRE(board.expect("\"cause\":\"power\""));
        Client client(Client::unix_socket(dir / "uart"));
        client.send("x");
        REQUIRE(client.receive(1) == "x");
        CHECK(board.end(SIGKILL) == -SIGKILL);
    }
    std::ifstream flash(dir / "flash.img", std::ios::binary);
    flash.seekg(0x2'0000);
    std::uint32_t word = 0;
    flash.read(reinterpret_cast<char*>(&word), 4);
    CHECK(word == 0x600D'F00D);
    // The stale socket of the killed board is no obstacle.
    Process again(arguments(dir, more));
    CHECK(again.expect("\"cause\":\"power\""));
    CHECK(again.end(SIGTERM) == 0);
}

TEST_CASE("firmware resets itself and the board tells why", "[board][program]") {
    TempDir dir;
    Process board(arguments(dir, {"--load", echo_firmware(dir), "--uart", "unix:" + dir / "uart", "--trace",
                                  dir / "trace", "--speed", "max"}));
    REQUIRE(board.expect("\"cause\":\"power\""));
    Client client(Client::unix_socket(dir / "uart"));
    client.send("!");
    CHECK(board.expect("\"cause\":\"software\""));
    CHECK(board.end(SIGTERM) == 0);
    std::ifstream trace(dir / "trace");
    const std::string text{std::istreambuf_iterator<char>(trace), {}};
    CHECK(text.find("reset: begins to run") != std::string::npos);
}

TEST_CASE("what cannot be started ends with words and a code", "[board][program]") {
    TempDir dir;
    std::ofstream(dir / "plain").put('x');
    struct Row {
        std::vector<std::string> more;
        int code;
    };
    // "@" stands for the folder of this run.
    const Row row = GENERATE(
        Row{{"--load", "@/missing"}, 1}, Row{{"--uart", "serial:x"}, 1}, Row{{"--uart", "pty:@/plain"}, 1},
        Row{{"--uart", "unix:@/plain"}, 1}, Row{{"--uart", "tcp:99999"}, 1}, Row{{"--control", "tcp:1"}, 1},
        Row{{"--control", "unix:@/plain"}, 1}, Row{{"--trace", "@/no/folder"}, 1}, Row{{"--boot0", "1"}, 2});
    std::vector<std::string> more = row.more;
    for (std::string& word : more)
        if (const auto at = word.find('@'); at != std::string::npos)
            word = word.substr(0, at) + dir / word.substr(at + 2);
    Process board(arguments(dir, more));
    CHECK(board.wait() == row.code);
    CHECK(std::filesystem::is_regular_file(dir / "plain"));
}
