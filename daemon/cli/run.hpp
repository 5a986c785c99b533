#pragma once
// mcuota from its arguments to its exit code.

#include <string>
#include <vector>

namespace mcuota::cli {

/// `arguments` without the program's name. Prints; returns the exit code.
[[nodiscard]] int run(const std::vector<std::string>& arguments);

}  // namespace mcuota::cli
