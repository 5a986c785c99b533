// HDiffPatch single stream (`HDIFFSF20`): steps of covers, differences and literals in one section.

#include "mcu_loader/core/delta/hdiff.hpp"

namespace mcuota::payload {
namespace {

using delta::take_number;

struct Header : delta::HdiffHead {
    std::uint32_t step_bytes{0};
    delta::Section body;
    std::uint32_t memory_bytes{0};
};

Status read_header(ByteSource& payload, Header& out) noexcept {
    delta::PayloadReader reader(payload, 0);
    bool sound = take_head(reader, "HDIFFSF20", out);
    out.step_bytes = take_number(reader, sound);
    take_sizes(reader, out, out.body, sound);
    if (reader.failed()) return reader.status();
    out.body.offset = reader.position();
    if (!sound || out.body.stored_bytes > out.body.plain_bytes || out.step_bytes > out.body.plain_bytes ||
        out.body.stored_bytes != payload.size_bytes() - out.body.offset)
        return Status::payload_malformed;
    const std::uint32_t needed = out.body.memory_bytes(payload, sound);
    out.memory_bytes = out.step_bytes > UINT32_MAX - needed ? UINT32_MAX : out.step_bytes + needed;
    return sound ? Status::ok : Status::payload_malformed;
}

/// Differences of a step: a run of zeros, a run of values, and so on.
class Runs final : public delta::DifferenceRuns {
  public:
    explicit Runs(delta::BlockReader& block) noexcept : block_(block) {}
    bool next(delta::DifferenceRun& out) noexcept override {
        bool sound = true;
        out = {take_number(block_, sound), 0, values_ ? &block_ : nullptr};
        values_ = !values_;
        return sound && !block_.failed();
    }

  private:
    delta::BlockReader& block_;
    bool values_{false};
};

/// One step; `step` is memory for its covers and differences.
Status one_step(delta::SectionReader& body, std::span<std::uint8_t> step, delta::Patcher& patcher,
                std::uint32_t& covers_left) noexcept {
    bool sound = true;
    const std::uint32_t cover_bytes = take_number(body, sound), difference_bytes = take_number(body, sound);
    if (body.failed()) return body.status();
    if (!sound || cover_bytes == 0 || cover_bytes > step.size() ||
        difference_bytes > step.size() - cover_bytes)
        return Status::payload_malformed;
    for (std::uint8_t& byte : step.first(cover_bytes + difference_bytes))
        byte = static_cast<std::uint8_t>(body.next_byte());
    if (body.failed()) return body.status();
    delta::BlockReader covers(step.first(cover_bytes)),
        differences(step.subspan(cover_bytes, difference_bytes));
    Runs runs(differences);
    while (!covers.used_up()) {
        if (covers_left == 0) return Status::payload_malformed;
        --covers_left;
        if (const Status status = patcher.one_cover(covers, body, runs, false, covers_left == 0);
            status != Status::ok)
            return status;
    }
    // A last run of zeros may be told with length 0: nothing may be left but that.
    bool used_up = patcher.end_differences();
    while (!differences.used_up())
        if (differences.next_byte() != 0) used_up = false;
    return used_up ? Status::ok : Status::payload_malformed;
}

}  // namespace

std::uint32_t hdiffsf20_memory_bytes(ByteSource& payload) noexcept {
    Header header;
    return read_header(payload, header) == Status::ok ? header.memory_bytes : 0;
}

Status decode_hdiffsf20(const Job& job) noexcept {
    Header header;
    if (const Status status = read_header(job.payload, header); status != Status::ok) return status;
    if (const Status status = fits(header, job); status != Status::ok) return status;
    if (header.memory_bytes > job.work.size()) return Status::memory_budget;

    const auto step = job.work.first(header.step_bytes);
    delta::SectionReader body;
    Status status = body.open(job.payload, header.body, job.work.subspan(header.step_bytes));
    delta::Patcher patcher(header, job);
    for (std::uint32_t covers_left = header.cover_count; status == Status::ok && covers_left != 0;)
        status = one_step(body, step, patcher, covers_left);
    if (status == Status::ok) status = patcher.finish();
    if (status != Status::ok) return status;
    return patcher.left_bytes() == 0 && body.used_up() ? Status::ok : Status::payload_malformed;
}

}  // namespace mcuota::payload
