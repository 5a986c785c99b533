// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// The host's end of the console wire: a pty, a Unix socket or a TCP port. Never blocks; bytes nobody hears
// are dropped, as on a real line.

#include <poll.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "virtual_board/failure.hpp"

namespace mcuota::board {

class UartBackend {
  public:
    virtual ~UartBackend() = default;

    /// Adds what to wait on.
    virtual void poll_set(std::vector<pollfd>& set) const = 0;
    /// Accepts or loses clients; call after every wait.
    virtual void update() = 0;
    [[nodiscard]] virtual bool connected() const = 0;
    /// Bytes from the client, as many as are there and fit; 0 when none.
    [[nodiscard]] virtual std::size_t read(std::span<std::uint8_t> into) = 0;
    /// Sends to the client; what does not fit is dropped and counted.
    virtual void write(std::span<const std::uint8_t> bytes) = 0;
    /// The client's line speed; 0 when the wire has none.
    [[nodiscard]] virtual std::uint64_t client_baud() const = 0;
    /// Where a client finds it, for people and for --json.
    [[nodiscard]] virtual std::string address() const = 0;
    [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

  protected:
    std::uint64_t dropped_{0};
};

/// `spec` is pty:PATH, unix:PATH or tcp:PORT (127.0.0.1; port 0 = any free one, see address()).
[[nodiscard]] Outcome<std::unique_ptr<UartBackend>> open_uart(const std::string& spec);

/// A listening Unix socket at `path`; a stale socket file is replaced, any other file is an error.
[[nodiscard]] Outcome<int> listen_unix(const std::string& path);

}  // namespace mcuota::board
