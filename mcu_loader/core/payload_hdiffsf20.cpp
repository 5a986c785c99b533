// HDiffPatch single stream (`HDIFFSF20`): steps of covers, differences and literals in one section.

#include "mcu_loader/core/delta/hdiff.hpp"
#include "mcu_loader/core/delta/image_io.hpp"
#include "mcu_loader/core/payload_kinds.hpp"

namespace mcuota::payload {
namespace {

using delta::take_number;

struct Header {
    std::uint32_t new_bytes{0}, old_bytes{0}, cover_count{0}, step_bytes{0};
    delta::Section body;
};

Status read_header(ByteSource& payload, Header& out) noexcept {
    delta::PayloadReader reader(payload, 0);
    delta::Compression compression{};
    if (!delta::take_magic(reader, "HDIFFSF20", compression))
        return reader.status() != Status::ok ? reader.status() : Status::payload_malformed;
    bool sound = true;
    out.new_bytes = take_number(reader, sound);
    out.old_bytes = take_number(reader, sound);
    out.cover_count = take_number(reader, sound);
    out.step_bytes = take_number(reader, sound);
    out.body.plain_bytes = take_number(reader, sound);
    const std::uint32_t packed = take_number(reader, sound);
    if (reader.status() != Status::ok) return reader.status();
    if (!sound || reader.failed()) return Status::payload_malformed;
    out.body.packed = packed != 0;
    out.body.stored_bytes = out.body.packed ? packed : out.body.plain_bytes;
    out.body.offset = reader.position();
    if (out.body.packed && compression == delta::Compression::none) return Status::payload_malformed;
    if (packed > out.body.plain_bytes || out.step_bytes > out.body.plain_bytes ||
        out.body.stored_bytes != payload.size_bytes() - out.body.offset)
        return Status::payload_malformed;
    return Status::ok;
}

/// Memory for the step and the body's reader; 0 when the body's properties make no sense.
std::uint32_t memory_bytes(ByteSource& payload, const Header& header) noexcept {
    bool sound = true;
    const std::uint32_t reader = header.body.memory_bytes(payload, sound);
    if (!sound) return 0;
    return header.step_bytes > UINT32_MAX - reader ? UINT32_MAX : header.step_bytes + reader;
}

/// A block of a step, in memory.
class Block {
  public:
    explicit Block(std::span<const std::uint8_t> bytes) noexcept : bytes_(bytes) {}
    std::uint32_t next_byte() noexcept {
        if (at_ < bytes_.size()) return bytes_[at_++];
        beyond_ = true;
        return 0;
    }
    [[nodiscard]] bool failed() const noexcept { return beyond_; }
    [[nodiscard]] bool used_up() const noexcept { return at_ == bytes_.size(); }

  private:
    std::span<const std::uint8_t> bytes_;
    std::size_t at_{0};
    bool beyond_{false};
};

/// Differences of a step: a run of zeros, a run of values, and so on.
class Differences {
  public:
    explicit Differences(Block& block) noexcept : block_(block) {}
    std::uint32_t next(bool& sound) noexcept {
        while (run_ == 0 && sound && !block_.failed()) {
            values_ = started_ && !values_;
            started_ = true;
            run_ = take_number(block_, sound);
            if (run_ == 0 && block_.used_up()) sound = false;
        }
        if (run_ == 0) return 0;
        --run_;
        return values_ ? block_.next_byte() : 0;
    }
    [[nodiscard]] bool at_rest() const noexcept { return run_ == 0; }

  private:
    Block& block_;
    std::uint32_t run_{0};
    bool values_{false}, started_{false};
};

class Patcher {
  public:
    Patcher(const Header& header, const Job& job, std::span<std::uint8_t> step) noexcept
        : header_(header), job_(job), step_(step), old_(*job.base), out_(job.sink) {}

    Status run(std::span<std::uint8_t> reader_work) noexcept {
        Status status = body_.open(job_.payload, header_.body, reader_work);
        for (covers_left_ = header_.cover_count; status == Status::ok && covers_left_ != 0;)
            status = one_step();
        if (status != Status::ok) return status;
        out_.flush();
        if (old_.status() != Status::ok) return old_.status();
        if (out_.status() != Status::ok) return out_.status();
        return out_.position() == header_.new_bytes && body_.left_bytes() == 0 ? Status::ok
                                                                               : Status::payload_malformed;
    }

