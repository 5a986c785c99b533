// Writes `HDIFFSF20`: steps of covers, differences and literals in one LZMA stream.

#include <algorithm>
#include <array>
#include <optional>

#include "mcu_flasher/package/delta/hdiff_encoder.hpp"
#include "mcu_flasher/package/delta/hdiff_format.hpp"
#include "mcu_flasher/package/delta/lzma_section.hpp"

namespace mcuota::delta {
namespace {

using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

/// Differences as runs: zeros, values, zeros, … Zero runs shorter than `zeros_min` between values are told as
/// values.
class DifferenceRuns {
  public:
    explicit DifferenceRuns(std::uint32_t zeros_min) : zeros_min_(zeros_min) {}

    void add(std::uint8_t difference) {
        if (difference == 0) {
            ++zeros_;
            return;
        }
        if (!values_.empty() && zeros_ >= zeros_min_) close_values();
        if (values_.empty())
            leading_zeros_ = zeros_;
        else
            values_.insert(values_.end(), zeros_, 0);
        zeros_ = 0;
        values_.push_back(difference);
    }
    /// No more than this many bytes are needed for all so far and one more difference.
    [[nodiscard]] std::size_t size_bound() const { return out_.size() + values_.size() + 4 * 5 + zeros_min_; }
    [[nodiscard]] const Bytes& finish() {
        if (!values_.empty()) close_values();
        if (zeros_ != 0) out_.number(zeros_);
        zeros_ = 0;
        return out_.data();
    }
    void clear() {
        out_.clear();
        values_.clear();
        zeros_ = leading_zeros_ = 0;
    }

  private:
    void close_values() {
        out_.number(leading_zeros_);
        out_.number(static_cast<std::uint32_t>(values_.size()));
        out_.bytes(values_);
        values_.clear();
    }

    std::uint32_t zeros_min_;
    HdiffWriter out_;
    Bytes values_;
    std::uint32_t leading_zeros_{0}, zeros_{0};
};

/// The uncompressed body of a delta.
struct Body {
    Bytes bytes;
    std::uint32_t cover_count{0};
    std::uint32_t step_bytes{0};  ///< largest step
};

class BodyWriter {
  public:
    BodyWriter(View old_image, View new_image, std::uint32_t step_bytes_max, std::uint32_t zeros_min)
        : old_(old_image), new_(new_image), step_bytes_max_(step_bytes_max), differences_(zeros_min) {}

    Body run(std::span<const Cover> covers) {
        for (const Cover& cover : covers)
            add(cover);
        if (new_end_ < new_.size()) put_cover({old_end_, static_cast<std::uint32_t>(new_.size()), 0});
        close_step();
        body_.bytes = out_.take();
        return std::move(body_);
    }

  private:
    // A jump, a gap and a length of five bytes each.
    static constexpr std::size_t kCoverBytesMax = 15;

    void add(Cover cover) {
        while (cover.length > 0) {
            if (full()) close_step();
            Cover part = cover;
            part.length = 0;
            while (part.length < cover.length && !full()) {
                differences_.add(static_cast<std::uint8_t>(new_[part.new_pos + part.length] -
                                                           old_[part.old_pos + part.length]));
                ++part.length;
            }
            put_cover(part);
            cover = {cover.old_pos + part.length, cover.new_pos + part.length, cover.length - part.length};
        }
    }

    [[nodiscard]] bool full() const {
        return covers_.size() + 2 * kCoverBytesMax + differences_.size_bound() > step_bytes_max_;
    }

    void put_cover(const Cover& cover) {
        covers_.cover(cover, old_end_, new_end_);
        const View gap = new_.subspan(new_end_, cover.new_pos - new_end_);
        literals_.insert(literals_.end(), gap.begin(), gap.end());
        old_end_ = cover.old_pos + cover.length;
        new_end_ = cover.new_pos + cover.length;
        ++body_.cover_count;
    }

    void close_step() {
        if (covers_.size() == 0) return;
        const Bytes& differences = differences_.finish();
        const auto cover_bytes = static_cast<std::uint32_t>(covers_.size()),
                   difference_bytes = static_cast<std::uint32_t>(differences.size());
        out_.number(cover_bytes);
        out_.number(difference_bytes);
        out_.bytes(covers_.data());
        out_.bytes(differences);
        out_.bytes(literals_);
        body_.step_bytes = std::max(body_.step_bytes, cover_bytes + difference_bytes);
        covers_.clear();
        differences_.clear();
        literals_.clear();
    }

    View old_, new_;
    std::uint32_t step_bytes_max_;
    HdiffWriter out_, covers_;
    DifferenceRuns differences_;
    Bytes literals_;
    Body body_;
    std::uint32_t old_end_{0}, new_end_{0};
};

struct Trial {
    std::uint32_t step_bytes, zeros_min;
};
constexpr std::array<Trial, 4> kTrials{{{8192, 1}, {8192, 2}, {16384, 1}, {4096, 1}}};

}  // namespace

Result<std::vector<std::uint8_t>> encode_hdiffsf20(View old_image, View new_image,
                                                   std::uint32_t memory_bytes_max) {
    std::optional<Bytes> best;
    for (const std::vector<Cover>& covers : hdiff_covers(old_image, new_image))
        for (const Trial& trial : kTrials) {
            const Body body = BodyWriter(old_image, new_image, trial.step_bytes, trial.zeros_min).run(covers);
            if (body.step_bytes >= memory_bytes_max) continue;
            auto section = pack_section(body.bytes, memory_bytes_max - body.step_bytes);
            if (!section) return std::move(section).error();
            HdiffWriter out;
            out.head("HDIFFSF20");
            out.number(static_cast<std::uint32_t>(new_image.size()));
            out.number(static_cast<std::uint32_t>(old_image.size()));
            out.number(body.cover_count);
            out.number(body.step_bytes);
            out.number(static_cast<std::uint32_t>(body.bytes.size()));
            out.number(section->packed ? static_cast<std::uint32_t>(section->stored.size()) : 0U);
            out.bytes(section->stored);
            if (!best || out.size() < best->size()) best = out.take();
        }
    if (!best)
        return Error{ErrorCode::memory_budget_exceeded,
                     "no HDIFFSF20 delta is decoded in " + std::to_string(memory_bytes_max) + " bytes",
                     "allow more, or use another format", 0};
    return std::move(*best);
}

}  // namespace mcuota::delta
