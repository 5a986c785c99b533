// The socket's place in the file system, and the rights of real other accounts on it.
#include <grp.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "daemon/api/peer.hpp"
#include "daemon/api/socket_file.hpp"
#include "tests/unit/api/running_server.hpp"

using namespace mcuota;
using namespace mcuota::api;

namespace {

/// Asks as account 65534 with `group` as its only other group; the HTTP status, or -1 when it cannot even
/// connect.
int ask_as_stranger(const std::filesystem::path& socket, gid_t group, const std::string& request) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        // Only async-signal-safe calls: the parent has threads.
        if (::setgroups(1, &group) != 0 || ::setresgid(65534, 65534, 65534) != 0 ||
            ::setresuid(65534, 65534, 65534) != 0)
            ::_exit(254);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, socket.c_str(), std::strlen(socket.c_str()));
        const int descriptor = ::socket(AF_UNIX, SOCK_STREAM, 0);
        if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            ::_exit(255);
        if (::write(descriptor, request.data(), request.size()) < 0) ::_exit(253);
        char head[16] = {};
        std::size_t got = 0;
        while (got < 12) {
            const ssize_t more = ::read(descriptor, head + got, 12 - got);
            if (more <= 0) ::_exit(252);
            got += static_cast<std::size_t>(more);
        }
        ::_exit((head[9] - '0') * 10 + (head[11] - '0'));  // 200 → 20, 403 → 43, 404 → 44
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    const int code = WEXITSTATUS(status);
    return code == 255 ? -1 : code / 10 * 100 + code % 10;
}

}  // namespace

TEST_CASE("the socket is made with its final rights, whatever the umask", "[api]") {
    TemporaryFolder folder;
    const auto path = folder.path() / "api.sock";
    for (const mode_t mask : {0, 0077}) {
        const mode_t before = ::umask(mask);
        auto file = SocketFile::listen(path, std::nullopt);
        ::umask(before);
        REQUIRE(file);
        struct stat there {};
        REQUIRE(::lstat(path.c_str(), &there) == 0);
        CHECK((there.st_mode & 07777) == 0660);
        CHECK(S_ISSOCK(there.st_mode));
    }
    CHECK_FALSE(std::filesystem::exists(path));
    CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a stale socket is replaced, a living one is respected", "[api]") {
    TemporaryFolder folder;
    const auto path = folder.path() / "api.sock";
    {
        auto living = SocketFile::listen(path, std::nullopt);
        REQUIRE(living);
        const auto second = SocketFile::listen(path, std::nullopt);
        REQUIRE_FALSE(second);
        CHECK(second.error().code == ErrorCode::wrong_state);
        CHECK(std::filesystem::exists(path));
        // A crash leaves the file without its listener.
        std::filesystem::rename(path, folder.path() / "left");
    }
    std::filesystem::rename(folder.path() / "left", path);
    CHECK(SocketFile::listen(path, std::nullopt));
}

TEST_CASE("a socket replaced by another process is not removed", "[api]") {
    TemporaryFolder folder;
    const auto path = folder.path() / "api.sock";
    auto first = SocketFile::listen(path, std::nullopt);
    REQUIRE(first);
    std::filesystem::remove(path);
    auto second = SocketFile::listen(path, std::nullopt);
    REQUIRE(second);
    first->remove();
    CHECK(std::filesystem::exists(path));
}

TEST_CASE("a place that cannot be a socket is refused in words", "[api]") {
    TemporaryFolder folder;
    std::ofstream(folder.path() / "file") << "precious";
    struct Row {
        std::filesystem::path path;
        const char* says;
    };
    const Row rows[] = {
        {folder.path() / "file", "something else than a socket"},
        {folder.path() / "missing" / "api.sock", "No such file"},
        {folder.path() / std::string(120, 'x'), "bytes"},
    };
    for (const Row& row : rows) {
        const auto file = SocketFile::listen(row.path, std::nullopt);
        REQUIRE_FALSE(file);
        CHECK(file.error().code == ErrorCode::config_invalid);
        CHECK(file.error().what.find(row.says) != std::string::npos);
    }
    CHECK(std::filesystem::file_size(folder.path() / "file") == 8);
}

TEST_CASE("the kernel tells who is connected, supplementary groups included", "[api]") {
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    const auto peer = peer_of(pair[0]);
    REQUIRE(peer);
    CHECK(peer->uid == ::geteuid());
    CHECK(peer->gid == ::getegid());
    std::vector<gid_t> own(256);
    const int count = ::getgroups(static_cast<int>(own.size()), own.data());
    REQUIRE(count >= 0);
    own.resize(static_cast<std::size_t>(count));
    CHECK(peer->groups == std::vector<std::uint32_t>(own.begin(), own.end()));
    ::close(pair[0]);
    ::close(pair[1]);
    CHECK_FALSE(peer_of(-1));
}

TEST_CASE("other accounts read with the one group, change with the other, else nothing", "[api]") {
    if (::geteuid() != 0) {
        WARN("needs root to become another account: skipped");
        return;
    }
    const auto readers = group_id("users");
    const auto admins = group_id("staff");
    const auto others = group_id("games");
    REQUIRE((readers && admins && others));
    ServerOptions options;
    options.read_group = "users";
    options.admin_group = "staff";
    RunningServer server(options);
    struct stat there {};
    REQUIRE(::lstat(server.socket().c_str(), &there) == 0);
    CHECK(there.st_gid == *readers);
    const std::string read = "GET /v1/status HTTP/1.1\r\n\r\n";
    const std::string change = "POST /v1/jobs/9/cancel HTTP/1.1\r\nContent-Length: 0\r\n\r\n";

    CHECK(ask_as_stranger(server.socket(), *readers, read) == 200);
    CHECK(ask_as_stranger(server.socket(), *readers, change) == 403);
    CHECK(ask_as_stranger(server.socket(), *others, read) == -1);
    CHECK(server.on_loop([&] { return server.backend.calls.empty(); }));

    // Even where the file lets everyone connect, the peer's credentials decide.
    REQUIRE(::chmod(server.socket().c_str(), 0666) == 0);
    CHECK(ask_as_stranger(server.socket(), *others, read) == 403);
    CHECK(ask_as_stranger(server.socket(), *others, change) == 403);
    CHECK(ask_as_stranger(server.socket(), *admins, read) == 200);
    CHECK(ask_as_stranger(server.socket(), *admins, change) == 404);
    CHECK(server.on_loop([&] { return server.backend.calls; }) ==
          std::vector<std::string>{"cancel 9 by nobody"});
}
