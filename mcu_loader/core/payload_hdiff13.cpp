// HDiffPatch with four sections (`HDIFF13`): covers, two for the differences, literals; read side by side.

#include "mcu_loader/core/delta/hdiff.hpp"

namespace mcuota::payload {
namespace {

using delta::take_number;

enum Part : std::size_t { kCovers, kRunControls, kRunBytes, kLiterals, kParts };

struct Header : delta::HdiffHead {
    std::array<delta::Section, kParts> parts;
    std::uint32_t memory_bytes{0};
};

Status read_header(ByteSource& payload, Header& out) noexcept {
    delta::PayloadReader reader(payload, 0);
    bool sound = take_head(reader, "HDIFF13", out);
    for (delta::Section& part : out.parts)
        take_sizes(reader, out, part, sound);
    if (!sound || reader.failed()) return reader.failed() ? reader.status() : Status::payload_malformed;
    std::uint32_t at = reader.position();
    const std::uint32_t size = payload.size_bytes();
    for (delta::Section& part : out.parts) {
        part.offset = at;
        if (part.stored_bytes > size - at) return Status::payload_malformed;
        at += part.stored_bytes;
    }
    if (at != size) return Status::payload_malformed;
    for (const delta::Section& part : out.parts) {
        const std::uint32_t needed = part.memory_bytes(payload, sound);
        out.memory_bytes = needed > UINT32_MAX - out.memory_bytes ? UINT32_MAX : out.memory_bytes + needed;
    }
    return sound ? Status::ok : Status::payload_malformed;
}

/// Runs of zeros, of 255, of one byte, of bytes as they are.
class Runs final : public delta::DifferenceRuns {
  public:
    Runs(delta::ByteFeed& controls, delta::ByteFeed& bytes) noexcept : controls_(controls), bytes_(bytes) {}
    bool next(delta::DifferenceRun& out) noexcept override {
        bool sound = true;
        unsigned kind = 0;
        const std::uint32_t length = take_number(controls_, 2, kind, sound);
        if (!sound || controls_.failed() || length == UINT32_MAX) return false;
        out = {length + 1,
               kind == 1   ? 255U
               : kind == 2 ? bytes_.next_byte()
                           : 0U,
               kind == 3 ? &bytes_ : nullptr};
        return !bytes_.failed();
    }

  private:
    delta::ByteFeed& controls_;
    delta::ByteFeed& bytes_;
};

}  // namespace

std::uint32_t hdiff13_memory_bytes(ByteSource& payload) noexcept {
    Header header;
    return read_header(payload, header) == Status::ok ? header.memory_bytes : 0;
}

Status decode_hdiff13(const Job& job) noexcept {
    Header header;
    if (const Status status = read_header(job.payload, header); status != Status::ok) return status;
    if (const Status status = fits(header, job); status != Status::ok) return status;
    if (header.memory_bytes > job.work.size()) return Status::memory_budget;

    std::array<delta::SectionReader, kParts> parts;
    std::span<std::uint8_t> work = job.work;
    for (std::size_t i = 0; i < kParts; ++i) {
        bool sound = true;
        const std::uint32_t share = header.parts[i].memory_bytes(job.payload, sound);
        if (const Status status = parts[i].open(job.payload, header.parts[i], work.first(share));
            status != Status::ok)
            return status;
        work = work.subspan(share);
    }
    Runs runs(parts[kRunControls], parts[kRunBytes]);
    delta::Patcher patcher(header, job);
    for (std::uint32_t n = 0; n < header.cover_count; ++n)
        if (const Status status = patcher.one_cover(parts[kCovers], parts[kLiterals], runs, true, true);
            status != Status::ok)
            return status;
    if (const Status status = patcher.put_literals(parts[kLiterals], &runs, patcher.left_bytes());
        status != Status::ok)
        return status;
    bool used_up = patcher.end_differences();
    for (const delta::SectionReader& part : parts)
        used_up = used_up && part.used_up();
    const Status status = patcher.finish();
    return status != Status::ok || used_up ? status : Status::payload_malformed;
}

}  // namespace mcuota::payload
