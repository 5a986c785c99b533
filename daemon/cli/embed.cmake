# cmake -DOUT=file -DBASH=script -DZSH=script -P embed.cmake: the completion scripts as C++ strings.
set(parts "")
foreach(shell Bash Zsh)
    string(TOUPPER ${shell} upper)
    file(READ ${${upper}} script)
    string(APPEND parts "const std::string k${shell}Completion = R\"completion(${script})completion\";\n")
endforeach()
file(WRITE ${OUT} "// Generated from daemon/cli/completions by embed.cmake.
#include \"daemon/cli/completions.hpp\"

namespace mcuota::cli {
${parts}}    // namespace mcuota::cli
")
