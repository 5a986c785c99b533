#pragma once
// What the self test of a port found, in words a porter can act on.

#include <string>
#include <string_view>

#include "mcu_loader/core/link/self_test.hpp"

namespace mcuota::flasher {

/// "writing", "erasing ranges", …: what the check does, for progress and reports.
[[nodiscard]] std::string_view check_text(link::SelfTestCheck check);
/// Stable word for scripts: "write", "rewrite", …
[[nodiscard]] std::string_view check_name(link::SelfTestCheck check);
/// "running", "flag_a", …; "none".
[[nodiscard]] std::string_view region_name(std::uint8_t region);
/// Stable word for scripts: "write_ignored", …
[[nodiscard]] std::string_view finding_name(link::SelfTestFinding finding);

/// One sentence: where, and what is wrong. Only of a report that failed.
[[nodiscard]] std::string finding_text(const link::SelfTestReport& report);
/// Where in a port the fault usually is.
[[nodiscard]] std::string_view finding_hint(link::SelfTestFinding finding);

}  // namespace mcuota::flasher
