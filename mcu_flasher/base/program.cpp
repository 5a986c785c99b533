// The beginning and the end that the command-line programs share.
#include "mcu_flasher/base/program.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>

namespace mcuota {

std::string unknown_command(std::span<char* const> arguments, std::span<const std::string> commands,
                            std::initializer_list<std::string_view> valued) {
    for (std::size_t at = 0; at < arguments.size(); ++at) {
        const std::string_view word{arguments[at]};
        if (std::find(valued.begin(), valued.end(), word) != valued.end()) {
            ++at;  // and its value
        } else if (!word.starts_with('-')) {
            if (std::find(commands.begin(), commands.end(), word) != commands.end()) return {};
            std::string names;
            for (const std::string& command : commands)
                names += (names.empty() ? "" : ", ") + command;
            return "no command \"" + std::string(word) + "\"; there are " + names;
        }
    }
    return {};
}

int run_program(std::string_view name, const std::function<int()>& body) noexcept {
    const auto say = [name](const char* what, const char* more) {
        (void)std::fprintf(stderr, "%.*s: %s%s\n", static_cast<int>(name.size()), name.data(), what, more);
    };
    try {
        const int code = body();
        std::cout.flush();
        if (std::cout) return code;
        say("standard output cannot be written", "");
        return code == 0 ? kExitFailed : code;
    } catch (const std::exception& error) {
        say("stopped: ", error.what());
    } catch (...) {
        say("stopped", "");
    }
    return kExitFailed;
}

}  // namespace mcuota
