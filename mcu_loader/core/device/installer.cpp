// Installation and restore, step by step. Each step journals its intention, acts, and journals the fact.
#include "mcu_loader/core/device/installer.hpp"

#include <algorithm>

#include "mcu_loader/core/device/defects.hpp"
#include "mcu_loader/core/device/package_check.hpp"
#include "mcu_loader/core/device/unit_io.hpp"
#include "mcu_loader/core/little_endian.hpp"

namespace mcuota::device {
namespace {

constexpr std::uint32_t kCopyBytes = 4096;

}  // namespace

Installer::Installer(const LoaderParts& parts, Journal& journal, Staging& staging, KeyChain& keys) noexcept
    : parts_{parts}, journal_{journal}, staging_{staging}, keys_{keys} {}

void Installer::tell(link::Step step, std::uint32_t done, std::uint32_t total) noexcept {
    parts_.board.feed_watchdog();
    // In 32 bits, because a 64-bit division would cost 700 bytes of flash: regions are smaller than 40 MiB.
    const std::uint32_t percent = done * 100 / total;
    if (step != told_step_ || percent != told_percent_) {
        told_step_ = step;
        told_percent_ = static_cast<std::uint8_t>(percent);
        parts_.hooks.progress(journal_.state().token, step, told_percent_);
    }
}

void Installer::plan_units(std::uint32_t image_bytes) noexcept {
    unit_count_ = 0;
    // A unit that was in flight is written again whatever it reads now: its cells may be marginal, so they
    // are not even looked at.
    std::uint32_t clean = has_defect(Defect::dirty_bits_forgotten) ? ~0U : ~journal_.state().dirty_units;
    for (std::uint32_t offset = 0; offset < image_bytes && unit_count_ < kRunningUnitsMax;) {
        const std::uint32_t bytes = parts_.storage.erase_unit_bytes(Region::running, offset);
        const bool steady = (clean & 1U) != 0;
        units_[unit_count_++] = Unit{offset, std::min(bytes, image_bytes - offset), steady, steady};
        clean >>= 1U;
        offset += bytes;
    }
}

Status Installer::holds(Region region, std::uint32_t offset, const Manifest& manifest, bool& whole) noexcept {
    const std::size_t piece_bytes = std::min<std::size_t>(parts_.work.size(), kCopyBytes);
    return holds_image(parts_.storage, parts_.board, region, offset, manifest, parts_.work.first(piece_bytes),
                       whole);
}

Status Installer::examine_vectors(const Manifest& manifest, RunningImage& out) noexcept {
    std::array<std::uint8_t, 8> words{};
    if (manifest.image_size_bytes >= words.size()) {
        if (const Status status = parts_.storage.read(Region::running, 0, words); status != Status::ok) {
            return status;
        }
    }
    const bool usable =
        vectors_usable(load_u32(words.data()), load_u32(words.data() + 4), parts_.product.load_address,
                       manifest.image_size_bytes, parts_.product.ram_begin, parts_.product.ram_end);
    out = usable ? RunningImage::valid : RunningImage::vectors_invalid;
    return Status::ok;
}

Status Installer::examine_running(RunningImage& out) noexcept {
    const Slot slot = journal_.state().running_slot;
    out = RunningImage::none;
    if (slot == Slot::none) {
        return Status::ok;
    }
    out = RunningImage::damaged;
    parts_.board.feed_watchdog();
    // What was verified and written since this start needs neither a signature nor a hash again.
    const bool verified = slot == verified_slot_;
    KeyChain* const keys = verified ? nullptr : &keys_;
    if (const Status status = load_slot(parts_.storage, slot, keys, present_); status != Status::ok) {
        return is_storage_error(status) ? status : Status::ok;
    }
    const Manifest& manifest = present_.manifest;
    if (manifest.hardware.view() != parts_.product.hardware ||
        manifest.load_address != parts_.product.load_address ||
        manifest.image_size_bytes > parts_.storage.size_bytes(Region::running)) {
        return Status::ok;
    }
    if (!verified) {
        bool whole = false;
        const Status status = holds(Region::running, 0, manifest, whole);
        if (status != Status::ok || !whole) {
            return status;
        }
        verified_slot_ = slot;
    }
    return examine_vectors(manifest, out);
}

Status Installer::examine_backup(bool& held) noexcept {
    const State& state = journal_.state();
    const Status status = load_slot(parts_.storage, state.backup_slot, &keys_, package_);
    held = status == Status::ok && counter_allowed(package_.manifest, state.security_counter_floor) &&
           package_.manifest.image_size_bytes <= parts_.storage.size_bytes(Region::running);
    return is_storage_error(status) ? status : Status::ok;
}

/// The image a delta may start from: the running one, or its backup once applying has begun. Its bytes are
/// proven where it matters: by the hash of what a delta makes of them, and when they become the backup.
Status Installer::find_base(const Manifest*& base) noexcept {
    base = nullptr;
    const State& state = journal_.state();
    const bool from_backup = state.phase == Phase::applying;
    const Slot slot = from_backup ? state.backup_slot : state.running_slot;
    if (slot == Slot::none || (!from_backup && !state.running_confirmed)) {
        return Status::ok;
    }
    const Status status = load_slot(parts_.storage, slot, &keys_, present_);
    if (status == Status::ok &&
        present_.manifest.image_size_bytes <= parts_.storage.size_bytes(Region::running)) {
        base = &present_.manifest;
    }
    return is_storage_error(status) ? status : Status::ok;
}

Status Installer::check(const Manifest*& base) noexcept {
    tell(link::Step::check, 0, 1);
    if (const Status status = find_base(base); status != Status::ok) {
        return status;
    }
    const State& state = journal_.state();
    CheckAgainst against{
        parts_.product,
        &keys_,
        parts_.storage.size_bytes(Region::running),
        state.security_counter_floor,
        base,
        state.phase == Phase::applying ? nullptr : base,
    };
    const Status status = check_package(staging_, parts_.board, against, package_);
    if (status != Status::already_running || base == nullptr) {
        return status;
    }
    bool whole = false;
    if (const Status read = holds(Region::running, 0, *base, whole); whole || read != Status::ok) {
        return whole ? status : read;
    }
    // The same image, but its bytes are damaged: it is put right.
    base = against.base = against.confirmed = nullptr;
    return check_package(staging_, parts_.board, against, package_);
}

namespace {

/// The base image as the decoder reads it.
class BaseSource final : public ByteSource {
  public:
    BaseSource(Storage& storage, Region region, std::uint32_t begin, std::uint32_t size) noexcept
        : storage_{storage}, region_{region}, begin_{begin}, size_{size} {}
    [[nodiscard]] Status read(std::uint32_t offset, std::span<std::uint8_t> out) noexcept override {
        return storage_.read(region_, begin_ + offset, out);
    }
    [[nodiscard]] std::uint32_t size_bytes() const noexcept override { return size_; }

