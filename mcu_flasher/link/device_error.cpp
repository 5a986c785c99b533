// Errors out of device statuses.
#include "mcu_flasher/link/device_error.hpp"

#include <cstdio>

#include "mcu_flasher/base/status_text.hpp"

namespace mcuota::flasher {

namespace {

struct Row {
    Status status;
    ErrorCode code;
    std::string_view next;
};

constexpr std::string_view kSendAgain = "send the package again";
constexpr std::string_view kOtherPackage =
    "use a package made for this device: mcuota-pack inspect shows what it holds";
constexpr std::string_view kMemory =
    "try once more; if it stays, the board's memory is worn out or badly connected";
constexpr std::string_view kProgram =
    "update the program on the side that is older, and report this if both are new";

// One row a status; a test walks status.def and finds a missing one.
constexpr Row kRows[] = {
    {Status::ok, ErrorCode::internal, "report this: an answer of success was taken for an error"},
    {Status::unsupported_version, ErrorCode::device_protocol, kProgram},
    {Status::unknown_request, ErrorCode::device_protocol, kProgram},
    {Status::malformed_request, ErrorCode::device_protocol, kProgram},
    {Status::no_session, ErrorCode::device_silent, "try again: the device has restarted in between"},
    {Status::busy, ErrorCode::device_busy, "try again when the installation under way has ended"},
    {Status::wrong_state, ErrorCode::wrong_state, "look at the device's state: mcuota-flash info"},
    {Status::out_of_order, ErrorCode::device_refused, kSendAgain},
    {Status::speed_unsupported, ErrorCode::device_refused,
     "choose a lower speed, or leave it out for 115200"},
    {Status::manifest_malformed, ErrorCode::package_malformed, "make the package anew: mcuota-pack create"},
    {Status::signature_invalid, ErrorCode::signature_invalid,
     "use a package signed with the key whose public half this loader holds"},
    {Status::key_unknown, ErrorCode::key_unknown,
     "sign the package with the key that is current on the device: mcuota-flash info shows its id"},
    {Status::algorithm_unsupported, ErrorCode::signature_invalid,
     "sign with an algorithm this loader knows (ECDSA P-256, RSA-2048)"},
    {Status::wrong_hardware, ErrorCode::wrong_hardware, kOtherPackage},
    {Status::security_counter_old, ErrorCode::security_counter_too_old,
     "build a package with a security counter at or above the device's floor"},
    {Status::image_too_large, ErrorCode::image_too_large,
     "make the image smaller: it must fit the application area"},
    {Status::wrong_load_address, ErrorCode::wrong_hardware, "link the image for the device's load address"},
    {Status::payload_not_listed, ErrorCode::payload_mismatch, "send the full image the package approves"},
    {Status::payload_unsupported, ErrorCode::no_fitting_payload,
     "add a payload of a kind this loader decodes"},
    {Status::payload_too_large, ErrorCode::image_too_large,
     "use a smaller payload (LZMA): it must fit the download region"},
    {Status::payload_hash_mismatch, ErrorCode::device_storage_failed, kSendAgain},
    {Status::payload_malformed, ErrorCode::payload_mismatch, "make the package anew: mcuota-pack create"},
    {Status::memory_budget, ErrorCode::memory_budget_exceeded, "pack with a smaller dictionary"},
    {Status::base_mismatch, ErrorCode::no_fitting_payload,
     "send the full image instead of the delta: --full"},
    {Status::image_hash_mismatch, ErrorCode::payload_mismatch, "make the package anew: mcuota-pack create"},
    {Status::already_running, ErrorCode::nothing_to_do, "nothing: the device runs this image already"},
    {Status::package_incomplete, ErrorCode::install_unproven, kSendAgain},
    {Status::flash_program_failed, ErrorCode::device_storage_failed, kMemory},
    {Status::flash_erase_failed, ErrorCode::device_storage_failed, kMemory},
    {Status::nor_id_wrong, ErrorCode::device_storage_failed,
     "check that the SPI NOR is fitted and of the type expected"},
    {Status::nor_timeout, ErrorCode::device_storage_failed, kMemory},
    {Status::nor_verify_failed, ErrorCode::device_storage_failed, kMemory},
    {Status::out_of_range, ErrorCode::device_refused, kOtherPackage},
    {Status::journal_failed, ErrorCode::device_storage_failed, kMemory},
    {Status::no_application, ErrorCode::no_application, "push a package: mcuota-flash push P.mcup"},
    {Status::application_damaged, ErrorCode::no_application, "push a package: mcuota-flash push P.mcup"},
    {Status::vectors_invalid, ErrorCode::trial_failed,
     "check how the image was linked: its first two words are no valid stack pointer and start address"},
    {Status::trial_not_confirmed, ErrorCode::trial_failed,
     "find out why the new image never calls its confirmation; mcuota-flash log shows the boots"},
    {Status::trial_watchdog, ErrorCode::trial_failed,
     "find out where the new image hangs; mcuota-flash log shows the boots"},
    {Status::backup_missing, ErrorCode::wrong_state,
     "push a package instead: there is nothing to go back to"},
    {Status::backup_damaged, ErrorCode::device_storage_failed, "push a package: the backup cannot be used"},
    {Status::rolled_back, ErrorCode::trial_failed, "push the image again if it shall run after all"},
    {Status::held_in_loader, ErrorCode::wrong_state, "let it go on: mcuota-flash reboot"},
    {Status::install_attempts_spent, ErrorCode::device_storage_failed,
     "look at mcuota-flash log; the memory or the supply of the board fails during the installation"},
    {Status::in_progress, ErrorCode::install_unproven, "wait, then ask again"},
    {Status::unknown_token, ErrorCode::install_unproven, kSendAgain},
};

constexpr const Row* find(Status status) noexcept {
    for (const Row& row : kRows)
        if (row.status == status) return &row;
    return nullptr;
}

}  // namespace

// The text of status.def; of a number this version does not know also the number.
std::string status_text(Status status) {
    std::string text{summary(status)};
    if (find(status) != nullptr) return text;
    char number[16];
    (void)std::snprintf(number, sizeof number, " (0x%04X)", static_cast<unsigned>(status));
    return text + number;
}

Error error_from_status(Status status, std::string_view context) {
    const Row* row = find(status);
    Error error;
    error.code = row == nullptr ? ErrorCode::device_refused : row->code;
    error.what = std::string(context) + ": the device answered: " + status_text(status);
    error.next = row == nullptr ? "update mcuota: the device is newer" : std::string(row->next);
    error.device_status = static_cast<std::uint16_t>(status);
    return error;
}

Error error_from_failure(const Failure& failure, std::string_view context, std::string_view where) {
    const std::string doing = std::string(context) + ": ";
    const std::string link{where};
    switch (failure.kind) {
        case Failure::Kind::silent:
            return {ErrorCode::device_silent, doing + "nothing answers on " + link,
                    "check power, wiring (RX to TX) and that the device runs a loader or agent of mcuota"};
        case Failure::Kind::garbled:
            return {ErrorCode::device_garbled,
                    doing + "what comes from " + link + " is not the link protocol",
                    "check that this is the right port and nothing else prints on it, and the speed"};
        case Failure::Kind::session_lost:
            return {ErrorCode::device_silent, doing + "the device on " + link + " restarted or fell silent",
                    "try again: what it holds already is not sent twice"};
        case Failure::Kind::installing:
            return {ErrorCode::device_busy,
                    doing + "the loader on " + link + " is installing and answers nobody",
                    "wait until it is done, then try again"};
        case Failure::Kind::refused: {
            Error error = error_from_status(failure.status, context);
            if (!failure.detail.empty()) {
                error.what += " (";
                for (const char c : failure.detail)
                    error.what += c >= 0x20 && c <= 0x7E ? c : '?';
                error.what += ")";
            }
            return error;
        }
        case Failure::Kind::nonsense:
            return {ErrorCode::device_protocol,
                    doing + "the device on " + link + " answered with a body that makes no sense",
                    std::string(kProgram)};
        case Failure::Kind::unproven:
            return {
                ErrorCode::install_unproven,
                doing + "the device on " + link + " has not told the outcome in time",
                "look at it later: mcuota-flash info; the device itself ends in the old or the new image"};
    }
    return {ErrorCode::internal, doing + "unknown failure", "report this"};
}

}  // namespace mcuota::flasher
