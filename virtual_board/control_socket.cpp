// SPDX-License-Identifier: GPL-2.0-or-later
// Control clients and their lines.

#include "virtual_board/control_socket.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "virtual_board/uart_backend.hpp"

namespace mcuota::board {
namespace {

constexpr std::size_t kLineBytesMax = 1024;

}  // namespace

Outcome<ControlSocket> ControlSocket::open(const std::string& spec,
                                           std::function<std::string(std::string_view)> answer) {
    if (spec.rfind("unix:", 0) != 0)
        return Failure{"\"" + spec + "\" is no control socket", "use --control unix:PATH"};
    const std::string path = spec.substr(5);
    Outcome<int> listener = listen_unix(path);
    if (!listener) return listener.failure();
    return ControlSocket(*listener, path, std::move(answer));
}

ControlSocket::ControlSocket(int listener, std::string path,
                             std::function<std::string(std::string_view)> answer)
    : listener_(listener), path_(std::move(path)), answer_(std::move(answer)) {}

ControlSocket::ControlSocket(ControlSocket&& other) noexcept
    : listener_(std::exchange(other.listener_, -1)),
      path_(std::move(other.path_)),
      answer_(std::move(other.answer_)),
      clients_(std::move(other.clients_)) {}

ControlSocket::~ControlSocket() {
    if (listener_ < 0) return;
    for (const Client& client : clients_)
        ::close(client.fd);
    ::close(listener_);
    ::unlink(path_.c_str());
}

void ControlSocket::poll_set(std::vector<pollfd>& set) const {
    set.push_back({listener_, POLLIN, 0});
    for (const Client& client : clients_)
        set.push_back({client.fd, POLLIN, 0});
}

void ControlSocket::update() {
    for (int fd = 0; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;)
        clients_.push_back({fd, {}});
    for (Client& client : clients_) {
        if (serve(client)) continue;
        ::close(client.fd);
        client.fd = -1;
    }
    std::erase_if(clients_, [](const Client& client) { return client.fd < 0; });
}

bool ControlSocket::serve(Client& client) {
    std::array<char, 512> buffer;
    for (;;) {
        const ssize_t got = ::recv(client.fd, buffer.data(), buffer.size(), 0);
        if (got == 0) return false;
        if (got < 0) return errno == EAGAIN || errno == EINTR;
        client.input.append(buffer.data(), static_cast<std::size_t>(got));
        for (std::size_t end = 0; (end = client.input.find('\n')) != std::string::npos;) {
            const std::string line = client.input.substr(0, end);
            client.input.erase(0, end + 1);
            const std::string answer = answer_(line) + "\n";
            // Answers are short; a client that does not read them is cut off rather than waited for.
            if (::send(client.fd, answer.data(), answer.size(), MSG_NOSIGNAL) !=
                static_cast<ssize_t>(answer.size()))
                return false;
        }
        if (client.input.size() > kLineBytesMax) return false;
    }
}

}  // namespace mcuota::board
