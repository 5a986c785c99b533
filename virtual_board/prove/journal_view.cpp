// SPDX-License-Identifier: GPL-2.0-or-later
// Reading and appending journal records.

#include "virtual_board/prove/journal_view.hpp"

#include <algorithm>
#include <cstring>

namespace mcuota::board {
namespace {

using RecordBytes = std::array<std::uint8_t, kRecordBytes>;
constexpr std::size_t kSequenceAt = 4, kTokenAt = 8, kPhaseAt = 16, kOutcomeAt = 20, kCauseAt = 22,
                      kJobAt = 24, kRunningSlotAt = 25, kBackupSlotAt = 26, kFloorAt = 32, kTrialBootsAt = 36,
                      kAttemptsAt = 37, kConfirmedAt = 39, kBankAt = 44, kSpareAt = 45, kImagesAt = 48,
                      kImagesBytes = 64, kCrcAt = 120, kFirmAt = 124, kKeptAt = 0, kVoidAt = 64;
constexpr std::uint8_t kJobInstall = 0x2D, kYes = 0x96, kNoSlot = 0x5A, kSecondBank = 0x96;
constexpr std::uint32_t kEraseUnitBytes = 4096, kPageBytes = 256;

template <class T>
T get(const RecordBytes& bytes, std::size_t at) {
    T value{};
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}
template <class T>
void put(RecordBytes& bytes, std::size_t at, T value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
}

bool known_phase(std::uint32_t phase) {
    switch (static_cast<JournalPhase>(phase)) {
        case JournalPhase::idle:
        case JournalPhase::install_requested:
        case JournalPhase::backing_up:
        case JournalPhase::applying:
        case JournalPhase::trial:
        case JournalPhase::rollback_requested:
        case JournalPhase::restoring:
        case JournalPhase::halted:
            return true;
    }
    return false;
}

/// Of records: the last slot of a sector holds its marks.
std::uint32_t slots_of(const JournalLayout& layout) {
    return layout.sector_bytes / static_cast<std::uint32_t>(kRecordBytes) - 1;
}

/// Whether the sector was given up while it held records in doubt.
bool is_void(std::span<const std::uint8_t> nor, const JournalLayout& layout, std::uint32_t sector) {
    const auto marks = nor.subspan(sector + slots_of(layout) * kRecordBytes, kRecordBytes);
    const auto marked = [&](std::size_t at) {
        const auto word = marks.subspan(at, 4);
        return std::all_of(word.begin(), word.end(), [](std::uint8_t byte) { return byte == 0; });
    };
    return marked(kVoidAt) && !marked(kKeptAt);
}

/// Where the next record goes, as a fresh start of the writer sees it.
struct Place {
    std::uint32_t sector, other;
    std::uint32_t slot;  ///< first blank one behind all that is not blank
    std::uint32_t sequence;
};

Place next_place(std::span<const std::uint8_t> nor, const JournalLayout& layout,
                 const JournalRecordView& from) {
    const bool in_a = from.address - layout.sector_a < layout.sector_bytes;
    Place place{in_a ? layout.sector_a : layout.sector_b, in_a ? layout.sector_b : layout.sector_a, 0, 0};
    const std::uint32_t slots = slots_of(layout);
    for (std::uint32_t slot = 0; slot < slots; ++slot) {
        const auto begin = nor.begin() + place.sector + static_cast<std::ptrdiff_t>(slot * kRecordBytes);
        const bool blank =
            std::all_of(begin, begin + kRecordBytes, [](std::uint8_t byte) { return byte == 0xFF; });
        if (!blank) place.slot = slot + 1;
    }
    const auto newest = static_cast<std::uint32_t>((from.address - place.sector) / kRecordBytes);
    place.sequence = from.sequence + (place.slot - newest);
    return place;
}

std::vector<JournalStep> append(std::span<const std::uint8_t> nor, const JournalLayout& layout,
                                const JournalRecordView& from, RecordBytes record) {
    std::vector<JournalStep> steps;
    Place place = next_place(nor, layout, from);
    const std::uint32_t slots = slots_of(layout);
    const auto address = [&] { return place.sector + place.slot * static_cast<std::uint32_t>(kRecordBytes); };
    if (place.slot < slots) {  // it reads blank, but may have been in flight
        steps.push_back({false, address(), std::vector<std::uint8_t>(kRecordBytes, 0)});
        ++place.slot;
        ++place.sequence;
    }
    if (place.slot >= slots) {
        place.sector = place.other;
        place.slot = 0;
        steps.push_back({true, place.sector, {}});
    }
    put(record, kSequenceAt, place.sequence);
    put(record, kCrcAt, crc32(std::span{record}.first(kCrcAt)));
    steps.push_back({false, address(), {record.begin(), record.begin() + kFirmAt}});
    steps.push_back(
        {false, address() + static_cast<std::uint32_t>(kFirmAt), std::vector<std::uint8_t>(4, 0)});
    return steps;
}

}  // namespace

std::string JournalRecordView::images() const {
    constexpr const char* kDigits = "0123456789abcdef";
    std::string text;
    for (std::size_t at = kImagesAt; at < kImagesAt + kImagesBytes; ++at) {
        text += kDigits[bytes[at] >> 4];
        text += kDigits[bytes[at] & 0xF];
    }
    return text;
}

const char* to_string(JournalPhase phase) noexcept {
    switch (phase) {
        case JournalPhase::idle:
            return "idle";
        case JournalPhase::install_requested:
            return "install requested";
        case JournalPhase::backing_up:
            return "backing up";
        case JournalPhase::applying:
            return "applying";
        case JournalPhase::trial:
            return "trial";
        case JournalPhase::rollback_requested:
            return "rollback requested";
        case JournalPhase::restoring:
            return "restoring";
        case JournalPhase::halted:
            return "halted";
    }
    return "unknown";
}

std::optional<JournalRecordView> newest_record(std::span<const std::uint8_t> nor,
                                               const JournalLayout& layout) {
    std::optional<JournalRecordView> newest;
    for (const std::uint32_t sector : {layout.sector_a, layout.sector_b}) {
        if (is_void(nor, layout, sector)) continue;
        for (std::uint32_t slot = 0; slot < slots_of(layout); ++slot) {
            const std::uint32_t at = sector + slot * static_cast<std::uint32_t>(kRecordBytes);
            RecordBytes bytes;
            std::copy_n(nor.begin() + at, kRecordBytes, bytes.begin());
            if (std::memcmp(bytes.data(), "MJ01", 4) != 0) continue;
            if (get<std::uint32_t>(bytes, kCrcAt) != crc32(std::span{bytes}.first(kCrcAt))) continue;
            const auto sequence = get<std::uint32_t>(bytes, kSequenceAt);
            if (sequence == 0 || !known_phase(get<std::uint32_t>(bytes, kPhaseAt))) continue;
            if (newest && newest->sequence >= sequence) continue;
            newest = JournalRecordView{bytes,
                                       sequence,
                                       get<std::uint64_t>(bytes, kTokenAt),
                                       static_cast<JournalPhase>(get<std::uint32_t>(bytes, kPhaseAt)),
                                       get<std::uint16_t>(bytes, kOutcomeAt),
                                       get<std::uint16_t>(bytes, kCauseAt),
                                       bytes[kConfirmedAt] == kYes,
                                       get<std::uint32_t>(bytes, kFirmAt) != 0xFFFF'FFFF,
                                       at,
                                       bytes[kRunningSlotAt],
                                       bytes[kBackupSlotAt],
                                       static_cast<std::uint8_t>(bytes[kBankAt] == kSecondBank ? 1 : 0),
                                       bytes[kSpareAt] == kYes};
        }
    }
    return newest;
}

std::vector<JournalStep> confirmation(std::span<const std::uint8_t> nor, const JournalLayout& layout,
                                      const JournalRecordView& from, std::uint32_t floor) {
    RecordBytes record = from.bytes;
    put(record, kPhaseAt, static_cast<std::uint32_t>(JournalPhase::idle));
    if (record[kJobAt] == kJobInstall) put(record, kOutcomeAt, std::uint16_t{0});
    put(record, kCauseAt, std::uint16_t{0});
    put(record, kFloorAt, std::max(floor, get<std::uint32_t>(record, kFloorAt)));
    record[kTrialBootsAt] = 0;
    record[kAttemptsAt] = 0;
    record[kConfirmedAt] = kYes;
    return append(nor, layout, from, record);
}

bool JournalRecordView::wants_backup_ahead() const noexcept {
    return phase == JournalPhase::idle && confirmed && running_slot != kNoSlot &&
           backup_slot != running_slot && !spare_whole;
}

std::vector<JournalStep> backup_ahead(std::span<const std::uint8_t> nor, const JournalLayout& layout,
                                      const JournalRecordView& from,
                                      const std::array<std::uint32_t, 2>& banks,
                                      std::span<const std::uint8_t> image) {
    std::vector<JournalStep> steps;
    const std::uint32_t bank = banks[1 - from.backup_bank];
    for (std::uint32_t at = 0; at < image.size(); at += kPageBytes) {
        if (at % kEraseUnitBytes == 0) steps.push_back({true, bank + at, {}});
        const auto page = image.subspan(at, std::min<std::size_t>(kPageBytes, image.size() - at));
        steps.push_back({false, bank + at, {page.begin(), page.end()}});
    }
    RecordBytes record = from.bytes;
    record[kSpareAt] = kYes;
    const std::vector<JournalStep> word = append(nor, layout, from, record);
    steps.insert(steps.end(), word.begin(), word.end());
    return steps;
}

std::vector<JournalStep> repetition(std::span<const std::uint8_t> nor, const JournalLayout& layout,
                                    const JournalRecordView& from) {
    return append(nor, layout, from, from.bytes);
}

}  // namespace mcuota::board
