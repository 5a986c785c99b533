// The boot journal's bytes: finding the newest record, appending, rolling over (mcu_loader/SPEC.md §3).
#include "mcu_loader/core/device/journal.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "mcu_loader/core/crc32.hpp"
#include "mcu_loader/core/device/defects.hpp"
#include "mcu_loader/core/every.hpp"
#include "mcu_loader/core/little_endian.hpp"

namespace mcuota::device {
namespace {

constexpr std::uint32_t kFormat = 0x31304A4D;  // "MJ01"
constexpr std::uint32_t kBlankWord = 0xFFFFFFFF;
constexpr std::uint8_t kYes = 0x96;
constexpr std::uint8_t kNo = 0x69;
constexpr unsigned kTriesPerRecord = 3;
constexpr unsigned kReadsPerSlot = 3;

// A record as it lies in flash: format, sequence, the state as the processor has it in memory (little-endian,
// as all that runs this), eight zeros, CRC of all that, firm mark.
constexpr std::size_t kSequenceAt = 4, kStateAt = 8, kSealedBytes = 120;
constexpr std::size_t kBodyBytes = 124;  // the firm mark follows: 0 when the rest was never in flight again
constexpr std::size_t kMarkBytes = 4;
constexpr std::size_t kOpeningBytes = kSequenceAt;
// Stored as bytes far apart.
constexpr std::size_t kConfirmedAt = kStateAt + offsetof(State, running_confirmed);
constexpr std::size_t kSpareWholeAt = kStateAt + offsetof(State, spare_whole);
static_assert(std::endian::native == std::endian::little);
static_assert(std::has_unique_object_representations_v<State>, "no gaps: it is stored and compared as bytes");
static_assert(sizeof(State) == 104 && offsetof(State, token) == 0);
static_assert(offsetof(State, phase) == 8 && offsetof(State, outcome) == 12 && offsetof(State, cause) == 14);
static_assert(offsetof(State, job) == 16 && offsetof(State, running_slot) == 17);
static_assert(offsetof(State, backup_slot) == 18 && offsetof(State, target_slot) == 19);
static_assert(offsetof(State, dirty_units) == 20 && offsetof(State, security_counter_floor) == 24);
static_assert(offsetof(State, trial_boots_used) == 28 && offsetof(State, attempts_used) == 29);
static_assert(offsetof(State, reset_cause) == 30 && kConfirmedAt == 39);
static_assert(offsetof(State, units_done) == 32 && offsetof(State, units_total) == 34);
static_assert(offsetof(State, backup_bank) == 36 && kSpareWholeAt == 45);
static_assert(offsetof(State, key_slot) == 38 && offsetof(State, key_generation) == 39);
static_assert(offsetof(State, image_sha256) == 40 && offsetof(State, failed_sha256) == 72);

using RecordBytes = std::array<std::uint8_t, kJournalRecordBytes>;
// In the last slot of a sector, where no record goes (mcu_loader/SPEC.md §3).
constexpr std::size_t kKeptAt = 0, kVoidAt = 64;

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

std::uint32_t word_at(const RecordBytes& bytes, std::size_t at) noexcept {
    return load_u32(bytes.data() + at);
}

void encode(std::uint32_t sequence, const State& state, RecordBytes& out) noexcept {
    out.fill(0);
    store_u32(out.data(), kFormat);
    store_u32(out.data() + kSequenceAt, sequence);
    std::memcpy(out.data() + kStateAt, &state, sizeof state);
    out[kConfirmedAt] = state.running_confirmed ? kYes : kNo;
    out[kSpareWholeAt] = state.spare_whole ? kYes : kNo;
    store_u32(out.data() + kSealedBytes, crc32(std::span{out}.first(kSealedBytes)));
    store_u32(out.data() + kBodyBytes, kBlankWord);
}

/// Whether `bytes` is a sealed record this code understands.
bool decode(const RecordBytes& bytes, State& state) noexcept {
    const bool sealed = word_at(bytes, kSealedBytes) == crc32(std::span{bytes}.first(kSealedBytes)) ||
                        has_defect(Defect::journal_unsealed);
    if (word_at(bytes, 0) != kFormat || word_at(bytes, kSequenceAt) == 0 || !sealed) {
        return false;
    }
    RecordBytes plain = bytes;
    for (const std::size_t flag : {kConfirmedAt, kSpareWholeAt}) {
        plain[flag] = plain[flag] == kYes ? 1 : 0;  // what a bool may hold
    }
    std::memcpy(&state, plain.data() + kStateAt, sizeof state);
    return known(state.phase) && known(state.job) && known(state.running_slot) && known(state.backup_slot) &&
           known(state.target_slot) && known(state.key_slot) &&
           (state.backup_bank == Bank::first || state.backup_bank == Bank::second);
}

Region opposite(Region region) noexcept {
    return region == Region::flag_a ? Region::flag_b : Region::flag_a;
}

}  // namespace

bool State::operator==(const State& other) const noexcept {
    return std::memcmp(this, &other, sizeof other) == 0;
}

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
    const auto marked = [&](std::size_t at) { return word_at(bytes, at) == 0; };
    if (marked(kVoidAt) && !marked(kKeptAt)) {
        out.torn_slot = slots();
        return Status::ok;
    }
    State state;
    const auto all = [&](std::uint8_t value) { return every_byte_is(bytes, value); };
    for (std::uint32_t slot = 0; slot < slots(); ++slot) {
        // A wire can flip a bit once: what makes no sense is read again before it is believed to be torn. But
        // what made no sense once was never blank.
        Status status = Status::ok;
        bool sealed = false;
        bool torn = false;
        for (unsigned reads = 0; reads < kReadsPerSlot && !sealed; ++reads) {
            status = storage_.read(region, slot * kJournalRecordBytes, bytes);
            sealed = status == Status::ok && decode(bytes, state);
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
        const std::uint32_t sequence = word_at(bytes, kSequenceAt);
        const bool firm = word_at(bytes, kBodyBytes) != kBlankWord;
        if (firm && sequence > out.firm_sequence) {
            out.firm_sequence = sequence;
            out.firm_slot = slot;
        }
        if (sequence > out.sequence) {
            out.state = state;
            out.sequence = sequence;
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
    const std::array<std::uint8_t, kMarkBytes> zeros{};
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
    const bool spoiled =
        storage_.read(region, slot * kJournalRecordBytes, bytes) == Status::ok && every_byte_is(bytes, 0);
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

Status Journal::reserve(std::uint32_t records) noexcept {
    const Status status = mounted_ == Status::ok ? settle() : mounted_;
    const std::uint32_t doubted = void_first_ ? 1 : 0;  // a slot that the next append spoils
    const bool fits = write_region_ == newest_region_ && next_slot_ + doubted + records <= slots();
    if (status != Status::ok || fits) {
        return status;
    }
    const std::uint32_t slot = next_slot_;
    next_slot_ = slots();
    if (append(state_) == Status::ok) {
        return Status::ok;
    }
    // Back to where room is left. Numbers given to records that did not come about over there are not used
    // again.
    write_region_ = newest_region_;
    next_slot_ = slot;
    void_first_ = doubted != 0;
    return Status::journal_failed;
}

std::size_t Journal::text(std::uint32_t first, std::span<char> out) noexcept {
    std::size_t used = 0;
    RecordBytes bytes;
    State state;
    for (const Region region : {opposite(newest_region_), newest_region_}) {
        for (std::uint32_t slot = 0; slot < slots(); ++slot) {
            if (storage_.read(region, slot * kJournalRecordBytes, bytes) != Status::ok) {
                return used;
            }
            const std::uint32_t sequence = word_at(bytes, kSequenceAt);
            if (!decode(bytes, state) || sequence < first) {
                continue;
            }
            const std::size_t separator = used == 0 ? 0 : 1;
            if (out.size() - used <= separator) {
                return used;
            }
            const std::size_t length = describe(sequence, state, out.subspan(used + separator));
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
