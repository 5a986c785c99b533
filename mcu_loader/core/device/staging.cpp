// The download region: stage header, marks, envelope (mcu_loader/SPEC.md §5).
#include "mcu_loader/core/device/staging.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "mcu_loader/core/crc32.hpp"
#include "mcu_loader/core/every.hpp"
#include "mcu_loader/core/little_endian.hpp"

namespace mcuota::device {
namespace {

constexpr std::uint32_t kEnvelopeMagic = 0x3145434D;  // "MCE1"
constexpr std::uint32_t kStageMagic = 0x3154534D;     // "MST1"
constexpr std::uint32_t kMarksOffset = 256;
constexpr std::uint32_t kSpareMarks = 16;
constexpr std::uint32_t kBlockBytes = 64 * 1024;
constexpr std::uint32_t kUnitsPerBlockErase = 3;
constexpr std::uint32_t kLargeRegionBytes = 1024 * 1024;

struct StageHeader {
    std::uint32_t magic;
    std::uint32_t envelope_bytes;
    std::uint8_t package_id[32];
    std::uint8_t head[link::kEnvelopeHeadBytes];
    std::uint32_t crc;  // of everything above
};
static_assert(sizeof(StageHeader) == 68 && offsetof(StageHeader, package_id) == 8);
static_assert(offsetof(StageHeader, head) == 40 && offsetof(StageHeader, crc) == 64);

using StageHeaderBytes = std::array<std::uint8_t, sizeof(StageHeader)>;

std::uint32_t round_up(std::uint32_t value, std::uint32_t unit) noexcept {
    return (value + unit - 1) / unit * unit;
}

}  // namespace

Status parse_envelope_head(std::span<const std::uint8_t, link::kEnvelopeHeadBytes> bytes,
                           std::uint32_t envelope_bytes, EnvelopeHead& out) noexcept {
    const auto byte = [&](std::size_t at) { return std::uint32_t{bytes[at]}; };
    const auto word = [&](std::size_t at) {
        return byte(at) | byte(at + 1) << 8U | byte(at + 2) << 16U | byte(at + 3) << 24U;
    };
    if (word(0) != kEnvelopeMagic || word(20) != crc32(bytes.first(20)) || (word(12) >> 8U) != 0) {
        return Status::malformed_request;
    }
    out.manifest_bytes = static_cast<std::uint16_t>(word(4));
    out.signature_bytes = static_cast<std::uint16_t>(word(4) >> 16U);
    out.payload_bytes = word(8);
    out.kind = static_cast<PayloadKind>(bytes[12]);
    out.base_size_bytes = word(16);
    const std::uint64_t total = std::uint64_t{link::kEnvelopeHeadBytes} + out.manifest_bytes +
                                out.signature_bytes + std::uint64_t{out.payload_bytes};
    const bool sizes_sane = out.manifest_bytes != 0 && out.manifest_bytes <= kManifestBytesMax &&
                            out.signature_bytes != 0 && out.signature_bytes <= kSignatureBytesMax &&
                            out.payload_bytes != 0;
    return sizes_sane && total == envelope_bytes ? Status::ok : Status::malformed_request;
}

/// Says that a unit is stored. 16 bytes, so that no mark crosses a page.
struct Staging::Mark {
    std::uint32_t unit;
    std::uint32_t data_crc;
    std::uint32_t seal;     // CRC of unit, data_crc and the stage header's CRC
    std::uint16_t opening;  // zero, programmed first: a mark in flight does not read blank
    std::uint16_t end;      // stays blank; zero only in a spoiled slot, programmed last
    [[nodiscard]] std::uint32_t seal_for(std::uint32_t salt) const noexcept {
        const std::array<std::uint32_t, 3> words{unit, data_crc, salt};
        std::array<std::uint8_t, sizeof words> bytes;
        std::memcpy(bytes.data(), words.data(), bytes.size());
        return crc32(bytes);
    }
};

Staging::Staging(Storage& storage, Board& board) noexcept : storage_{storage}, board_{board} {}

std::uint32_t Staging::unit_bytes() const noexcept {
    return storage_.erase_unit_bytes(Region::download, 0);
}

std::uint32_t Staging::mark_slots(std::uint32_t units) const noexcept {
    // Each unit once, plus two slots a resume (one spoiled, one mark) for as many resumes as there are units.
    return 3 * units + kSpareMarks;
}

std::uint32_t Staging::mark_slots() const noexcept {
    return mark_slots(round_up(envelope_bytes_, unit_bytes()) / unit_bytes());
}

std::uint32_t Staging::mark_offset(std::uint32_t slot) const noexcept {
    return kMarksOffset + slot * static_cast<std::uint32_t>(sizeof(Mark));
}

std::uint32_t Staging::data_offset() const noexcept {
    const bool large = storage_.size_bytes(Region::download) >= kLargeRegionBytes;
    return round_up(mark_offset(mark_slots(storage_.size_bytes(Region::download) / unit_bytes())),
                    large ? kBlockBytes : unit_bytes());
}

std::uint32_t Staging::capacity_bytes() const noexcept {
    const std::uint32_t size = storage_.size_bytes(Region::download);
    return size > data_offset() ? size - data_offset() : 0;
}

std::uint32_t Staging::length_of_unit(std::uint32_t unit) const noexcept {
    return std::min(unit_bytes(), envelope_bytes_ - unit * unit_bytes());
}

bool Staging::read_header() noexcept {
    StageHeaderBytes bytes;
    StageHeader header;
    if (storage_.read(Region::download, 0, bytes) != Status::ok) {
        return false;
    }
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.magic != kStageMagic ||
        header.crc != crc32(std::span{bytes}.first(offsetof(StageHeader, crc))) ||
        header.envelope_bytes > capacity_bytes()) {
        return false;
    }
    std::copy(std::begin(header.head), std::end(header.head), head_bytes_.begin());
    if (parse_envelope_head(head_bytes_, header.envelope_bytes, head_) != Status::ok) {
        return false;
    }
    std::copy(std::begin(header.package_id), std::end(header.package_id), package_id_.begin());
    envelope_bytes_ = header.envelope_bytes;
    salt_ = header.crc;
    return true;
}

