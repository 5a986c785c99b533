// The answer to IDENTIFY as tag-length-value fields (docs/link-protocol.md §4).
#include "mcu_loader/core/link/messages.hpp"
#include "mcu_loader/core/link/wire_io.hpp"

namespace mcuota::link {

namespace {

enum Tag : std::uint8_t {
    kRole = 1,
    kHardware = 2,
    kUniqueId = 3,
    kLoaderVersion = 4,
    kAgentVersion = 5,
    kRunning = 6,
    kRunningVersion = 7,
    kBackup = 8,
    kBackupVersion = 9,
    kCounterFloor = 10,
    kImageBytesMax = 11,
    kLoadAddress = 12,
    kDecoderMemory = 13,
    kLastOutcome = 14,
    kStaged = 15,
    kStayReason = 16,
    kResetCause = 17,
    kTrialBoots = 18,
    kPayloadKinds = 19,
    kBaudMax = 20,
    kDownloadBytes = 21,
    kJedecId = 22,
    kFlashKib = 23,
    kLastFailedImage = 24,
    kKeys = 25,
};

class TlvWriter {
  public:
    explicit TlvWriter(BodyOut out) noexcept : w_(out) {}
    FieldWriter& open(Tag tag, std::size_t length) noexcept {
        w_.number(tag, 1);
        w_.number(length, 1);
        return w_;
    }
    void number(Tag tag, std::uint64_t value, std::size_t length) noexcept {
        open(tag, length).number(value, length);
    }
    void digest(Tag tag, const Sha256Digest& value) noexcept { open(tag, value.size()).bytes(value); }
    template <std::size_t Max>
    void text(Tag tag, const BoundedText<Max>& value) noexcept {
        if (value.length != 0) open(tag, value.length).text(value.view());
    }
    [[nodiscard]] std::size_t size() const noexcept { return w_.size(); }

