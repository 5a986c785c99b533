// One write(2) a line: lines of several threads never mix.
#include "daemon/log.hpp"

#include <unistd.h>

namespace mcuota {

void Log::write(Severity severity, std::string_view text) {
    if (severity > least_) return;
    std::string line;
    if (prefix_) line = "<" + std::to_string(static_cast<int>(severity)) + ">";
    line += text;
    for (char& c : line)
        if (static_cast<unsigned char>(c) < 0x20)
            c = ' ';  // also what a device or cloud has put into a message
    line += '\n';
    put(line);
}

void Log::put(const std::string& line) {
    // A log that cannot be written must not stop the work.
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace mcuota
