// mcuota-flash info: who answers, what runs there, what it holds.
#include <cstdio>
#include <iostream>

#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/base/status_text.hpp"
#include "mcu_flasher/cli/commands.hpp"
#include "mcu_flasher/cli/output.hpp"
#include "mcu_flasher/link/image_state.hpp"

namespace mcuota::flash {

namespace asio = boost::asio;

namespace {

boost::json::object image_json(const link::ImageInfo& image) {
    return {{"state", image_state(image.state)},
            {"version", image.version.view()},
            {"bytes", image.size_bytes},
            {"sha256", to_hex(image.sha256)}};
}

std::string_view backup_state(std::uint8_t state) {
    return state == flasher::kNoImage ? "none" : state == flasher::kBackupDamaged ? "damaged" : "valid";
}

boost::json::object identity_json(const link::Identity& id, const std::string& where) {
    boost::json::object running = image_json(id.running);
    running["security_counter"] = id.running.security_counter;
    boost::json::object backup = image_json(id.backup);
    backup["state"] = backup_state(id.backup.state);
    boost::json::object out{
        {"link", where},
        {"role", id.role == link::Role::agent ? "agent" : "loader"},
        {"hardware", id.hardware.view()},
        {"unique_id", to_hex(id.unique_id)},
        {"loader_version", id.loader_version.view()},
        {"agent_version", id.agent_version.view()},
        {"running", std::move(running)},
        {"backup", std::move(backup)},
        {"security_counter_floor", id.security_counter_floor},
        {"image_bytes_max", id.image_bytes_max},
        {"load_address", id.load_address},
        {"decoder_memory_bytes", id.decoder_memory_bytes},
        {"download_bytes", id.download_bytes},
        {"payload_kinds", id.payload_kinds},
        {"baud_max", id.baud_max},
        {"jedec_id", id.jedec_id},
        {"flash_kib", id.flash_kib},
        {"reset_cause", id.reset_cause},
        {"stay_reason", to_string(id.stay_reason)},
        {"trial_boots", {{"used", id.trial_boots_used}, {"allowed", id.trial_boots_allowed}}},
    };
    if (id.last_token != 0)
        out["last_outcome"] = {{"token", id.last_token},
                               {"status", to_string(id.last_status)},
                               {"image_sha256", to_hex(id.last_image)}};
    if (id.staged_envelope_bytes != 0)
        out["staged"] = {{"package_id", to_hex(id.staged_package)},
                         {"held_bytes", id.staged_held_bytes},
                         {"envelope_bytes", id.staged_envelope_bytes}};
    if (id.key_current != KeyId{})
        out["keys"] = {{"generation", id.key_generation},
                       {"current", to_hex(id.key_current)},
                       {"next", id.key_next == KeyId{} ? boost::json::value(nullptr)
                                                       : boost::json::value(to_hex(id.key_next))}};
    if (id.last_failed_image != Sha256Digest{}) out["last_failed_image"] = to_hex(id.last_failed_image);
    return out;
}

std::string image_line(const link::ImageInfo& image) {
    return image_name(image) + ", " + bytes_text(image.size_bytes);
}

std::string backup_line(const link::ImageInfo& backup) {
    if (backup.state == flasher::kNoImage) return "none";
    return image_line(backup) +
           (backup.state == flasher::kBackupDamaged
                ? ", damaged: there is nothing to go back to until a package is installed"
                : "");
}

void print_words(const link::Identity& id, const std::string& where) {
    const auto line = [](std::string_view name, const std::string& value) {
        std::cout << name << std::string(name.size() < 12 ? 12 - name.size() : 1, ' ') << value << '\n';
    };
    line("device", std::string(id.hardware.view()) + ", unique id " + to_hex(id.unique_id));
    const bool agent = id.role == link::Role::agent;
    line("answers", std::string(agent ? "the agent in the application" : "the loader") + " on " + where);
    line("running", id.running.state == flasher::kNoImage
                        ? "no application"
                        : image_line(id.running) + ", " + std::string(image_state(id.running.state)) +
                              ", security counter " + std::to_string(id.running.security_counter));
    if (id.running.state == flasher::kImageOnTrial)
        line("trial",
             "boot " + std::to_string(id.trial_boots_used) + " of " + std::to_string(id.trial_boots_allowed));
    line("backup", backup_line(id.backup));
    if (id.stay_reason != Status::ok)
        line(agent ? "memory" : "stays",
             (agent ? "" : "in the loader: ") + std::string(summary(id.stay_reason)));
    if (id.last_token != 0) {
        char token[24];
        (void)std::snprintf(token, sizeof token, "%016llx", static_cast<unsigned long long>(id.last_token));
        line("last", std::string("installation ") + token + ": " + std::string(summary(id.last_status)));
    }
    if (id.staged_envelope_bytes != 0)
        line("staged", bytes_text(id.staged_held_bytes) + " of " + bytes_text(id.staged_envelope_bytes));
    std::string versions =
        "loader " + std::string(id.loader_version.length == 0 ? "unknown" : id.loader_version.view());
    if (id.agent_version.length != 0) versions += ", agent " + std::string(id.agent_version.view());
    line("versions", versions);
    line("floor", "security counter " + std::to_string(id.security_counter_floor));
    if (id.key_current != KeyId{})
        line("keys",
             "packages signed with " + to_hex(id.key_current) + ", " +
                 (id.key_next == KeyId{} ? "which cannot be rotated" : "next " + to_hex(id.key_next)) +
                 ", generation " + std::to_string(id.key_generation));
    line("room", "images up to " + bytes_text(id.image_bytes_max) + ", line up to " +
                     std::to_string(id.baud_max) + " baud");
}

}  // namespace

Result<void> info(const Common& common) {
    return with_device(common, {}, [&](flasher::Flasher& device) -> asio::awaitable<Result<void>> {
        auto identity = co_await device.identify();
        if (!identity) co_return std::move(identity).error();
        if (common.json) {
            print_json(identity_json(*identity, common.link));
        } else {
            print_words(*identity, common.link);
        }
        co_return Result<void>{};
    });
}

}  // namespace mcuota::flash
