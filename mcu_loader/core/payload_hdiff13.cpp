// HDiffPatch with four sections (`HDIFF13`): covers, two for the differences, literals; read side by side.

#include "mcu_loader/core/delta/hdiff.hpp"
#include "mcu_loader/core/delta/image_io.hpp"
#include "mcu_loader/core/payload_kinds.hpp"

namespace mcuota::payload {
namespace {

using delta::take_number;

enum Part : std::size_t { kCovers, kRunControls, kRunBytes, kLiterals, kParts };

struct Header {
    std::uint32_t new_bytes{0}, old_bytes{0}, cover_count{0};
    std::array<delta::Section, kParts> parts;
};

Status read_header(ByteSource& payload, Header& out) noexcept {
    delta::PayloadReader reader(payload, 0);
    delta::Compression compression{};
    if (!delta::take_magic(reader, "HDIFF13", compression))
        return reader.status() != Status::ok ? reader.status() : Status::payload_malformed;
    bool sound = true;
    out.new_bytes = take_number(reader, sound);
    out.old_bytes = take_number(reader, sound);
    out.cover_count = take_number(reader, sound);
    for (delta::Section& part : out.parts) {
        part.plain_bytes = take_number(reader, sound);
        const std::uint32_t packed = take_number(reader, sound);
        part.packed = packed != 0;
        part.stored_bytes = part.packed ? packed : part.plain_bytes;
        if (part.packed && compression == delta::Compression::none) sound = false;
    }
    if (reader.status() != Status::ok) return reader.status();
    if (!sound || reader.failed()) return Status::payload_malformed;
    std::uint64_t at = reader.position();
    for (delta::Section& part : out.parts) {
        if (at > payload.size_bytes()) return Status::payload_malformed;
        part.offset = static_cast<std::uint32_t>(at);
        at += part.stored_bytes;
    }
    return at == payload.size_bytes() ? Status::ok : Status::payload_malformed;
}

/// Work memory of all parts together; `sound` false when a part's properties make no sense.
std::uint64_t memory_bytes(ByteSource& payload, const Header& header, bool& sound) noexcept {
    std::uint64_t sum = 0;
    for (const delta::Section& part : header.parts)
        sum += part.memory_bytes(payload, sound);
    return sum;
}

class Patcher {
  public:
    Patcher(const Header& header, const Job& job) noexcept
        : header_(header), job_(job), old_(*job.base), out_(job.sink) {}

    Status run() noexcept {
        if (const Status status = open_parts(); status != Status::ok) return status;
        std::uint32_t old_end = 0;
        for (std::uint32_t n = 0; n < header_.cover_count && sound_ && !stopped(); ++n) {
            unsigned back = 0;
            const std::uint32_t jump = take_number(parts_[kCovers], 1, back, sound_);
            const std::uint32_t gap = take_number(parts_[kCovers], sound_);
            const std::uint32_t length = take_number(parts_[kCovers], sound_);
            if (back != 0 ? jump > old_end : jump > header_.old_bytes - old_end) sound_ = false;
            const std::uint32_t old_pos = back != 0 ? old_end - jump : old_end + jump;
            if (!sound_ || stopped() || gap > header_.new_bytes - out_.position() ||
                length > header_.new_bytes - out_.position() - gap || length > header_.old_bytes - old_pos) {
                sound_ = false;
                break;
            }
            copy_literals(gap);
            for (std::uint32_t i = 0; i < length && sound_ && !stopped(); ++i)
                out_.put((old_.byte(old_pos + i) + next_difference()) & 0xFFU, 1);
            old_end = old_pos + length;
        }
        if (sound_) copy_literals(header_.new_bytes - out_.position());
        return verdict();
    }

  private:
    Status open_parts() noexcept {
        std::span<std::uint8_t> work = job_.work;
        for (std::size_t i = 0; i < kParts; ++i) {
            bool sound = true;
            const std::uint32_t share = header_.parts[i].memory_bytes(job_.payload, sound);
            if (const Status status = parts_[i].open(job_.payload, header_.parts[i], work.first(share));
                status != Status::ok)
                return status;
            work = work.subspan(share);
        }
        return Status::ok;
    }

    /// Differences describe literals, too: as zeros, which are passed over.
    void copy_literals(std::uint32_t count) noexcept {
        for (std::uint32_t i = 0; i < count && sound_ && !stopped(); ++i) {
            if (next_difference() != 0) sound_ = false;
            out_.put(parts_[kLiterals].next_byte(), 1);
        }
    }

    std::uint32_t next_difference() noexcept {
        if (run_ == 0) {
            const std::uint32_t length = take_number(parts_[kRunControls], 2, run_kind_, sound_);
            if (length == UINT32_MAX) {
                sound_ = false;
                return 0;
            }
            run_ = length + 1;
            if (run_kind_ == 1) run_value_ = 255;
            if (run_kind_ == 0) run_value_ = 0;
            if (run_kind_ == 2) run_value_ = parts_[kRunBytes].next_byte();
        }
        --run_;
        return run_kind_ == 3 ? parts_[kRunBytes].next_byte() : run_value_;
    }

    [[nodiscard]] bool stopped() const noexcept {
        for (const delta::SectionReader& part : parts_)
            if (part.failed()) return true;
        return old_.status() != Status::ok || out_.status() != Status::ok;
    }

    Status verdict() noexcept {
        out_.flush();
        for (const delta::SectionReader& part : parts_)
            if (part.failed()) return part.status();
        if (old_.status() != Status::ok) return old_.status();
        if (out_.status() != Status::ok) return out_.status();
        bool used_up = run_ == 0;
        for (const delta::SectionReader& part : parts_)
            used_up = used_up && part.left_bytes() == 0;
        return sound_ && used_up && out_.position() == header_.new_bytes ? Status::ok
                                                                         : Status::payload_malformed;
    }

    const Header& header_;
    const Job& job_;
    delta::OldWindow old_;
    delta::NewBuffer out_;
    std::array<delta::SectionReader, kParts> parts_;
    std::uint32_t run_{0}, run_value_{0};
    unsigned run_kind_{0};
    bool sound_{true};
};

}  // namespace

std::uint32_t hdiff13_memory_bytes(ByteSource& payload) noexcept {
    Header header;
    bool sound = read_header(payload, header) == Status::ok;
    if (!sound) return 0;
    const std::uint64_t sum = memory_bytes(payload, header, sound);
    return !sound ? 0 : sum > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(sum);
}

Status decode_hdiff13(const Job& job) noexcept {
    Header header;
    if (const Status status = read_header(job.payload, header); status != Status::ok) return status;
    if (job.base == nullptr || header.old_bytes != job.base->size_bytes()) return Status::base_mismatch;
    if (header.new_bytes != job.image_size_bytes) return Status::payload_malformed;
    bool sound = true;
    const std::uint64_t needed = memory_bytes(job.payload, header, sound);
    if (!sound) return Status::payload_malformed;
    if (needed > job.work.size()) return Status::memory_budget;
    Patcher patcher(header, job);
    return patcher.run();
}

}  // namespace mcuota::payload