  private:
    Status one_step() noexcept {
        bool sound = true;
        const std::uint32_t cover_bytes = take_number(body_, sound),
                            difference_bytes = take_number(body_, sound);
        if (body_.failed()) return body_.status();
        if (!sound || cover_bytes == 0 || cover_bytes > step_.size() ||
            difference_bytes > step_.size() - cover_bytes)
            return Status::payload_malformed;
        for (std::uint32_t i = 0; i < cover_bytes + difference_bytes; ++i)
            step_[i] = static_cast<std::uint8_t>(body_.next_byte());
        if (body_.failed()) return body_.status();
        Block covers(step_.first(cover_bytes)),
            difference_block(step_.subspan(cover_bytes, difference_bytes));
        Differences differences(difference_block);
        while (!covers.used_up()) {
            if (covers_left_ == 0) return Status::payload_malformed;
            --covers_left_;
            if (const Status status = one_cover(covers, differences); status != Status::ok) return status;
        }
        // A last run of zeros may be told with length 0: nothing may be left but that.
        return differences.at_rest() && trailing_zeros_only(difference_block) ? Status::ok
                                                                              : Status::payload_malformed;
    }

    static bool trailing_zeros_only(Block& block) noexcept {
        while (!block.used_up())
            if (block.next_byte() != 0) return false;
        return true;
    }

    Status one_cover(Block& covers, Differences& differences) noexcept {
        bool sound = true;
        unsigned back = 0;
        const std::uint32_t jump = take_number(covers, 1, back, sound);
        const std::uint32_t gap = take_number(covers, sound), length = take_number(covers, sound);
        if (!sound || covers.failed()) return Status::payload_malformed;
        if (back != 0 ? jump > old_end_ : jump > header_.old_bytes - old_end_)
            return Status::payload_malformed;
        const std::uint32_t old_pos = back != 0 ? old_end_ - jump : old_end_ + jump;
        if (gap > header_.new_bytes - out_.position() || length > header_.new_bytes - out_.position() - gap ||
            length > header_.old_bytes - old_pos || (length == 0 && covers_left_ != 0))
            return Status::payload_malformed;
        for (std::uint32_t i = 0; i < gap && !stopped(); ++i)
            out_.put(body_.next_byte(), 1);
        for (std::uint32_t i = 0; i < length && sound && !stopped(); ++i)
            out_.put((old_.byte(old_pos + i) + differences.next(sound)) & 0xFFU, 1);
        old_end_ = old_pos + length;
        if (body_.failed()) return body_.status();
        if (old_.status() != Status::ok) return old_.status();
        if (out_.status() != Status::ok) return out_.status();
        return sound ? Status::ok : Status::payload_malformed;
    }

    [[nodiscard]] bool stopped() const noexcept { return body_.failed() || out_.status() != Status::ok; }

    const Header& header_;
    const Job& job_;
    std::span<std::uint8_t> step_;
    delta::OldWindow old_;
    delta::NewBuffer out_;
    delta::SectionReader body_;
    std::uint32_t covers_left_{0}, old_end_{0};
};

}  // namespace

std::uint32_t hdiffsf20_memory_bytes(ByteSource& payload) noexcept {
    Header header;
    return read_header(payload, header) == Status::ok ? memory_bytes(payload, header) : 0;
}

Status decode_hdiffsf20(const Job& job) noexcept {
    Header header;
    if (const Status status = read_header(job.payload, header); status != Status::ok) return status;
    if (job.base == nullptr || header.old_bytes != job.base->size_bytes()) return Status::base_mismatch;
    if (header.new_bytes != job.image_size_bytes) return Status::payload_malformed;
    const std::uint32_t needed = memory_bytes(job.payload, header);
    if (needed == 0) return Status::payload_malformed;
    if (needed > job.work.size()) return Status::memory_budget;
    Patcher patcher(header, job, job.work.first(header.step_bytes));
    return patcher.run(job.work.subspan(header.step_bytes));
}

}  // namespace mcuota::payload
