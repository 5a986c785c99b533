// The self test's work on the flag regions: journal and manifest slots, with the code the loader itself uses.
#include <algorithm>

#include "mcu_loader/core/crc32.hpp"
#include "mcu_loader/core/device/journal.hpp"
#include "mcu_loader/core/device/self_test.hpp"

namespace mcuota::device {
namespace {

/// Records appended between two mounts. With the slot that each mount gives up these are 16; a sector has an
/// odd number of slots for records, so mounts come at every place of it.
constexpr std::uint32_t kAppends = 15;
/// How often the journal must have room for all records of a sector anew.
constexpr std::uint32_t kRollOvers = 3;

constexpr std::array<Region, 2> kFlagRegions{Region::flag_a, Region::flag_b};

template <std::size_t Max>
void set(BoundedText<Max>& text, std::string_view value) noexcept {
    text.length = static_cast<std::uint8_t>(std::min(value.size(), Max));
    std::copy_n(value.begin(), text.length, text.bytes.begin());
}

}  // namespace

bool SelfTest::erase_whole(Region region) noexcept {
    return erase({region, 0, size(region)});
}

/// Everything but the journal's sector holds the first content.
bool SelfTest::fill_beside_journal() noexcept {
    for (const Region region : kFlagRegions) {
        const std::uint32_t journal = storage_.erase_unit_bytes(region, 0);
        if (!erase_whole(region) || !write_forward({region, journal, size(region)}, Pass::first)) {
            return false;
        }
    }
    return true;
}

bool SelfTest::check_beside(Region region, std::uint32_t from) noexcept {
    return compare({region, from, size(region)}, Pass::first, Finding::beside_flags_changed);
}

/// A record unlike all others, made of its number.
State SelfTest::record(std::uint32_t number) const noexcept {
    State state;
    state.token = (std::uint64_t{seed_} << 32) | number;
    state.outcome = Status::rolled_back;
    state.dirty_units = word_at(Region::running, number);
    state.security_counter_floor = number;
    state.units_done = static_cast<std::uint16_t>(number);
    pattern(Region::flag_a, 32 * number, Pass::first, state.image_sha256);
    pattern(Region::flag_b, 32 * number, Pass::second, state.failed_sha256);
    return state;
}

/// One start of the loader: mounts, finds the last record again, appends some. cursor_ counts records.
bool SelfTest::try_journal() noexcept {
    if (cursor_ == 0 && !fill_beside_journal()) {
        return false;
    }
    Journal journal{storage_};
    if (const Status status = journal.mount(); status != Status::ok) {
        return fail(Finding::journal_failed, Region::flag_a, 0, status);
    }
    const State last = cursor_ == 0 ? State{} : record(cursor_ - 1);
    if (journal.state() != last || (cursor_ == 0) != (journal.sequence() == 0)) {
        return fail(Finding::journal_lost, Region::flag_a, 0);
    }
    Status status = journal.settle();
    for (std::uint32_t i = 0; i < kAppends && status == Status::ok; ++i) {
        status = journal.append(record(cursor_++));
        board_.feed_watchdog();
    }
    if (status != Status::ok) {
        return fail(Finding::journal_failed, Region::flag_a, 0, status);
    }
    const std::uint32_t sector = storage_.erase_unit_bytes(Region::flag_a, 0);
    if (cursor_ < 2 * kRollOvers * (sector / kJournalRecordBytes)) {
        return true;
    }
    for (const Region region : kFlagRegions) {
        if (!check_beside(region, sector)) {
            return false;
        }
    }
    const std::uint32_t records = cursor_;
    next_check();
    cursor_ = records;  // the slots' check still knows the last record
    return true;
}

void SelfTest::make_manifest(std::uint32_t number) noexcept {
    Manifest& manifest = manifest_.manifest;
    manifest = {};
    set(manifest.hardware, "self-test");
    set(manifest.version, "1.0.0");
    manifest.security_counter = number;
    manifest.image_size_bytes = 1 + number;
    pattern(Region::flag_a, 64 * number, Pass::first, manifest.image_sha256);
    // As many payloads as there may be: the longest manifests are the interesting ones.
    manifest.payload_count = static_cast<std::uint8_t>(1 + number % kPayloadsMax);
    for (std::size_t i = 0; i < manifest.payload_count; ++i) {
        manifest.payloads[i].size_bytes = static_cast<std::uint32_t>(1 + i);
    }
    manifest_.manifest_bytes = static_cast<std::uint16_t>(
        encode_manifest(manifest, std::span{manifest_.bytes}.first(kManifestBytesMax)));
    manifest_.signature_bytes = kSignatureBytesMax;
    pattern(Region::flag_b, 64 * number, Pass::first,
            std::span{manifest_.bytes}.subspan(manifest_.manifest_bytes, kSignatureBytesMax));
}

bool SelfTest::store_and_load(Slot slot, std::uint32_t number) noexcept {
    make_manifest(number);
    if (const Status status = store_slot(storage_, slot, manifest_); status != Status::ok) {
        return fail(Finding::slot_failed, slot == Slot::a ? Region::flag_a : Region::flag_b, 0, status);
    }
    return load_and_compare(slot, number);
}

bool SelfTest::load_and_compare(Slot slot, std::uint32_t number) noexcept {
    const Region region = slot == Slot::a ? Region::flag_a : Region::flag_b;
    make_manifest(number);
    const std::uint32_t wanted = crc32(manifest_.all_bytes());
    if (const Status status = load_slot(storage_, slot, {}, manifest_); status != Status::ok) {
        return fail(Finding::slot_failed, region, 0, status);
    }
    return crc32(manifest_.all_bytes()) == wanted || fail(Finding::slot_differs, region, 0);
}

/// One key area after the other written anew: what the two hold at the end.
bool SelfTest::rewrite_key_areas() noexcept {
    for (const Region region : kFlagRegions) {
        const std::uint32_t begin = flag_layout(storage_, region).keys_begin;
        const Span area{region, begin, size(region)};
        if (!compare(area, Pass::first, Finding::beside_flags_changed) || !erase(area) ||
            !write_forward(area, Pass::second) || !compare(area, Pass::second, Finding::nothing)) {
            return false;
        }
    }
    return true;
}

/// Each slot several times, the other one, the key areas and the journal unharmed; then the key areas.
bool SelfTest::try_slots() noexcept {
    const std::uint32_t records = cursor_;
    if (!store_and_load(Slot::a, kPayloadsMax - 1)) {
        return false;
    }
    for (std::uint32_t number = kPayloadsMax; number < kPayloadsMax + 4; ++number) {
        board_.feed_watchdog();
        if (!store_and_load(number % 2 == 0 ? Slot::b : Slot::a, number) ||
            !load_and_compare(number % 2 == 0 ? Slot::a : Slot::b, number - 1)) {
            return false;
        }
    }
    if (!rewrite_key_areas() || !load_and_compare(Slot::a, kPayloadsMax + 3) ||
        !load_and_compare(Slot::b, kPayloadsMax + 2)) {
        return false;
    }
    Journal journal{storage_};
    if (const Status status = journal.mount(); status != Status::ok) {
        return fail(Finding::journal_failed, Region::flag_a, 0, status);
    }
    if (journal.state() != record(records - 1)) {
        return fail(Finding::journal_lost, Region::flag_a, 0);
    }
    next_check();
    return true;
}

/// Nothing must be left that looks like a past: the journal is blank, no package is staged, nothing runs.
bool SelfTest::clean_up() noexcept {
    for (const Region region : {Region::flag_a, Region::flag_b, Region::download, Region::running}) {
        const bool flags = region == Region::flag_a || region == Region::flag_b;
        if (!erase({region, 0, flags ? size(region) : storage_.erase_unit_bytes(region, 0)})) {
            return false;
        }
    }
    Journal journal{storage_};
    if (const Status status = journal.mount(); status != Status::ok) {
        return fail(Finding::journal_failed, Region::flag_a, 0, status);
    }
    if (journal.sequence() != 0) {
        return fail(Finding::journal_lost, Region::flag_a, 0);
    }
    next_check();
    return true;
}

}  // namespace mcuota::device