Status Staging::read_mark(std::uint32_t slot, Mark& mark, MarkSlot& kind) noexcept {
    std::array<std::uint8_t, sizeof(Mark)> bytes;
    const Status status = storage_.read(Region::download, mark_offset(slot), bytes);
    std::memcpy(&mark, bytes.data(), sizeof mark);
    const auto all = [&](std::uint8_t value) { return every_byte_is(bytes, value); };
    kind = all(0xFF)                           ? MarkSlot::blank
           : all(0)                            ? MarkSlot::spoiled
           : mark.seal == mark.seal_for(salt_) ? MarkSlot::mark
                                               : MarkSlot::torn;
    return status;
}

void Staging::mount() noexcept {
    close();
    envelope_bytes_ = stored_ = next_mark_ = 0;
    void_mark_ = true;
    if (!read_header()) {
        return;
    }
    std::uint32_t units = 0;
    for (std::uint32_t slot = 0; slot < mark_slots(); ++slot) {
        Mark mark{};
        MarkSlot kind{};
        if (read_mark(slot, mark, kind) != Status::ok) {
            // Which slots are used up is not known: an offer has to begin over.
            envelope_bytes_ = next_mark_ = 0;
            return;
        }
        if (kind != MarkSlot::blank) {
            next_mark_ = slot + 1;
        }
        if (kind == MarkSlot::mark && mark.unit == units) {
            ++units;
        }
    }
    stored_ = std::min(units * unit_bytes(), envelope_bytes_);
}

Status Staging::begin(const link::Offer& offer, const EnvelopeHead& head) noexcept {
    stored_ = next_mark_ = 0;
    envelope_bytes_ = offer.envelope_bytes;
    StageHeader header{kStageMagic, offer.envelope_bytes, {}, {}, 0};
    std::copy(offer.package_id.begin(), offer.package_id.end(), header.package_id);
    std::copy(offer.head.begin(), offer.head.end(), header.head);
    StageHeaderBytes bytes;
    std::memcpy(bytes.data(), &header, sizeof header);
    header.crc = crc32(std::span{bytes}.first(offsetof(StageHeader, crc)));
    std::memcpy(bytes.data(), &header, sizeof header);

    // The old header first: an erase in flight may leave it, and its marks, as they were.
    const StageHeaderBytes zeros{};
    static_cast<void>(storage_.program(Region::download, 0, zeros));
    const std::uint32_t marks_end = round_up(mark_offset(mark_slots()), unit_bytes());
    envelope_bytes_ = 0;  // until the header stands
    if (const Status status = storage_.erase(Region::download, 0, erase_step(0, marks_end, data_offset()));
        status != Status::ok) {
        return status;
    }
    if (const Status status = storage_.program(Region::download, 0, bytes); status != Status::ok) {
        return status;
    }
    package_id_ = offer.package_id;
    head_bytes_ = offer.head;
    head_ = head;
    envelope_bytes_ = offer.envelope_bytes;
    salt_ = header.crc;
    void_mark_ = false;  // the marks were erased just now, and nothing was in flight since
    return Status::ok;
}

