#pragma once
// What can go wrong on the host side, as values: a stable code, its retry class, and words for a person.

#include <cstdint>
#include <string>
#include <string_view>

namespace mcuota {

/// What kind of answer an error asks for. Stored: append only.
enum class ErrorClass : std::uint8_t {
    transient = 0,       ///< trying again later may help
    needs_new_url = 1,   ///< the cloud must issue a fresh download address
    needs_operator = 2,  ///< a person must mend something first
    final = 3,           ///< trying again cannot help
};

/// Stable error numbers (errors.def). Stored in the database and told to clouds: append only.
enum class ErrorCode : std::uint16_t {
#define MCUOTA_ERROR(name, number, cls, exit_code, summary) name = (number),
#include "mcu_flasher/base/errors.def"
#undef MCUOTA_ERROR
};

[[nodiscard]] ErrorClass error_class(ErrorCode code) noexcept;
/// The code's name as written in errors.def, for example "signature_invalid".
[[nodiscard]] std::string_view to_string(ErrorCode code) noexcept;
[[nodiscard]] std::string_view to_string(ErrorClass cls) noexcept;
/// One line that explains the code without its circumstances.
[[nodiscard]] std::string_view summary(ErrorCode code) noexcept;
/// Process exit code of a program that ends with this error (operator-surface: 1..6).
[[nodiscard]] int exit_code(ErrorCode code) noexcept;

/// Why something could not be done.
struct Error {
    ErrorCode code{ErrorCode::internal};
    std::string
        what;  ///< what happened, with names and figures: "device pump-3 answered hash 7f…, needs 91…"
    std::string
        next{};  ///< what helps, best as a command: "send the full image: mcuota job retry 192 --full"
    /// Number of the device's own status (mcu_loader/core/status.def) when the device gave the reason, else
    /// 0.
    std::uint16_t device_status{0};

    /// The same error, with the step it interrupted put in front: "while opening pump-3: …".
    [[nodiscard]] Error while_doing(std::string_view step) &&;
    [[nodiscard]] ErrorClass cls() const noexcept { return error_class(code); }
    /// "what (code); next": one line for a terminal or a log.
    [[nodiscard]] std::string line() const;
};

}  // namespace mcuota
