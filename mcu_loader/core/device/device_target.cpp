// Requests of the gateway, answered from journal, staging and manifest slots.
#include "mcu_loader/core/device/device_target.hpp"

#include <algorithm>

namespace mcuota::device {
namespace {

// docs/link-protocol.md §4, tags 6 and 8
constexpr std::uint8_t kImageConfirmed = 1;
constexpr std::uint8_t kImageOnTrial = 2;
constexpr std::uint8_t kImageDamaged = 3;
constexpr std::uint8_t kBackupValid = 1;
constexpr std::uint8_t kBackupDamaged = 2;

constexpr std::size_t kChunkBytes = 512;

template <std::size_t Max>
void set_text(BoundedText<Max>& out, std::string_view text) noexcept {
    const std::size_t length = std::min(text.size(), Max);
    std::copy_n(text.begin(), length, out.bytes.begin());
    out.length = static_cast<std::uint8_t>(length);
}

link::Step step_of(const State& state) noexcept {
    switch (state.phase) {
        case Phase::backing_up:
            return link::Step::back_up;
        case Phase::applying:
            return link::Step::apply;
        case Phase::trial:
            return link::Step::trial;
        case Phase::rollback_requested:
        case Phase::restoring:
            return link::Step::restore;
        default:
            return link::Step::check;
    }
}

std::uint8_t percent_of(const State& state) noexcept {
    const bool counts = state.phase == Phase::applying || state.phase == Phase::restoring;
    if (!counts || state.units_total == 0) {
        return 0;
    }
    return static_cast<std::uint8_t>(std::min(100U, 100U * state.units_done / state.units_total));
}

}  // namespace

DeviceTarget::DeviceTarget(link::Role role, Storage& storage, Board& board, const Product& product,
                           KeyChain& keys, Journal& journal, Staging& staging) noexcept
    : role_{role},
      storage_{storage},
      board_{board},
      product_{product},
      keys_{keys},
      journal_{journal},
      staging_{staging} {}

/// Of an image whose manifest cannot be read only that is told; `memory` learns when the memory is why.
void DeviceTarget::fill_image(Slot slot, std::uint8_t whole, std::uint8_t unreadable, link::ImageInfo& out,
                              Status& memory) noexcept {
    if (slot == Slot::none) {
        return;
    }
    const Status status = load_slot(storage_, slot, nullptr, present_);
    if (status != Status::ok) {
        out.state = unreadable;
        memory = is_storage_error(status) ? status : memory;
        return;
    }
    const Manifest& manifest = present_.manifest;
    out.state = whole;
    out.size_bytes = manifest.image_size_bytes;
    out.sha256 = manifest.image_sha256;
    out.security_counter = manifest.security_counter;
    out.version = manifest.version;
}

void DeviceTarget::identity(link::Identity& out) noexcept {
    const State& state = journal_.state();
    out = {};
    out.role = role_;
    set_text(out.hardware, product_.hardware);
    set_text(out.loader_version, product_.loader_version);
    set_text(out.agent_version, product_.agent_version);
    out.unique_id = board_.unique_id();
    Status memory = journal_.mounted();
    if (state.running_slot != Slot::none) {
        const std::uint8_t whole = state.running_confirmed ? kImageConfirmed : kImageOnTrial;
        fill_image(state.running_slot, running_damaged_ ? kImageDamaged : whole, kImageDamaged, out.running,
                   memory);
    } else {
        fill_image(state.target_slot, kImageDamaged, kImageDamaged, out.running, memory);
    }
    fill_image(state.backup_slot, kBackupValid, kBackupDamaged, out.backup, memory);
    out.security_counter_floor = state.security_counter_floor;
    out.image_bytes_max = storage_.size_bytes(Region::running);
    out.load_address = product_.load_address;
    out.decoder_memory_bytes = product_.decoder_memory_bytes;
    out.last_token = state.token;
    out.last_status = state.token == 0 ? Status::ok : state.outcome;
    out.last_image = state.image_sha256;
    if (staging_.present()) {
        out.staged_package = staging_.package_id();
        out.staged_held_bytes = staging_.stored_bytes();
        out.staged_envelope_bytes = staging_.envelope_bytes();
    }
    out.stay_reason = stay_reason_ == Status::ok ? memory : stay_reason_;
    out.reset_cause = board_.reset_cause().flags;
    out.trial_boots_used = state.trial_boots_used;
    out.trial_boots_allowed = product_.trial_boots_allowed;
    out.payload_kinds = product_.payload_kinds;
    out.baud_max = product_.baud_max;
    out.download_bytes = staging_.capacity_bytes();
    out.jedec_id = board_.jedec_id();
    out.flash_kib = board_.flash_kib();
    out.last_failed_image = state.failed_sha256;
    out.key_generation = keys_.generation();
    out.key_current = keys_.id_at(out.key_generation);
    out.key_next = keys_.id_at(out.key_generation + 1U);
}

void AgentTarget::identity(link::Identity& out) noexcept {
    DeviceTarget::identity(out);
    if (watch_ != nullptr && watch_->damaged()) {
        out.backup.state = kBackupDamaged;
    }
}

/// An application without the loader's keys leaves signatures to the loader; the loader leaves them to
/// nobody.
KeyChain* DeviceTarget::verifier() noexcept {
    return role_ == link::Role::agent && keys_.empty() ? nullptr : &keys_;
}

/// Between INSTALL and the end of the installation the staged package belongs to the loader.
Status DeviceTarget::accepts_packages() const noexcept {
    if (journal_.mounted() != Status::ok) {
        return journal_.mounted();
    }
    switch (journal_.state().phase) {
        case Phase::idle:
        case Phase::trial:
        case Phase::halted:
            return Status::ok;
        case Phase::restoring:
            // In the loader: serving then means that restoring did not work.
            return role_ == link::Role::loader ? Status::ok : Status::busy;
        default:
            return Status::busy;
    }
}

Status DeviceTarget::offer(const link::Offer& offer, link::Held& held) noexcept {
    checked_ = false;
    if (const Status status = accepts_packages(); status != Status::ok) {
        return status;
    }
    const unsigned kind = offer.head[12];
    if (kind >= 32 || (product_.payload_kinds >> kind & 1U) == 0) {
        return Status::payload_unsupported;
    }
    return staging_.offer(offer, held);
}

Status DeviceTarget::write(std::uint32_t offset, std::span<const std::uint8_t> bytes) noexcept {
    checked_ = false;
    return staging_.write(offset, bytes);
}

Status DeviceTarget::check() noexcept {
    const State& state = journal_.state();
    const Manifest* running = nullptr;
    if (state.running_slot != Slot::none && !running_damaged_) {
        const Status status = load_slot(storage_, state.running_slot, verifier(), present_);
        if (is_storage_error(status)) {
            return status;
        }
        running = status == Status::ok ? &present_.manifest : nullptr;
    }
    const CheckAgainst against{
        product_,
        verifier(),
        storage_.size_bytes(Region::running),
        state.security_counter_floor,
        running,
        state.running_confirmed ? running : nullptr,
    };
    return check_package(staging_, board_, against, package_);
}

Status DeviceTarget::finish() noexcept {
    const Status status = check();
    checked_ = status == Status::ok;
    return status;
}

Status DeviceTarget::install(std::uint64_t token) noexcept {
    const State& state = journal_.state();
    if (token == 0) {
        return Status::malformed_request;
    }
    if (state.token == token) {
        if (state.phase == Phase::install_requested) {
            return Status::ok;  // the answer was lost: say it again
        }
        return state.outcome == Status::in_progress ? Status::in_progress : Status::wrong_state;
    }
    if (const Status status = accepts_packages(); status != Status::ok) {
        return status;
    }
    if (state.phase == Phase::trial) {
        return Status::wrong_state;  // its backup is the only confirmed image there is
    }
    if (!checked_) {
        if (const Status status = finish(); status != Status::ok) {
            return status;
        }
    }
    if (const Status status = journal_.reserve(kRecordsToRefuse); status != Status::ok) {
        return status;
    }
    staging_.close();
    State next = state;
    next.phase = Phase::install_requested;
    next.token = token;
    next.outcome = Status::in_progress;
    next.job = Job::install;
    next.attempts_used = 0;
    next.trial_boots_used = 0;
    next.units_done = 0;
    next.units_total = 0;
    next.image_sha256 = package_.manifest.image_sha256;
    stay_reason_ = Status::ok;  // something new begins
    return journal_.append(next);
}

Status DeviceTarget::outcome(std::uint64_t token, link::Outcome& out) noexcept {
    const State& state = journal_.state();
    out = {};
    if (journal_.mounted() != Status::ok) {
        return journal_.mounted();
    }
    if (token == 0 || token != state.token) {
        out.status = Status::unknown_token;
        return Status::ok;
    }
    // Work that a failing memory holds up does not go on: the gateway need not wait for it.
    const bool held_up = state.outcome == Status::in_progress && is_storage_error(stay_reason_);
    out.status = held_up ? stay_reason_ : state.outcome;
    out.step = step_of(state);
    out.percent = percent_of(state);
    out.image_sha256 = state.image_sha256;
    return Status::ok;
}

Status DeviceTarget::confirm() noexcept {
    const State& state = journal_.state();
    if (state.phase == Phase::idle && state.running_confirmed) {
        return Status::ok;
    }
    if (state.phase != Phase::trial || role_ != link::Role::agent) {
        return Status::wrong_state;  // only the image itself can show that it works
    }
    // Its signature was verified by the loader before this start; only the counter is read here.
    if (const Status status = load_slot(storage_, state.running_slot, nullptr, present_);
        status != Status::ok) {
        return status;
    }
    State next = state;
    next.phase = Phase::idle;
    next.running_confirmed = true;
    next.security_counter_floor = floor_after(present_.manifest, next.security_counter_floor);
    next.trial_boots_used = 0;
    next.attempts_used = 0;
    next.cause = Status::ok;
    if (next.job == Job::install) {
        next.outcome = Status::ok;
    }
    return journal_.append(next);
}

Status DeviceTarget::rollback(std::uint64_t token) noexcept {
    const State& state = journal_.state();
    if (token == 0) {
        return Status::malformed_request;
    }
    if (state.token == token) {
        if (state.phase == Phase::rollback_requested) {
            return Status::ok;
        }
        return state.outcome == Status::in_progress ? Status::in_progress : Status::wrong_state;
    }
    if (journal_.mounted() != Status::ok) {
        return journal_.mounted();
    }
    if (state.backup_slot == Slot::none) {
        return Status::backup_missing;
    }
    if (state.phase != Phase::idle && state.phase != Phase::trial) {
        return Status::wrong_state;
    }
    if (state.backup_slot == state.running_slot) {
        return Status::already_running;
    }
    if (const Status status = load_slot(storage_, state.backup_slot, verifier(), present_);
        status != Status::ok) {
        return is_storage_error(status) ? status : Status::backup_damaged;
    }
    const Manifest& backup = present_.manifest;
    if (!counter_allowed(backup, state.security_counter_floor)) {
        return Status::security_counter_old;
    }
    Status status = prove_backup(backup);
    if (status == Status::ok) {
        status = journal_.reserve(kRecordsToRefuse);
    }
    if (status != Status::ok) {
        return status;
    }
    State next = state;
    next.phase = Phase::rollback_requested;
    next.token = token;
    next.outcome = Status::in_progress;
    next.job = Job::rollback;
    next.attempts_used = 0;
    next.units_done = 0;
    next.units_total = 0;
    next.image_sha256 = backup.image_sha256;
    stay_reason_ = Status::ok;
    return journal_.append(next);
}

Status DeviceTarget::prove_backup(const Manifest& manifest) noexcept {
    std::array<std::uint8_t, kChunkBytes> chunk;
    bool whole = false;
    const Status status =
        holds_image(storage_, board_, Region::backup, bank_offset(storage_, journal_.state().backup_bank),
                    manifest, chunk, whole);
    return status == Status::ok && !whole ? Status::backup_damaged : status;
}

Status DeviceTarget::rotate(std::span<const std::uint8_t> record, std::uint16_t& generation) noexcept {
    if (const Status status = accepts_packages(); status != Status::ok) {
        return status;
    }
    checked_ = false;  // what is staged must be signed by the key that is current now
    return keys_.rotate(record, journal_, generation);
}

Status DeviceTarget::reboot(bool stay_in_loader) noexcept {
    board_.set_stay_request(stay_in_loader);
    return Status::ok;
}

void DeviceTarget::abort_staging() noexcept {
    checked_ = false;
    staging_.close();
}

std::size_t DeviceTarget::log(std::uint32_t first_sequence, std::span<char> out) noexcept {
    return journal_.text(first_sequence, out);
}

bool DeviceTarget::speed_supported(std::uint32_t baud) noexcept {
    return baud <= product_.baud_max && board_.speed_supported(baud);
}

void DeviceTarget::reset_now() noexcept {
    board_.reset();
}

}  // namespace mcuota::device