  private:
    Storage& storage_;
    Region region_;
    std::uint32_t begin_;
    std::uint32_t size_;
};

}  // namespace

Status Installer::rehearse(const Manifest* base) noexcept {
    const Manifest& manifest = package_.manifest;
    plan_units(manifest.image_size_bytes);
    Rehearsal sink{*this, link::Step::rehearse, manifest.image_size_bytes};
    StagedPayload payload{staging_};
    const bool from_backup = journal_.state().phase == Phase::applying;
    const Region region = from_backup ? Region::backup : Region::running;
    const std::uint32_t begin = from_backup ? backup_offset() : 0;
    BaseSource source{parts_.storage, region, begin, base == nullptr ? 0 : base->image_size_bytes};
    Status status = decode_payload(staging_.head().kind, payload, base == nullptr ? nullptr : &source,
                                   manifest.image_size_bytes, parts_.work, sink);
    if (status == Status::ok && sink.finish() != manifest.image_sha256) {
        status = Status::image_hash_mismatch;
    }
    if (status == Status::ok || is_storage_error(status) || base == nullptr ||
        !needs_base(staging_.head().kind)) {
        return status;
    }
    bool whole = false;
    const Status read = holds(region, begin, *base, whole);
    return read == Status::ok && !whole ? Status::base_mismatch : status;
}

Status Installer::copy_to_backup(const Manifest& running, Bank bank) noexcept {
    const std::uint32_t size = running.image_size_bytes;
    const std::uint32_t begin = bank_offset(parts_.storage, bank);
    const std::uint32_t bank_bytes = parts_.storage.size_bytes(Region::backup) - begin;
    const std::span<std::uint8_t> buffer =
        parts_.work.first(std::min<std::size_t>(parts_.work.size(), kCopyBytes));
    constexpr std::uint32_t kBlockBytes = 64 * 1024;
    Sha256 hash;
    std::uint32_t erased_until = 0;
    for (std::uint32_t offset = 0; offset < size;) {
        if (offset >= erased_until) {
            const std::uint32_t end = std::min(erased_until + kBlockBytes, bank_bytes);
            parts_.board.feed_watchdog();
            const Status status =
                parts_.storage.erase(Region::backup, begin + erased_until, end - erased_until);
            if (status != Status::ok) {
                return status;
            }
            erased_until = end;
        }
        const std::uint32_t count =
            std::min({static_cast<std::uint32_t>(buffer.size()), size - offset, erased_until - offset});
        const std::span<std::uint8_t> piece = buffer.first(count);
        if (const Status status = parts_.storage.read(Region::running, offset, piece); status != Status::ok) {
            return status;
        }
        hash.update(piece);
        if (const Status status = parts_.storage.program(Region::backup, begin + offset, piece);
            status != Status::ok) {
            return status;
        }
        offset += count;
        tell(link::Step::back_up, offset, size);
    }
    // What was programmed was read back; what was read from the running region must still be the image.
    return hash.digest() == running.image_sha256 ? Status::ok : Status::application_damaged;
}

/// Nothing is touched unless the journal has room for the rest of the job, whatever becomes of it: the units
/// that differ are written `writings` times at most (in, and out again), with attempts and trial boots in
/// between. A sector of the journal that is worn out is found here, while the application is whole.
Status Installer::reserve_journal(std::uint32_t writings) noexcept {
    // Backing up, backup, applying, trial, restoring, end, and one to spare.
    constexpr std::uint32_t kSteps = 7;
    std::uint32_t records = kSteps + parts_.product.trial_boots_allowed + parts_.product.install_attempts_max;
    for (const Unit& unit : units()) {
        records += unit.same ? 0 : writings;
    }
    return journal_.reserve(records);
}

/// Sees to it that the backup is the image that runs. `kept` is false when there is no such image any more
/// because its bytes are damaged: nothing was touched then.
Status Installer::back_up(const Manifest& running, bool& kept) noexcept {
    tell(link::Step::back_up, 0, running.image_size_bytes);
    State next = journal_.state();
    if (next.backup_slot == next.running_slot) {
        // One manifest for both: after a restore, or after a cut right behind the backup. Still there?
        const Status status = holds(Region::backup, backup_offset(), running, kept);
        if (status != Status::ok || kept) {
            return status;
        }
    }
    const bool two_banks = has_two_banks(parts_.storage);
    const Bank bank = two_banks ? other(next.backup_bank) : next.backup_bank;
    if (two_banks && next.spare_whole) {
        const Status status = holds(Region::backup, bank_offset(parts_.storage, bank), running, kept);
        if (status != Status::ok) {
            return status;
        }
    }
    if (!kept) {
        if (const Status status = holds(Region::running, 0, running, kept); status != Status::ok || !kept) {
            return status;
        }
        next.phase = Phase::backing_up;
        next.spare_whole = false;
        if (!two_banks) {
            next.backup_slot = Slot::none;
        }
        if (const Status status = journal_.append(next); status != Status::ok) {
            return status;
        }
        if (const Status status = copy_to_backup(running, bank); status != Status::ok) {
            return status;
        }
    }
    next.backup_slot = next.running_slot;
    next.backup_bank = bank;
    next.spare_whole = false;
    return journal_.append(next);
}

Status Installer::begin_apply() noexcept {
    State next = journal_.state();
    if (next.phase != Phase::applying) {
        // The slot of the backup must survive; the other one is free, because a whole running image is the
        // backup now.
        next.target_slot = other(next.backup_slot);
        if (const Status status = store_slot(parts_.storage, next.target_slot, package_);
            status != Status::ok) {
            return status;
        }
        next.phase = Phase::applying;
        next.running_slot = Slot::none;
        next.running_confirmed = false;
        next.spare_whole = false;
        next.image_sha256 = package_.manifest.image_sha256;
        next.units_done = 0;
    }
    next.units_total = static_cast<std::uint16_t>(unit_count_);
    return next == journal_.state() ? Status::ok : journal_.append(next);
}

Status Installer::verify_applied() noexcept {
    const Manifest& manifest = package_.manifest;
    tell(link::Step::verify, 0, 1);
    bool whole = false;
    Status status = holds(Region::running, 0, manifest, whole);
    if (status == Status::ok && !whole) {
        State next = journal_.state();
        next.dirty_units = 0xFFFFFFFF;  // trust no unit: all are written again
        status = journal_.append(next);
        if (status == Status::ok) {
            status = Status::flash_program_failed;
        }
    }
    return status;
}

Status Installer::apply() noexcept {
    const Manifest& manifest = package_.manifest;
    tell(link::Step::apply, 0, manifest.image_size_bytes);
    UnitWriter sink{*this, link::Step::apply};
    StagedPayload payload{staging_};
    const bool has_base = journal_.state().backup_slot != Slot::none;
    BaseSource base{parts_.storage, Region::backup, backup_offset(), present_.manifest.image_size_bytes};
    const Status status = decode_payload(staging_.head().kind, payload, has_base ? &base : nullptr,
                                         manifest.image_size_bytes, parts_.work, sink);
    return status != Status::ok ? status : verify_applied();
}

Status Installer::install() noexcept {
    verified_slot_ = Slot::none;
    const Manifest* base = nullptr;
    if (const Status status = check(base); status != Status::ok) {
        return status;
    }
    if (has_defect(Defect::erase_before_rehearsal) && journal_.state().phase != Phase::applying) {
        static_cast<void>(
            parts_.storage.erase(Region::running, 0, parts_.storage.erase_unit_bytes(Region::running, 0)));
    }
    if (const Status status = rehearse(base); status != Status::ok) {
        return status;
    }
    if (journal_.state().phase != Phase::applying) {
        if (const Status status = reserve_journal(2); status != Status::ok) {
            return status;
        }
    }
    if (journal_.state().phase != Phase::applying && base != nullptr) {
        bool kept = false;
        if (const Status status = back_up(*base, kept); status != Status::ok) {
            return status;
        }
        if (!kept && needs_base(staging_.head().kind)) {
            return Status::base_mismatch;
        }
    }
    if (const Status status = begin_apply(); status != Status::ok) {
        return status;
    }
    if (const Status status = apply(); status != Status::ok) {
        return status;
    }
    State next = journal_.state();
    next.phase = Phase::trial;
    next.running_slot = next.target_slot;
    next.running_confirmed = false;
    next.target_slot = Slot::none;
    next.dirty_units = 0;
    next.units_done = next.units_total;
    next.trial_boots_used = 0;
    next.attempts_used = 0;
    next.cause = Status::ok;
    if (const Status status = journal_.append(next); status != Status::ok) {
        return status;
    }
    verified_slot_ = next.running_slot;
    tell(link::Step::trial, 0, 1);
    return Status::ok;
}

/// Loads the backup's manifest into package_ and proves the backup's bytes, learning which units differ from
/// it.
Status Installer::check_backup() noexcept {
    const State& state = journal_.state();
    if (state.backup_slot == Slot::none) {
        return Status::backup_missing;
    }
    parts_.board.feed_watchdog();
    const Manifest& manifest = package_.manifest;
    const Status loaded = load_slot(parts_.storage, state.backup_slot, &keys_, package_);
    if (loaded != Status::ok || manifest.image_size_bytes > parts_.storage.size_bytes(Region::running)) {
        return is_storage_error(loaded) ? loaded : Status::backup_damaged;
    }
    if (!counter_allowed(manifest, state.security_counter_floor)) {
        return Status::security_counter_old;
    }
    plan_units(manifest.image_size_bytes);
    Rehearsal sink{*this, link::Step::check, manifest.image_size_bytes};
    BaseSource backup{parts_.storage, Region::backup, backup_offset(), manifest.image_size_bytes};
    const Status status =
        decode_payload(PayloadKind::raw, backup, nullptr, manifest.image_size_bytes, parts_.work, sink);
    if (status != Status::ok) {
        return status;
    }
    const bool whole = sink.finish() == manifest.image_sha256 || has_defect(Defect::backup_unchecked);
    return whole ? Status::ok : Status::backup_damaged;
}

Status Installer::write_back() noexcept {
    const Manifest& manifest = package_.manifest;
    tell(link::Step::restore, 0, manifest.image_size_bytes);
    UnitWriter sink{*this, link::Step::restore};
    BaseSource backup{parts_.storage, Region::backup, backup_offset(), manifest.image_size_bytes};
    const Status status =
        decode_payload(PayloadKind::raw, backup, nullptr, manifest.image_size_bytes, parts_.work, sink);
    return status != Status::ok ? status : verify_applied();
}

Status Installer::restore(Status cause) noexcept {
    verified_slot_ = Slot::none;
    if (const Status status = check_backup(); status != Status::ok) {
        return status;
    }
    if (journal_.state().phase == Phase::rollback_requested) {
        if (const Status status = reserve_journal(1); status != Status::ok) {
            return status;
        }
    }
    State next = journal_.state();
    if (next.phase != Phase::restoring) {
        if (next.phase == Phase::trial && next.job == Job::install) {
            next.failed_sha256 = next.image_sha256;
        }
        if (next.phase == Phase::idle) {
            next.job = Job::recovery;  // nobody asked: the last token's outcome stays as it is
        }
        next.phase = Phase::restoring;
        next.cause = cause;
        next.running_slot = Slot::none;
        next.running_confirmed = false;
        next.spare_whole = false;
        next.target_slot = next.backup_slot;
        next.units_done = 0;
        next.units_total = static_cast<std::uint16_t>(unit_count_);
        if (const Status status = journal_.append(next); status != Status::ok) {
            return status;
        }
    }
    if (const Status status = write_back(); status != Status::ok) {
        return status;
    }
    next = journal_.state();
    next.phase = Phase::idle;
    next.running_slot = next.backup_slot;
    next.running_confirmed = true;
    next.security_counter_floor = floor_after(package_.manifest, next.security_counter_floor);
    next.target_slot = Slot::none;
    next.dirty_units = 0;
    next.units_done = next.units_total;
    next.trial_boots_used = 0;
    next.attempts_used = 0;
    if (next.job == Job::rollback) {
        next.image_sha256 = package_.manifest.image_sha256;
    }
    if (next.outcome == Status::in_progress) {
        next.outcome = next.job == Job::install ? next.cause : Status::rolled_back;
    }
    if (const Status status = journal_.append(next); status != Status::ok) {
        return status;
    }
    verified_slot_ = next.running_slot;
    return Status::ok;
}

}  // namespace mcuota::device
