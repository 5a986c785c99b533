// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// The control socket: one command a line, one JSON line as the answer. Several clients at a time.

#include <poll.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "virtual_board/failure.hpp"

namespace mcuota::board {

class ControlSocket {
  public:
    /// `spec` is unix:PATH. `answer` performs one command line and returns the JSON answer without line end.
    [[nodiscard]] static Outcome<ControlSocket> open(
        const std::string& spec, std::function<std::string(std::string_view command)> answer);
    ControlSocket(ControlSocket&& other) noexcept;
    ControlSocket& operator=(ControlSocket&&) = delete;
    ~ControlSocket();

    void poll_set(std::vector<pollfd>& set) const;
    /// Accepts clients and answers complete lines. Never blocks.
    void update();

  private:
    ControlSocket(int listener, std::string path, std::function<std::string(std::string_view)> answer);
    struct Client {
        int fd;
        std::string input;
    };
    [[nodiscard]] bool serve(Client& client);

    int listener_;
    std::string path_;
    std::function<std::string(std::string_view)> answer_;
    std::vector<Client> clients_;
};

}  // namespace mcuota::board
