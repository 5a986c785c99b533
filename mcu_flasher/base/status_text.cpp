// Device status numbers in words, from the one list.

#include "mcu_flasher/base/status_text.hpp"

namespace mcuota {
namespace {

struct Row {
    Status status;
    ErrorClass cls;
    std::string_view name;
    std::string_view text;
};

constexpr Row kRows[] = {
#define MCUOTA_STATUS(name, number, cls, text) {Status::name, ErrorClass::cls, #name, text},
#include "mcu_loader/core/status.def"
#undef MCUOTA_STATUS
};

// A newer loader may answer numbers this version does not know.
constexpr Row kUnknown{Status::ok, ErrorClass::needs_operator, "unknown_status",
                       "a device status this version does not know"};

constexpr const Row& row(Status status) noexcept {
    for (const Row& candidate : kRows)
        if (candidate.status == status) return candidate;
    return kUnknown;
}

}  // namespace

std::string_view to_string(Status status) noexcept {
    return row(status).name;
}
std::string_view summary(Status status) noexcept {
    return row(status).text;
}
ErrorClass error_class(Status status) noexcept {
    return row(status).cls;
}

}  // namespace mcuota
