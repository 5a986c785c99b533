// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// The board in the real world: lets virtual time pass in step with wall time (or not), carries bytes between
// the console and its client, answers the control socket. docs/virtual-board.md, "Time", states the rules
// kept here.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "virtual_board/board.hpp"
#include "virtual_board/control_socket.hpp"
#include "virtual_board/uart_backend.hpp"

namespace mcuota::board {

enum class Speed : std::uint8_t { real, max };

/// What follows a planned power cut.
enum class AfterCut : std::uint8_t { on, off, quit };

/// One planned cut, and the stuttering of the supply behind it.
struct CutSettings {
    CutPlan plan;
    Tear tear{Tear::mixed};
    AfterCut after{AfterCut::on};
    unsigned brown_outs{0};                 ///< further cuts after random short times
    Time brown_out_max{30 * kMillisecond};  ///< longest of these times
};

class Runner {
  public:
    struct Settings {
        Speed speed{Speed::real};
        /// Speed::max: how many times faster than wall time the board may be while it is idle.
        unsigned idle_rate{4};
        bool vbat{true};
        std::uint64_t seed{1};
        CutSettings cut;
    };

    /// `uart` may be null. The runner owns neither board nor uart.
    Runner(Board& board, UartBackend* uart, Settings settings);

    /// Gives the runner a control socket to serve.
    void serve(ControlSocket control) { control_.emplace(std::move(control)); }
    /// The board has sent a byte (BoardHooks::console_sent).
    void sent(std::uint8_t byte) { tx_.push_back(byte); }
    /// A planned cut has happened (BoardHooks::power_cut).
    void power_cut() { cut_seen_ = true; }
    /// Performs a control command; the answer is one JSON object.
    [[nodiscard]] std::string command(std::string_view line);
    /// All counters as a JSON object.
    [[nodiscard]] std::string status() const;

    /// Runs until `stop` returns true or a client says quit.
    void run(const std::function<bool()>& stop);

  private:
    using WallClock = std::chrono::steady_clock;

    void after_cut();
    void step_real();
    void step_max();
    void flush();
    void exchange_bytes();
    /// Waits for clients, at most this long, and serves them.
    void wait(std::chrono::nanoseconds longest);
    [[nodiscard]] Time wall_time() const;
    [[nodiscard]] bool baud_mismatch() const;

    Board& board_;
    UartBackend* uart_;
    Settings settings_;
    std::optional<ControlSocket> control_;
    std::vector<std::uint8_t> tx_;
    Random noise_;
    bool quit_{false};
    bool cut_seen_{false};
    unsigned brown_outs_left_{0};
    Random brown_out_times_;
    WallClock::time_point epoch_;
    Time epoch_virtual_{0};
    WallClock::time_point last_service_;
    Time idle_seen_{0};
    Time owed_{0};  ///< wall time to let pass for idle virtual time, in picoseconds
};

}  // namespace mcuota::board
