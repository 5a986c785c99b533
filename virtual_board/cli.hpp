// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// The command line of mcuota-board.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "virtual_board/board.hpp"
#include "virtual_board/failure.hpp"
#include "virtual_board/prove/prove_command.hpp"
#include "virtual_board/runner.hpp"

namespace mcuota::board {

struct Options {
    BoardConfig board;
    Runner::Settings runner;
    std::string flash, nor, backup;
    std::uint32_t nor_part{W25q::kSizeBytes};  ///< bytes: they make the part
    std::vector<std::string> load;
    std::vector<Fault> faults;
    std::string uart, control, trace;
    bool json{false};
};

/// What the command line asks for; without one of them the program ends with `exit_code` (help printed, or
/// usage error).
struct ParsedCommand {
    std::optional<Options> options;
    std::optional<ProveOptions> prove;
    int exit_code{0};
};
[[nodiscard]] ParsedCommand parse_command_line(int argc, const char* const* argv);

/// Cycles per instruction, "1" to "8" with up to three decimals, as ticks of 1/1024.
[[nodiscard]] Outcome<std::uint32_t> parse_cpi(const std::string& text);
/// 24 hexadecimal digits.
[[nodiscard]] Outcome<ChipId> parse_chip_id(const std::string& text);

}  // namespace mcuota::board