  private:
    FieldWriter w_;
};

template <std::size_t Max>
[[nodiscard]] bool take_text(FieldReader& r, BoundedText<Max>& out) noexcept {
    const Body from = r.rest();
    if (from.size() > Max) return false;
    out.length = 0;
    for (const std::uint8_t byte : from) {
        if (byte < 0x20 || byte > 0x7E) return false;  // ends up on terminals and in logs
        out.bytes[out.length++] = static_cast<char>(byte);
    }
    return true;
}

// Values may be longer than known here: fields only grow at their end.
[[nodiscard]] bool take_field(std::uint8_t tag, FieldReader r, Identity& out) noexcept {
    switch (tag) {
        case kRole: {
            const std::uint8_t role = r.u8();
            if (role != 1 && role != 2) return false;
            out.role = static_cast<Role>(role);
            break;
        }
        case kHardware:
            return take_text(r, out.hardware);
        case kUniqueId:
            r.copy(out.unique_id);
            break;
        case kLoaderVersion:
            return take_text(r, out.loader_version);
        case kAgentVersion:
            return take_text(r, out.agent_version);
        case kRunning:
            out.running.state = r.u8();
            out.running.size_bytes = r.u32();
            r.copy(out.running.sha256);
            out.running.security_counter = r.u32();
            break;
        case kRunningVersion:
            return take_text(r, out.running.version);
        case kBackup:
            out.backup.state = r.u8();
            out.backup.size_bytes = r.u32();
            r.copy(out.backup.sha256);
            break;
        case kBackupVersion:
            return take_text(r, out.backup.version);
        case kCounterFloor:
            out.security_counter_floor = r.u32();
            break;
        case kImageBytesMax:
            out.image_bytes_max = r.u32();
            break;
        case kLoadAddress:
            out.load_address = r.u32();
            break;
        case kDecoderMemory:
            out.decoder_memory_bytes = r.u32();
            break;
        case kLastOutcome:
            out.last_token = r.u64();
            out.last_status = static_cast<Status>(r.u16());
            r.copy(out.last_image);
            break;
        case kStaged:
            r.copy(out.staged_package);
            out.staged_held_bytes = r.u32();
            out.staged_envelope_bytes = r.u32();
            break;
        case kStayReason:
            out.stay_reason = static_cast<Status>(r.u16());
            break;
        case kResetCause:
            out.reset_cause = r.u8();
            break;
        case kTrialBoots:
            out.trial_boots_used = r.u8();
            out.trial_boots_allowed = r.u8();
            break;
        case kPayloadKinds:
            out.payload_kinds = r.u32();
            break;
        case kBaudMax:
            out.baud_max = r.u32();
            break;
        case kDownloadBytes:
            out.download_bytes = r.u32();
            break;
        case kJedecId:
            out.jedec_id = r.u32();
            break;
        case kFlashKib:
            out.flash_kib = r.u16();
            break;
        case kLastFailedImage:
            r.copy(out.last_failed_image);
            break;
        case kKeys:
            out.key_generation = r.u16();
            r.copy(out.key_current);
            r.copy(out.key_next);
            break;
        default:
            break;  // the list only grows
    }
    return r.ok();
}

}  // namespace

std::size_t encode(const Identity& message, BodyOut out) noexcept {
    TlvWriter w{out};
    w.number(kRole, static_cast<std::uint8_t>(message.role), 1);
    w.text(kHardware, message.hardware);
    w.open(kUniqueId, message.unique_id.size()).bytes(message.unique_id);
    w.text(kLoaderVersion, message.loader_version);
    w.text(kAgentVersion, message.agent_version);
    FieldWriter& running = w.open(kRunning, 41);
    running.number(message.running.state, 1);
    running.number(message.running.size_bytes, 4);
    running.bytes(message.running.sha256);
    running.number(message.running.security_counter, 4);
    w.text(kRunningVersion, message.running.version);
    FieldWriter& backup = w.open(kBackup, 37);
    backup.number(message.backup.state, 1);
    backup.number(message.backup.size_bytes, 4);
    backup.bytes(message.backup.sha256);
    w.text(kBackupVersion, message.backup.version);
    w.number(kCounterFloor, message.security_counter_floor, 4);
    w.number(kImageBytesMax, message.image_bytes_max, 4);
    w.number(kLoadAddress, message.load_address, 4);
    w.number(kDecoderMemory, message.decoder_memory_bytes, 4);
    FieldWriter& outcome = w.open(kLastOutcome, 42);
    outcome.number(message.last_token, 8);
    outcome.number(static_cast<std::uint16_t>(message.last_status), 2);
    outcome.bytes(message.last_image);
    FieldWriter& staged = w.open(kStaged, 40);
    staged.bytes(message.staged_package);
    staged.number(message.staged_held_bytes, 4);
    staged.number(message.staged_envelope_bytes, 4);
    w.number(kStayReason, static_cast<std::uint16_t>(message.stay_reason), 2);
    w.number(kResetCause, message.reset_cause, 1);
    FieldWriter& trial = w.open(kTrialBoots, 2);
    trial.number(message.trial_boots_used, 1);
    trial.number(message.trial_boots_allowed, 1);
    w.number(kPayloadKinds, message.payload_kinds, 4);
    w.number(kBaudMax, message.baud_max, 4);
    w.number(kDownloadBytes, message.download_bytes, 4);
    w.number(kJedecId, message.jedec_id, 4);
    w.number(kFlashKib, message.flash_kib, 2);
    w.digest(kLastFailedImage, message.last_failed_image);
    FieldWriter& keys = w.open(kKeys, 18);
    keys.number(message.key_generation, 2);
    keys.bytes(message.key_current);
    keys.bytes(message.key_next);
    return w.size();
}

bool decode(Body body, Identity& out) noexcept {
    FieldReader r{body};
    bool has_role = false;
    while (!r.empty()) {
        const std::uint8_t tag = r.u8();
        const std::uint8_t length = r.u8();
        const Body value = r.bytes(length);
        if (!r.ok() || !take_field(tag, FieldReader{value}, out)) return false;
        has_role = has_role || tag == kRole;
    }
    return has_role;
}

}  // namespace mcuota::link
