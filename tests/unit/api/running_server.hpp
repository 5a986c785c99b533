#pragma once
// The real API server over a real socket in a temporary folder, with a fake engine behind it; and a raw
// client.

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <future>
#include <string>
#include <thread>

#include "daemon/api/server.hpp"
#include "tests/unit/api/fake_backend.hpp"

namespace mcuota::api {

class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "mcuota-api-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
        ::chmod(name.c_str(), 0755);  // NOLINT: other accounts must reach the socket in it
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

/// Server on its own thread. Touch `backend` only inside on_loop() once it runs.
class RunningServer {
  public:
    explicit RunningServer(ServerOptions options = {}, bool start_now = true)
        : backend(folder.path()), options_(std::move(options)) {
        options_.socket = socket();
        if (start_now) start();
    }
    RunningServer(const RunningServer&) = delete;
    RunningServer& operator=(const RunningServer&) = delete;
    ~RunningServer() { stop(); }

    /// Runs `work` on the server's thread and waits for its value.
    template <class Work>
    std::invoke_result_t<Work> on_loop(Work work) {
        std::packaged_task<std::invoke_result_t<Work>()> task(std::move(work));
        auto value = task.get_future();
        boost::asio::post(io_, std::move(task));
        return value.get();
    }

    void start() {
        server_ = std::make_unique<Server>(io_.get_executor(), pool_, backend, options_);
        const auto started = server_->start();
        if (!started) FAIL(started.error().line());
        thread_ = std::thread([this] { io_.run(); });
    }
    void stop() {
        if (!thread_.joinable()) return;
        on_loop([this] { server_->stop(); });
        guard_.reset();
        thread_.join();
        pool_.join();
        server_.reset();
    }
    std::size_t connections() {
        return on_loop([this] { return server_->connections(); });
    }
    std::filesystem::path socket() const { return folder.path() / "api.sock"; }

    TemporaryFolder folder;
    FakeBackend backend;

  private:
    ServerOptions options_;
    boost::asio::io_context io_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{io_.get_executor()};
    boost::asio::thread_pool pool_{2};
    std::unique_ptr<Server> server_;
    std::thread thread_;
};

/// Sends bytes as they are and reads what comes back, for at most ten seconds.
class RawClient {
  public:
    explicit RawClient(const std::filesystem::path& path) {
        descriptor_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        REQUIRE(descriptor_ >= 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        REQUIRE(::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        const timeval limit{10, 0};
        ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;
    ~RawClient() { ::close(descriptor_); }

    /// False when the server has closed its end.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    void end_sending() { ::shutdown(descriptor_, SHUT_WR); }
    /// Everything until the server closes; fails the test when it does not.
    std::string read_all() {
        while (read_some()) {
        }
        CHECK(ended_);
        return std::exchange(have_, {});
    }
    /// Reads until `mark` has come; what comes after it stays for later.
    std::string read_to(std::string_view mark) {
        std::size_t at;
        while ((at = have_.find(mark)) == std::string::npos)
            if (!read_some()) {
                FAIL("the server ended or fell silent before \"" << mark << "\"; it had sent: " << have_);
            }
        std::string out = have_.substr(0, at + mark.size());
        have_.erase(0, at + mark.size());
        return out;
    }
    /// One answer with Content-Length: head and body.
    std::string read_answer() {
        std::string head = read_to("\r\n\r\n");
        const std::size_t at = head.find("Content-Length: ");
        if (at == std::string::npos) return head;
        const std::size_t length = std::stoul(head.substr(at + 16));
        while (have_.size() < length && read_some()) {
        }
        head += have_.substr(0, length);
        have_.erase(0, std::min(length, have_.size()));
        return head;
    }
    bool ended() const { return ended_; }

  private:
    bool read_some() {
        char room[16384];
        const ssize_t got = ::recv(descriptor_, room, sizeof room, 0);
        // A reset is an end, too: the server left with bytes of ours unread.
        if (got == 0 || (got < 0 && errno == ECONNRESET)) ended_ = true;
        if (got <= 0) return false;
        have_.append(room, static_cast<std::size_t>(got));
        return true;
    }
    int descriptor_{-1};
    std::string have_;
    bool ended_{false};
};

}  // namespace mcuota::api
