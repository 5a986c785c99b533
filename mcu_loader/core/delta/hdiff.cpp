#include "mcu_loader/core/delta/hdiff.hpp"
#include "mcu_loader/core/every.hpp"

#include <algorithm>
#include <array>

namespace mcuota::delta {
namespace {

constexpr std::uint32_t kRawBufferBytes = 256;
/// Most bytes put at once: what NewBuffer::room() and OldWindow::run() give.
constexpr std::uint32_t kRunBytes = 64;
/// A packed section begins with one byte that says how long its LZMA properties are: always 5.
constexpr std::uint32_t kLzmaHeadBytes = 1;

bool take_text(ByteFeed& feed, std::string_view text) noexcept {
    return every(text,
                 [&feed](char expected) { return feed.next_byte() == static_cast<std::uint8_t>(expected); });
}

}  // namespace

Status PayloadReader::refill(std::span<const std::uint8_t>& piece) noexcept {
    const std::uint32_t size = source_.size_bytes(), left = size > offset_ ? size - offset_ : 0;
    const auto target = std::span(buffer_).first(std::min<std::size_t>(left, buffer_.size()));
    offset_ += static_cast<std::uint32_t>(target.size());
    piece = target;
    return target.empty() ? Status::ok
                          : source_.read(offset_ - static_cast<std::uint32_t>(target.size()), target);
}

std::uint32_t take_number(ByteFeed& feed, unsigned tag_bits, unsigned& tag, bool& sound) noexcept {
    const std::uint32_t first = feed.next_byte();
    tag = first >> (8 - tag_bits);
    bool more = (first >> (7 - tag_bits) & 1U) != 0;
    std::uint32_t value = first & ((1U << (7 - tag_bits)) - 1U);
    while (more && sound && !feed.failed()) {
        const std::uint32_t byte = feed.next_byte();
        if (value >> 25 != 0) sound = false;
        value = value << 7 | (byte & 0x7FU);
        more = (byte & 0x80U) != 0;
    }
    return value;
}

std::uint32_t take_number(ByteFeed& feed, bool& sound) noexcept {
    unsigned tag = 0;
    return take_number(feed, 0, tag, sound);
}

bool take_head(ByteFeed& feed, std::string_view magic, HdiffHead& out) noexcept {
    if (!take_text(feed, magic) || !take_text(feed, "&")) return false;
    if (const std::uint32_t letter = feed.next_byte(); letter != 0) {
        using namespace std::string_view_literals;
        if (letter != 'l' || !take_text(feed, "zma\0"sv)) return false;
        out.may_be_packed = true;
    }
    bool sound = true;
    out.new_bytes = take_number(feed, sound);
    out.old_bytes = take_number(feed, sound);
    out.cover_count = take_number(feed, sound);
    return sound && !feed.failed();
}

void take_sizes(ByteFeed& feed, const HdiffHead& head, Section& out, bool& sound) noexcept {
    out.plain_bytes = take_number(feed, sound);
    const std::uint32_t packed = take_number(feed, sound);
    out.packed = packed != 0;
    out.stored_bytes = out.packed ? packed : out.plain_bytes;
    if (out.packed && !head.may_be_packed) sound = false;
}

Status fits(const HdiffHead& head, const payload::Job& job) noexcept {
    if (job.base == nullptr || head.old_bytes != job.base->size_bytes()) return Status::base_mismatch;
    return head.new_bytes == job.image_size_bytes ? Status::ok : Status::payload_malformed;
}

std::uint32_t Section::memory_bytes(ByteSource& payload, bool& sound) const noexcept {
    if (!packed) return plain_bytes == 0 ? 0 : kRawBufferBytes;
    LzmaPlan plan;
    std::array<std::uint8_t, kLzmaHeadBytes> head{};
    if (stored_bytes <= kLzmaHeadBytes + kLzmaPropertiesBytes || payload.read(offset, head) != Status::ok ||
        head[0] != kLzmaPropertiesBytes ||
        plan_lzma(payload, offset + kLzmaHeadBytes, plain_bytes, plan) != Status::ok) {
        sound = false;
        return 0;
    }
    return plan.memory_bytes();
}

Status SectionReader::open(ByteSource& payload, const Section& section,
                           std::span<std::uint8_t> work) noexcept {
    payload_ = &payload;
    left_ = section.plain_bytes;
    packed_ = section.packed;
    offset_ = section.offset;
    buffer_ = work;
    Status status = Status::ok;
    if (packed_)
        status = lzma_.open(payload, section.offset + kLzmaHeadBytes, section.stored_bytes - kLzmaHeadBytes,
                            section.plain_bytes, work);
    else if (left_ != 0 && work.size() < kRawBufferBytes)
        status = Status::memory_budget;
    start(status);
    return status;
}

Status SectionReader::refill(std::span<const std::uint8_t>& piece) noexcept {
    Status status = Status::ok;
    if (packed_) {
        status = lzma_.next(1024, piece);
    } else {
        const auto target = buffer_.first(std::min(left_, kRawBufferBytes));
        if (!target.empty()) status = payload_->read(offset_, target);
        offset_ += static_cast<std::uint32_t>(target.size());
        piece = target;
    }
    left_ -= static_cast<std::uint32_t>(piece.size());
    return status;
}

bool Patcher::find_run(DifferenceRuns& differences) noexcept {
    while (run_.length == 0)
        if (!differences.next(run_)) return false;
    return true;
}

bool Patcher::end_differences() noexcept {
    const bool used_up = run_.length == 0;
    run_ = {};
    return used_up;
}

Status Patcher::put_literals(ByteFeed& literals, DifferenceRuns* differences, std::uint32_t count) noexcept {
    while (count != 0) {
        std::uint32_t wanted = std::min(count, kRunBytes);
        if (differences != nullptr) {  // differences describe literals, too: as zeros, which are passed over
            if (!find_run(*differences)) return Status::payload_malformed;
            if (run_.values != nullptr) {
                if (run_.values->next_byte() != 0) return Status::payload_malformed;
                wanted = 1;
            } else if (run_.value != 0) {
                return Status::payload_malformed;
            }
            wanted = std::min(wanted, run_.length);
        }
        const auto run = literals.next_run(wanted);
        if (run.empty()) return literals.status();
        std::copy(run.begin(), run.end(), out_.room(kRunBytes));
        const auto put = static_cast<std::uint32_t>(run.size());
        out_.take(put);
        count -= put;
        if (differences != nullptr) run_.length -= put;
        if (out_.status() != Status::ok) return out_.status();
    }
    return Status::ok;
}

Status Patcher::put_covered(DifferenceRuns& differences, std::uint32_t at, std::uint32_t count) noexcept {
    while (count != 0) {
        if (!find_run(differences)) return Status::payload_malformed;
        const auto old = old_.run(at, std::min({count, kRunBytes, run_.length}));
        if (old.empty()) return old_.status();
        std::uint8_t* const to = out_.room(kRunBytes);
        const auto put = static_cast<std::uint32_t>(old.size());
        for (std::uint32_t i = 0; i < put; ++i) {
            const std::uint32_t change = run_.values != nullptr ? run_.values->next_byte() : run_.value;
            to[i] = static_cast<std::uint8_t>(old[i] + change);
        }
        if (run_.values != nullptr && run_.values->failed()) return run_.values->status();
        out_.take(put);
        at += put;
        count -= put;
        run_.length -= put;
        if (out_.status() != Status::ok) return out_.status();
    }
    return Status::ok;
}

Status Patcher::one_cover(ByteFeed& covers, ByteFeed& literals, DifferenceRuns& differences,
                          bool literals_differ, bool last) noexcept {
    bool sound = true;
    unsigned back = 0;
    const std::uint32_t jump = take_number(covers, 1, back, sound);
    const std::uint32_t gap = take_number(covers, sound), length = take_number(covers, sound);
    if (covers.failed()) return covers.status();
    if (!sound || (back != 0 ? jump > old_end_ : jump > head_.old_bytes - old_end_) || gap > left_bytes() ||
        length > left_bytes() - gap || (length == 0 && !last))
        return Status::payload_malformed;
    const std::uint32_t old_pos = back != 0 ? old_end_ - jump : old_end_ + jump;
    if (length > head_.old_bytes - old_pos) return Status::payload_malformed;
    old_end_ = old_pos + length;
    const Status status = put_literals(literals, literals_differ ? &differences : nullptr, gap);
    return status == Status::ok ? put_covered(differences, old_pos, length) : status;
}

}  // namespace mcuota::delta
