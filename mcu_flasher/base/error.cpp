#include "mcu_flasher/base/error.hpp"

#include <utility>

namespace mcuota {
namespace {

struct Row {
    ErrorCode code;
    ErrorClass cls;
    int exit_code;
    std::string_view name;
    std::string_view summary;
};

constexpr Row kRows[] = {
#define MCUOTA_ERROR(name, number, cls, exit_code, summary) \
    {ErrorCode::name, ErrorClass::cls, exit_code, #name, summary},
#include "mcu_flasher/base/errors.def"
#undef MCUOTA_ERROR
};

// Codes read back from a database written by a newer version may be unknown here.
constexpr Row kUnknown{ErrorCode::internal, ErrorClass::final, 1, "unknown",
                       "an error this version does not know"};

constexpr const Row& row(ErrorCode code) noexcept {
    for (const Row& candidate : kRows)
        if (candidate.code == code) return candidate;
    return kUnknown;
}

}  // namespace

ErrorClass error_class(ErrorCode code) noexcept {
    return row(code).cls;
}
std::string_view to_string(ErrorCode code) noexcept {
    return row(code).name;
}
std::string_view summary(ErrorCode code) noexcept {
    return row(code).summary;
}
int exit_code(ErrorCode code) noexcept {
    return row(code).exit_code;
}

std::string_view to_string(ErrorClass cls) noexcept {
    switch (cls) {
        case ErrorClass::transient:
            return "transient";
        case ErrorClass::needs_new_url:
            return "needs_new_url";
        case ErrorClass::needs_operator:
            return "needs_operator";
        case ErrorClass::final:
            return "final";
    }
    return "unknown";
}

Error Error::while_doing(std::string_view step) && {
    what = "while " + std::string(step) + ": " + what;
    return std::move(*this);
}

std::string Error::line() const {
    std::string out = what.empty() ? std::string(summary(code)) : what;
    out += " (";
    out += to_string(code);
    out += ")";
    if (!next.empty()) out += "; " + next;
    return out;
}

}  // namespace mcuota