Status Staging::prove(link::Held& held) noexcept {
    Sha256 hash;
    std::uint32_t proven = 0;
    std::uint32_t bytes_proven = 0;
    std::uint32_t last_crc = 0;
    for (std::uint32_t slot = 0; slot < next_mark_ && bytes_proven < envelope_bytes_; ++slot) {
        Mark mark{};
        MarkSlot kind{};
        if (const Status status = read_mark(slot, mark, kind); status != Status::ok) {
            return status;
        }
        if (kind == MarkSlot::torn) {
            // As a mark that came to nothing, or one that was believed before: later it may read whole and
            // speak for what is written there next.
            spoil_mark(slot);
        }
        if (kind != MarkSlot::mark || mark.unit != proven) {
            continue;
        }
        const std::span<std::uint8_t> data = std::span{unit_}.first(length_of_unit(proven));
        if (const Status status = read(bytes_proven, data); status != Status::ok) {
            return status;
        }
        board_.feed_watchdog();
        if (crc32(data) != mark.data_crc) {
            spoil_mark(slot);  // it must not speak for what is written there next
            continue;
        }
        hash.update(data);
        bytes_proven += static_cast<std::uint32_t>(data.size());
        ++proven;
        last_crc = mark.data_crc;
    }
    stored_ = bytes_proven;
    held.held_sha256 = hash.digest();
    // The last mark may have been in flight when power went, and read otherwise next time: what is promised
    // now must be found by the loader later. A fresh copy is firm.
    if (!void_mark_) {
        return Status::ok;
    }
    settle_marks();
    return proven > 0 ? append_mark(proven - 1, last_crc) : Status::ok;
}

Status Staging::offer(const link::Offer& offer, link::Held& held) noexcept {
    close();
    EnvelopeHead head;
    if (const Status status = parse_envelope_head(offer.head, offer.envelope_bytes, head);
        status != Status::ok) {
        return status;
    }
    if (offer.envelope_bytes > capacity_bytes()) {
        return Status::payload_too_large;
    }
    const bool same = present() && offer.package_id == package_id_ &&
                      offer.envelope_bytes == envelope_bytes_ && offer.head == head_bytes_;
    // Marks may run out after very many interruptions; starting over is always right. It is also right when
    // no unit is marked as stored: then nothing shows that the header was finished before power went, or was
    // not being spoiled when it did, and there is nothing to lose. Marks are counted as if nothing was
    // stored: what reads as stored now may not prove itself, now or after the next cut.
    const std::uint32_t units = round_up(offer.envelope_bytes, unit_bytes()) / unit_bytes();
    const bool marks_left = next_mark_ + units + 2 <= mark_slots();
    const bool header_doubtful = void_mark_ && stored_ == 0;
    if (!same || offer.restart || !marks_left || header_doubtful) {
        if (same) {
            // Should power go while the header is spoiled, no later start may find more marks than this one.
            settle_marks();
        }
        if (const Status status = begin(offer, head); status != Status::ok) {
            return status;
        }
    }
    held = {};
    if (const Status status = prove(held); status != Status::ok) {
        return status;
    }
    held.held_bytes = stored_;
    held.unit_bytes = unit_bytes();
    erased_until_ = data_offset() + stored_ / unit_bytes() * unit_bytes();
    open_ = true;
    return Status::ok;
}

Status Staging::write(std::uint32_t offset, std::span<const std::uint8_t> bytes) noexcept {
    if (!open_) {
        return Status::wrong_state;
    }
    if (offset != stored_ + fill_) {
        return Status::out_of_order;
    }
    if (bytes.size() > envelope_bytes_ - offset) {
        return Status::out_of_range;
    }
    while (!bytes.empty()) {
        const std::uint32_t wanted = length_of_unit(stored_ / unit_bytes());
        const std::size_t count = std::min<std::size_t>(bytes.size(), wanted - fill_);
        std::copy_n(bytes.begin(), count, unit_.begin() + fill_);
        fill_ += static_cast<std::uint32_t>(count);
        bytes = bytes.subspan(count);
        if (fill_ == wanted) {
            if (const Status status = store_unit(); status != Status::ok) {
                close();
                return status;
            }
        }
    }
    return Status::ok;
}

std::uint32_t Staging::erase_step(std::uint32_t begin, std::uint32_t needed_end,
                                  std::uint32_t block_end) const noexcept {
    // A 64 KiB block takes as long as three or four of its units.
    const bool few = needed_end - begin <= kUnitsPerBlockErase * unit_bytes();
    return (few ? needed_end : block_end) - begin;
}

