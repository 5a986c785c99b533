#pragma once
// The completion scripts in daemon/cli/completions/, made part of the program by the build.

#include <string>

namespace mcuota::cli {

extern const std::string kBashCompletion;
extern const std::string kZshCompletion;

}  // namespace mcuota::cli
