// The boot journal's bytes: finding the newest record, appending, rolling over (mcu_loader/SPEC.md §3).
#include "mcu_loader/core/device/journal.hpp"

#include <algorithm>
#include <cstring>

#include "mcu_loader/core/crc32.hpp"
#include "mcu_loader/core/device/defects.hpp"

namespace mcuota::device {
namespace {

constexpr std::uint32_t kFormat = 0x31304A4D;  // "MJ01"
constexpr std::uint32_t kBlankWord = 0xFFFFFFFF;
constexpr std::uint8_t kYes = 0x96;
constexpr std::uint8_t kNo = 0x69;
constexpr unsigned kTriesPerRecord = 3;
constexpr unsigned kReadsPerSlot = 3;

/// One record as it lies in flash.
struct JournalRecord {
    std::uint32_t format;
    std::uint32_t sequence;
    std::uint64_t token;
    std::uint32_t phase;
    std::uint16_t outcome;
    std::uint16_t cause;
    std::uint8_t job;
    std::uint8_t running_slot;
    std::uint8_t backup_slot;
    std::uint8_t target_slot;
    std::uint32_t dirty_units;
    std::uint32_t security_counter_floor;
    std::uint8_t trial_boots_used;
    std::uint8_t attempts_used;
    std::uint8_t reset_cause;
    std::uint8_t running_confirmed;
    std::uint16_t units_done;
    std::uint16_t units_total;
    std::uint8_t backup_bank;
    std::uint8_t spare_whole;
    std::uint8_t key_slot;
    std::uint8_t key_generation;
    std::uint8_t image_sha256[32];
    std::uint8_t failed_sha256[32];
    std::uint64_t zero_2;
    std::uint32_t crc;  // of everything above
    std::uint32_t
        firm;  // programmed to 0 after all the rest was: not blank = the rest was never in flight again
};
static_assert(sizeof(JournalRecord) == kJournalRecordBytes);
static_assert(offsetof(JournalRecord, sequence) == 4 && offsetof(JournalRecord, token) == 8);
static_assert(offsetof(JournalRecord, phase) == 16 && offsetof(JournalRecord, outcome) == 20);
static_assert(offsetof(JournalRecord, cause) == 22 && offsetof(JournalRecord, job) == 24);
static_assert(offsetof(JournalRecord, running_slot) == 25 && offsetof(JournalRecord, backup_slot) == 26);
static_assert(offsetof(JournalRecord, target_slot) == 27 && offsetof(JournalRecord, dirty_units) == 28);
static_assert(offsetof(JournalRecord, security_counter_floor) == 32 &&
              offsetof(JournalRecord, trial_boots_used) == 36);
static_assert(offsetof(JournalRecord, attempts_used) == 37 && offsetof(JournalRecord, reset_cause) == 38);
static_assert(offsetof(JournalRecord, running_confirmed) == 39 && offsetof(JournalRecord, units_done) == 40);
static_assert(offsetof(JournalRecord, units_total) == 42 && offsetof(JournalRecord, backup_bank) == 44);
static_assert(offsetof(JournalRecord, spare_whole) == 45 && offsetof(JournalRecord, key_slot) == 46);
static_assert(offsetof(JournalRecord, key_generation) == 47);
static_assert(offsetof(JournalRecord, image_sha256) == 48 && offsetof(JournalRecord, failed_sha256) == 80);
static_assert(offsetof(JournalRecord, zero_2) == 112 && offsetof(JournalRecord, crc) == 120);
static_assert(offsetof(JournalRecord, firm) == 124);

using RecordBytes = std::array<std::uint8_t, kJournalRecordBytes>;
// In the last slot of a sector, where no record goes (mcu_loader/SPEC.md §3).
constexpr std::size_t kKeptAt = 0, kVoidAt = 64;
constexpr std::size_t kOpeningBytes = sizeof(JournalRecord::format);
constexpr std::size_t kSealedBytes = offsetof(JournalRecord, crc);
constexpr std::size_t kBodyBytes = offsetof(JournalRecord, firm);

bool known(Phase phase) noexcept {
    switch (phase) {
        case Phase::idle:
        case Phase::install_requested:
        case Phase::backing_up:
        case Phase::applying:
        case Phase::trial:
        case Phase::rollback_requested:
        case Phase::restoring:
        case Phase::halted:
            return true;
    }
    return false;
}

bool known(Slot slot) noexcept {
    return slot == Slot::none || slot == Slot::a || slot == Slot::b;
}

bool known(Job job) noexcept {
    return job == Job::none || job == Job::install || job == Job::rollback || job == Job::recovery;
}

void encode(std::uint32_t sequence, const State& state, RecordBytes& out) noexcept {
    JournalRecord record{};
    record.format = kFormat;
    record.sequence = sequence;
    record.token = state.token;
    record.phase = static_cast<std::uint32_t>(state.phase);
    record.outcome = static_cast<std::uint16_t>(state.outcome);
    record.cause = static_cast<std::uint16_t>(state.cause);
    record.job = static_cast<std::uint8_t>(state.job);
    record.running_slot = static_cast<std::uint8_t>(state.running_slot);
    record.backup_slot = static_cast<std::uint8_t>(state.backup_slot);
    record.target_slot = static_cast<std::uint8_t>(state.target_slot);
    record.dirty_units = state.dirty_units;
    record.security_counter_floor = state.security_counter_floor;
    record.trial_boots_used = state.trial_boots_used;
    record.attempts_used = state.attempts_used;
    record.reset_cause = state.reset_cause;
    record.running_confirmed = state.running_confirmed ? kYes : kNo;
    record.units_done = state.units_done;
    record.units_total = state.units_total;
    record.backup_bank = static_cast<std::uint8_t>(state.backup_bank);
    record.spare_whole = state.spare_whole ? kYes : kNo;
    record.key_slot = static_cast<std::uint8_t>(state.key_slot);
    record.key_generation = state.key_generation;
    std::copy(state.image_sha256.begin(), state.image_sha256.end(), record.image_sha256);
    std::copy(state.failed_sha256.begin(), state.failed_sha256.end(), record.failed_sha256);
    std::memcpy(out.data(), &record, sizeof record);
    record.crc = crc32(std::span{out}.first(kSealedBytes));
    record.firm = kBlankWord;
    std::memcpy(out.data(), &record, sizeof record);
}

/// Whether `bytes` is a sealed record this code understands.
bool decode(const RecordBytes& bytes, JournalRecord& record, State& state) noexcept {
    std::memcpy(&record, bytes.data(), sizeof record);
    const bool sealed =
        record.crc == crc32(std::span{bytes}.first(kSealedBytes)) || has_defect(Defect::journal_unsealed);
    if (record.format != kFormat || record.sequence == 0 || !sealed) {
        return false;
    }
    state.phase = static_cast<Phase>(record.phase);
    state.token = record.token;
    state.outcome = static_cast<Status>(record.outcome);
    state.cause = static_cast<Status>(record.cause);
    state.job = static_cast<Job>(record.job);
    state.running_slot = static_cast<Slot>(record.running_slot);
    state.backup_slot = static_cast<Slot>(record.backup_slot);
    state.target_slot = static_cast<Slot>(record.target_slot);
    state.dirty_units = record.dirty_units;
    state.security_counter_floor = record.security_counter_floor;
    state.trial_boots_used = record.trial_boots_used;
    state.attempts_used = record.attempts_used;
    state.reset_cause = record.reset_cause;
    state.running_confirmed = record.running_confirmed == kYes;
    state.units_done = record.units_done;
    state.units_total = record.units_total;
    state.backup_bank = static_cast<Bank>(record.backup_bank);
    state.spare_whole = record.spare_whole == kYes;
    state.key_slot = static_cast<Slot>(record.key_slot);
    state.key_generation = record.key_generation;
    std::copy(std::begin(record.image_sha256), std::end(record.image_sha256), state.image_sha256.begin());
    std::copy(std::begin(record.failed_sha256), std::end(record.failed_sha256), state.failed_sha256.begin());
    return known(state.phase) && known(state.job) && known(state.running_slot) && known(state.backup_slot) &&
           known(state.target_slot) && known(state.key_slot) &&
           (state.backup_bank == Bank::first || state.backup_bank == Bank::second);
}

Region opposite(Region region) noexcept {
    return region == Region::flag_a ? Region::flag_b : Region::flag_a;
}

}  // namespace

/// What one flag region holds.
struct Journal::Scan {
    State state{};
    std::uint32_t sequence{0};  ///< 0: no sealed record
    std::uint32_t slot{0};
    std::uint32_t used_slots{0};  ///< up to and with the last slot that is not blank
    std::uint32_t torn_slot{0};   ///< the last that is neither blank, spoiled nor sealed, plus 1; 0: none
    bool firm{false};
    std::uint32_t firm_sequence{0};  ///< highest of a firm record; 0: none
    std::uint32_t firm_slot{0};
};

std::uint32_t Journal::slots() const noexcept {
    // The last one is for the marks of the sector.
    return storage_.erase_unit_bytes(Region::flag_a, 0) / static_cast<std::uint32_t>(kJournalRecordBytes) - 1;
}

Status Journal::scan(Region region, Scan& out) noexcept {
    RecordBytes bytes;
    if (const Status status = storage_.read(region, slots() * kJournalRecordBytes, bytes);
        status != Status::ok) {
        return status;
    }
    const auto marked = [&](std::size_t at) {
        std::uint32_t word = 0;
        std::memcpy(&word, bytes.data() + at, sizeof word);
        return word == 0;
    };
    if (marked(kVoidAt) && !marked(kKeptAt)) {
        out.torn_slot = slots();
        return Status::ok;
    }
    JournalRecord record;
    State state;
    const auto all = [&](std::uint8_t value) {
        return std::all_of(bytes.begin(), bytes.end(), [=](std::uint8_t byte) { return byte == value; });
    };
    for (std::uint32_t slot = 0; slot < slots(); ++slot) {
        // A wire can flip a bit once: what makes no sense is read again before it is believed to be torn. But
        // what made no sense once was never blank.
        Status status = Status::ok;
        bool sealed = false;
        bool torn = false;
        for (unsigned reads = 0; reads < kReadsPerSlot && !sealed; ++reads) {
            status = storage_.read(region, slot * kJournalRecordBytes, bytes);
            sealed = status == Status::ok && decode(bytes, record, state);
            if (status == Status::ok && !torn && (all(0xFF) || all(0))) {
                break;
            }
            torn = torn || status == Status::ok;
        }
        if (status != Status::ok) {
            return status;
        }
        if (!torn && all(0xFF)) {
            continue;
        }
        out.used_slots = slot + 1;
        if (!sealed) {
            out.torn_slot = torn ? slot + 1 : out.torn_slot;
            continue;
        }
        const bool firm = record.firm != kBlankWord;
        if (firm && record.sequence > out.firm_sequence) {
            out.firm_sequence = record.sequence;
            out.firm_slot = slot;
        }
        if (record.sequence > out.sequence) {
            out.state = state;
            out.sequence = record.sequence;
            out.slot = slot;
            out.firm = firm;
        }
    }
    return Status::ok;
}

Status Journal::mount() noexcept {
    Scan a;
    Scan b;
    mounted_ = scan(Region::flag_a, a);
    if (mounted_ == Status::ok) {
        mounted_ = scan(Region::flag_b, b);
    }
    if (mounted_ != Status::ok) {
        return mounted_;
    }
    const Scan& newest = b.sequence > a.sequence ? b : a;
    torn_from_ = torn_until_ = torn_other_ = weak_firm_slot_ = 0;
    state_ = newest.state;
    sequence_ = newest.sequence;
    if (sequence_ == 0) {
        // Nothing sealed: the first record goes to flag_a, after an erase, whatever is there now.
        newest_region_ = firm_region_ = write_region_ = Region::flag_b;
        next_slot_ = slots();
        next_sequence_ = 1;
        doubtful_ = void_first_ = false;
        torn_other_ = a.torn_slot;  // a first record that did not come about
        return Status::ok;
    }
    newest_region_ = write_region_ = &newest == &b ? Region::flag_b : Region::flag_a;
    next_slot_ = newest.used_slots;
    next_sequence_ = newest.sequence + (newest.used_slots - newest.slot);
    const Scan& firm = b.firm_sequence > a.firm_sequence ? b : a;
    firm_region_ = firm.firm_sequence == 0 ? newest_region_ : &firm == &b ? Region::flag_b : Region::flag_a;
    weak_firm_slot_ = firm.firm_sequence == 0 ? 0 : firm.firm_slot + 1;
    doubtful_ = !newest.firm;
    void_first_ = true;
    // What became of a record in flight: behind the newest one, or first in the other sector after its erase.
    const Scan& older = &newest == &b ? a : b;
    torn_from_ = newest.slot + 1;
    torn_until_ = std::max(newest.torn_slot, torn_from_);
    torn_other_ = older.sequence == 0 ? older.torn_slot : 0;
    return Status::ok;
}

Status Journal::settle() noexcept {
    if (doubtful_) {
        return append(state_);
    }
    spoil_torn();
    if (state_.phase != Phase::idle) {
        keep_firm();
    }
    return Status::ok;
}

/// A mark that was in flight reads firm now and blank later: once it was acted on, it must read firm for
/// good. In a full sector that includes any doubt whether the sector was about to be given up.
void Journal::keep_firm() noexcept {
    if (weak_firm_slot_ == 0) {
        return;
    }
    static_cast<void>(mark(firm_region_, weak_firm_slot_ - 1, kBodyBytes));
    weak_firm_slot_ = 0;
    if (next_slot_ >= slots()) {
        static_cast<void>(mark(firm_region_, slots(), kKeptAt));
    }
}

Status Journal::mark(Region region, std::uint32_t slot, std::size_t at) noexcept {
    const std::array<std::uint8_t, sizeof(JournalRecord::firm)> zeros{};
    return storage_.program(region, static_cast<std::uint32_t>(slot * kJournalRecordBytes + at), zeros);
}

/// Remains of a record may read as a whole one at a later start, and tell another story than the one told
/// now.
void Journal::spoil_torn() noexcept {
    for (; torn_from_ < torn_until_; ++torn_from_) {
        spoil_unless_spoiled(newest_region_, torn_from_);
    }
    if (torn_other_ != 0) {
        // Perhaps given up by a mark in flight: it must read so ever after before its records are spoiled.
        static_cast<void>(mark(opposite(newest_region_), slots(), kVoidAt));
    }
    for (; torn_other_ > 0; --torn_other_) {
        spoil_unless_spoiled(opposite(newest_region_), torn_other_ - 1);
    }
}

/// Also a slot that reads blank or as a record now: a moment ago it did not, so it was in flight.
void Journal::spoil_unless_spoiled(Region region, std::uint32_t slot) noexcept {
    RecordBytes bytes{};
    const bool spoiled = storage_.read(region, slot * kJournalRecordBytes, bytes) == Status::ok &&
                         std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
    if (!spoiled) {
        spoil(region, slot);
    }
}

/// In two steps: where all of a slot reads zero, the first step was complete, so it never reads as a record
/// or blank again. A slot that takes no zeros is passed over: append() copes with it.
void Journal::spoil(Region region, std::uint32_t slot) noexcept {
    const std::array<std::uint8_t, kBodyBytes> zeros{};
    const std::uint32_t offset = slot * static_cast<std::uint32_t>(kJournalRecordBytes);
    static_cast<void>(storage_.program(region, offset, zeros));
    static_cast<void>(mark(region, slot, kBodyBytes));
}

Status Journal::make_room() noexcept {
    // No slot is used while the one before it could still read blank: so at most one slot is in doubt, and it
    // is the last that does not read blank or the first that does.
    spoil_torn();
    if (void_first_ && next_slot_ < slots()) {
        // The slot reads blank but a record may have been in flight there: zeros are safe over anything, a
        // record is not.
        spoil(write_region_, next_slot_);
        use_slot();
    }
    void_first_ = false;
    if (next_slot_ < slots()) {
        return Status::ok;
    }
    // Never the sector with the newest firm record, even when newer ones in doubt fill the other. Its mark
    // may have been in flight: it must read as firm ever after before the other sector goes.
    keep_firm();
    write_region_ = opposite(firm_region_);
    if (write_region_ == newest_region_) {
        // An erase in flight could leave these newer records readable, and something would be appended to
        // them. A spoiling in flight could do the same with one whose mark is in doubt, so that the sector is
        // given up by a mark of its own first.
        static_cast<void>(mark(write_region_, slots(), kVoidAt));
        for (std::uint32_t slot = 0; slot < slots(); ++slot) {
            spoil(write_region_, slot);
        }
    }
    next_slot_ = 0;
    return storage_.erase(write_region_, 0, storage_.erase_unit_bytes(write_region_, 0));
}

Status Journal::write_record(const State& next) noexcept {
    RecordBytes bytes;
    encode(next_sequence_, next, bytes);
    const std::uint32_t offset = next_slot_ * static_cast<std::uint32_t>(kJournalRecordBytes);
    if (has_defect(Defect::journal_unsealed)) {
        std::fill(bytes.begin() + kBodyBytes, bytes.end(), std::uint8_t{0});
        return storage_.program(write_region_, offset, bytes);
    }
    // The first word alone, before the rest: whatever a record in flight reads like later, its slot does not
    // read blank, so settle() finds it.
    const auto opening = std::span{bytes}.first(kOpeningBytes);
    const auto rest = std::span{bytes}.first(kBodyBytes).subspan(kOpeningBytes);
    if (const Status status = storage_.program(write_region_, offset, opening); status != Status::ok) {
        return status;
    }
    if (const Status status =
            storage_.program(write_region_, offset + static_cast<std::uint32_t>(kOpeningBytes), rest);
        status != Status::ok) {
        return status;
    }
    return mark(write_region_, next_slot_, kBodyBytes);
}

Status Journal::append(const State& next) noexcept {
    if (mounted_ != Status::ok) {
        return mounted_;  // what stands there is not known: it must not be written over
    }
    State wanted = next;
    wanted.reset_cause = reset_cause_;
    for (unsigned tries = 0; tries < 2 * kTriesPerRecord; ++tries) {
        if (tries == kTriesPerRecord) {
            next_slot_ = slots();  // this sector is worn: the other one, unless that holds the newest record
        }
        if (make_room() != Status::ok) {
            next_slot_ = slots();  // the other sector would not erase: nothing may be written there
            continue;
        }
        const Status status = write_record(wanted);
        const std::uint32_t written = next_sequence_;
        use_slot();
        if (status == Status::ok) {
            state_ = wanted;
            sequence_ = written;
            newest_region_ = firm_region_ = write_region_;
            weak_firm_slot_ = 0;
            doubtful_ = false;
            return Status::ok;
        }
    }
    return Status::journal_failed;
}

std::size_t Journal::text(std::uint32_t first, std::span<char> out) noexcept {
    std::size_t used = 0;
    RecordBytes bytes;
    JournalRecord record;
    State state;
    for (const Region region : {opposite(newest_region_), newest_region_}) {
        for (std::uint32_t slot = 0; slot < slots(); ++slot) {
            if (storage_.read(region, slot * kJournalRecordBytes, bytes) != Status::ok) {
                return used;
            }
            if (!decode(bytes, record, state) || record.sequence < first) {
                continue;
            }
            const std::size_t separator = used == 0 ? 0 : 1;
            if (out.size() - used <= separator) {
                return used;
            }
            const std::size_t length = describe(record.sequence, state, out.subspan(used + separator));
            if (length == 0) {
                return used;
            }
            if (separator != 0) {
                out[used] = '\n';
            }
            used += separator + length;
        }
    }
    return used;
}

}  // namespace mcuota::device