Status Staging::erase_ahead(std::uint32_t end) noexcept {
    const std::uint32_t envelope_end = data_offset() + round_up(envelope_bytes_, unit_bytes());
    while (erased_until_ < end) {
        std::uint32_t block_end = std::min(erased_until_ / kBlockBytes * kBlockBytes + kBlockBytes,
                                           storage_.size_bytes(Region::download));
        block_end = erased_until_ + erase_step(erased_until_, envelope_end, block_end);
        board_.feed_watchdog();
        const Status status = storage_.erase(Region::download, erased_until_, block_end - erased_until_);
        if (status != Status::ok) {
            return status;
        }
        erased_until_ = block_end;
    }
    return Status::ok;
}

Status Staging::store_unit() noexcept {
    const std::uint32_t begin = data_offset() + stored_;
    const std::span<const std::uint8_t> data = std::span{unit_}.first(fill_);
    board_.feed_watchdog();
    if (const Status status = erase_ahead(begin + fill_); status != Status::ok) {
        return status;
    }
    if (storage_.program(Region::download, begin, data) != Status::ok) {
        // Once more from an erased unit: a weak cell often takes the second time.
        if (const Status status = storage_.erase(Region::download, begin, unit_bytes());
            status != Status::ok) {
            return status;
        }
        if (const Status status = storage_.program(Region::download, begin, data); status != Status::ok) {
            return status;
        }
    }
    if (const Status status = append_mark(stored_ / unit_bytes(), crc32(data)); status != Status::ok) {
        return status;
    }
    stored_ += fill_;
    fill_ = 0;
    return Status::ok;
}

/// The last mark that does not read blank, or the slot behind it, may have been in flight when power went: no
/// slot is used before these are out of doubt, and no unit is erased while a mark may still speak for it.
void Staging::settle_marks() noexcept {
    Mark mark{};
    MarkSlot kind{};
    if (next_mark_ > 0 && read_mark(next_mark_ - 1, mark, kind) == Status::ok && kind != MarkSlot::mark &&
        kind != MarkSlot::spoiled) {
        spoil_mark(next_mark_ - 1);
    }
    if (next_mark_ < mark_slots()) {
        spoil_mark(next_mark_++);
    }
    void_mark_ = false;
}

/// In two steps: where a slot reads zero, the first was complete, so it never reads as a mark or blank again.
void Staging::spoil_mark(std::uint32_t slot) noexcept {
    const std::array<std::uint8_t, sizeof(Mark)> zeros{};
    const std::uint32_t begin = mark_offset(slot);
    constexpr std::uint32_t kEnd = offsetof(Mark, end);
    static_cast<void>(storage_.program(Region::download, begin, std::span{zeros}.first(kEnd)));
    static_cast<void>(storage_.program(Region::download, begin + kEnd, std::span{zeros}.subspan(kEnd)));
}

Status Staging::append_mark(std::uint32_t unit, std::uint32_t crc) noexcept {
    if (next_mark_ >= mark_slots()) {
        return Status::out_of_range;
    }
    Mark mark{unit, crc, 0, 0, 0xFFFF};
    mark.seal = mark.seal_for(salt_);
    std::array<std::uint8_t, sizeof(Mark)> bytes;
    std::memcpy(bytes.data(), &mark, sizeof mark);
    const std::uint32_t begin = mark_offset(next_mark_++);
    constexpr std::uint32_t kOpening = offsetof(Mark, opening);
    constexpr std::uint32_t kOpeningBytes = sizeof(Mark::opening);
    if (const Status status = storage_.program(Region::download, begin + kOpening,
                                               std::span{bytes}.subspan(kOpening, kOpeningBytes));
        status != Status::ok) {
        return status;
    }
    return storage_.program(Region::download, begin, std::span{bytes}.first(kOpening));
}

void Staging::close() noexcept {
    open_ = false;
    fill_ = 0;
}

Status Staging::read(std::uint32_t offset, std::span<std::uint8_t> out) noexcept {
    return storage_.read(Region::download, data_offset() + offset, out);
}

StagedPayload::StagedPayload(Staging& staging) noexcept
    : staging_{staging},
      offset_{static_cast<std::uint32_t>(link::kEnvelopeHeadBytes) + staging.head().manifest_bytes +
              staging.head().signature_bytes},
      size_{staging.head().payload_bytes} {}

Status StagedPayload::read(std::uint32_t offset, std::span<std::uint8_t> out) noexcept {
    return staging_.read(offset_ + offset, out);
}

}  // namespace mcuota::device
