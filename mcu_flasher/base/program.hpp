#pragma once
// What the command-line programs share: the word that names a command, and how a program ends.

#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace mcuota {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

/// A sentence about the first word of `arguments` (argv without the program's name) that should name one of
/// `commands` and does not; empty when it does, or when there is no such word. `valued`: options in front of
/// the command that take the word behind them.
[[nodiscard]] std::string unknown_command(std::span<char* const> arguments,
                                          std::span<const std::string> commands,
                                          std::initializer_list<std::string_view> valued = {});

/// Runs the whole of a program and yields its exit code: `body`'s, but 1 when standard output could not be
/// written or when something was thrown (out of memory, a fault of a library), which is said on standard
/// error.
[[nodiscard]] int run_program(std::string_view name, const std::function<int()>& body) noexcept;

}  // namespace mcuota
