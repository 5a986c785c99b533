#pragma once
// A real mosquitto for C++ tests: own folder, own certificates, TLS and passwords, on a free port of
// 127.0.0.1.

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace mcuota::test {

/// A folder that goes away with its owner.
class TempFolder {
  public:
    TempFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "mcuota-test-XXXXXX").string();
        REQUIRE(mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

inline void run_tool(const std::string& command) {
    INFO(command);
    REQUIRE(std::system((command + " > /dev/null 2>&1").c_str()) == 0);
}

/// ca.crt, server.crt and server.key for 127.0.0.1 in `folder`; other.crt: a CA that signed nothing.
inline void make_certificates(const std::filesystem::path& folder) {
    const std::string in = "cd " + folder.string() + " && ";
    for (const char* key : {"ca", "server", "other"})
        run_tool(in + "openssl ecparam -name prime256v1 -genkey -noout -out " + key + ".key");
    for (const char* ca : {"ca", "other"})
        run_tool(in + "openssl req -x509 -new -key " + ca + ".key -out " + ca +
                 ".crt -days 30 -subj /CN=" + ca);
    std::ofstream(folder / "ext") << "subjectAltName=IP:127.0.0.1\n";
    run_tool(in + "openssl req -new -key server.key -out server.csr -subj /CN=server");
    run_tool(in +
             "openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt "
             "-days 30 -extfile ext");
}

/// A listening TCP socket on 127.0.0.1 that never accepts: a silent server while it lives, a free port
/// afterwards.
class SilentServer {
  public:
    SilentServer() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(::listen(fd_, 8) == 0);
        REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
    }
    ~SilentServer() { ::close(fd_); }
    SilentServer(const SilentServer&) = delete;
    SilentServer& operator=(const SilentServer&) = delete;
    [[nodiscard]] std::uint16_t port() const { return port_; }

  private:
    int fd_;
    std::uint16_t port_{0};
};

/// A port nobody listens on, below the range the kernel takes ports for outgoing connections from.
inline std::uint16_t free_port() {
    std::random_device random;
    for (;;) {
        const auto port = static_cast<std::uint16_t>(20'000 + random() % 12'000);
        const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        const bool free = ::bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        ::close(probe);
        if (free) return port;
    }
}

class Broker {
  public:
    /// `users`: name and password.
    Broker(const std::filesystem::path& folder, const std::vector<std::pair<std::string, std::string>>& users)
        : folder_(folder), port_(free_port()) {
        std::ofstream(folder_ / "passwd").flush();
        ::chmod((folder_ / "passwd").c_str(), 0600);
        for (const auto& [user, password] : users)
            run_tool("mosquitto_passwd -b " + (folder_ / "passwd").string() + " '" + user + "' '" + password +
                     "'");
        std::ofstream config(folder_ / "mosquitto.conf");
        config << "listener " << port_
               << " 127.0.0.1\npersistence false\nlog_dest stderr\nallow_anonymous false\n"
               << "cafile " << (folder_ / "ca.crt").string() << "\ncertfile "
               << (folder_ / "server.crt").string() << "\nkeyfile " << (folder_ / "server.key").string()
               << "\npassword_file " << (folder_ / "passwd").string() << "\n";
        if (geteuid() == 0) config << "user root\n";
        config.close();
        start();
    }
    ~Broker() { kill(); }
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;

    [[nodiscard]] std::uint16_t port() const { return port_; }

    /// Returns once the broker listens.
    void start() {
        int pipe_ends[2];
        REQUIRE(::pipe2(pipe_ends, O_CLOEXEC) == 0);
        const std::string config = (folder_ / "mosquitto.conf").string();
        pid_ = ::fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::dup2(pipe_ends[1], 2);
            ::execl("/usr/sbin/mosquitto", "mosquitto", "-c", config.c_str(), nullptr);
            ::_exit(127);
        }
        ::close(pipe_ends[1]);
        std::string said;
        char buffer[512];
        while (said.find(" running") == std::string::npos) {
            const ssize_t got = ::read(pipe_ends[0], buffer, sizeof buffer);
            if (got <= 0) FAIL("mosquitto did not start: " << said);
            said.append(buffer, static_cast<std::size_t>(got));
        }
        // Its log is of no further interest, but it must be able to write it.
        ::close(log_);
        log_ = pipe_ends[0];
        ::fcntl(log_, F_SETPIPE_SZ, 1 << 20);
    }
    /// kill -9.
    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
    void pause() const { ::kill(pid_, SIGSTOP); }
    void resume() const { ::kill(pid_, SIGCONT); }

  private:
    std::filesystem::path folder_;
    std::uint16_t port_;
    pid_t pid_{-1};
    int log_{-1};
};

}  // namespace mcuota::test
