#include "mcu_flasher/package/delta/relocated_encoder.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "mcu_flasher/package/delta/alignment.hpp"
#include "mcu_flasher/package/delta/range_encoder.hpp"
#include "mcu_loader/core/delta/relocated_codec.hpp"

namespace mcuota::delta {
namespace {

using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

/// Old bytes in memory, as codec and predictor want them.
struct OldImage {
    View bytes;
    [[nodiscard]] View run(std::uint32_t at, std::uint32_t wanted) const noexcept {
        return bytes.subspan(at, std::min<std::size_t>(wanted, bytes.size() - at));
    }
};

/// The new image as the encoder's codec sees it: it knows what is to come.
class NewImage {
  public:
    explicit NewImage(View bytes) : bytes_(bytes) {}
    /// The next bytes.
    [[nodiscard]] std::uint32_t actual(unsigned size) const noexcept {
        std::uint32_t value = 0;
        for (unsigned i = 0; i < size; ++i)
            value |= static_cast<std::uint32_t>(bytes_[position_ + i]) << (8 * i);
        return value;
    }
    [[nodiscard]] bool holds(const std::uint8_t* bytes, std::uint32_t size) const noexcept {
        return std::equal(bytes, bytes + size, bytes_.begin() + position_);
    }
    void put(std::uint32_t /*value*/, unsigned size) noexcept { position_ += size; }
    [[nodiscard]] std::uint8_t* room(std::uint32_t size) noexcept {
        room_.resize(size);
        return room_.data();
    }
    void take(std::uint32_t size) noexcept { position_ += size; }
    [[nodiscard]] std::uint32_t last() const noexcept { return position_ > 0 ? bytes_[position_ - 1] : 0; }
    [[nodiscard]] std::uint32_t position() const noexcept { return position_; }
    [[nodiscard]] static bool failed() noexcept { return false; }

  private:
    View bytes_;
    Bytes room_;
    std::uint32_t position_{0};
};

/// The bytes of a call or pointer as predicted by the covers alone.
std::uint32_t plain_prediction(const Unit& unit) {
    if (unit.kind == Unit::Kind::pointer) return unit.predicted;
    std::uint32_t first = unit.old_value & 0xFFFFU, second = unit.old_value >> 16;
    static_cast<void>(thumb::retarget(thumb::Form::call, unit.new_pos, unit.predicted, first, second));
    return first | second << 16;
}

/// The old image with every cover's range overwritten by its prediction: matching against it finds moved code
/// whole.
Bytes relocated(View old_image, std::uint32_t load_address, std::span<const Cover> covers) {
    std::vector<std::uint16_t> order(covers.size());
    const CoverMap map(covers, order, static_cast<std::uint32_t>(old_image.size()));
    OldImage old{old_image};
    Predictor<OldImage> predictor(old, static_cast<std::uint32_t>(old_image.size()), load_address, map);
    std::vector<Cover> by_length(covers.begin(), covers.end());
    std::stable_sort(by_length.begin(), by_length.end(),
                     [](const Cover& a, const Cover& b) { return a.length < b.length; });
    Bytes out(old_image.begin(), old_image.end());
    Block block;
    Bytes room(kBlockBytes + kBlockSlackBytes);
    block.bytes = room.data();
    for (const Cover& cover : by_length) {
        predictor.start(cover);
        for (std::uint32_t at = cover.old_pos; !predictor.at_end(); at += block.size) {
            predictor.next_block(block, plain_prediction);
            std::copy_n(block.bytes, block.size, out.begin() + at);
        }
    }
    return out;
}

Bytes code(View old_image, View new_image, RelocatedHeader header, std::span<const Cover> covers) {
    header.cover_count = static_cast<std::uint16_t>(covers.size());
    Bytes work(header.memory_bytes());
    RelocatedMemory memory;
    if (!memory.lay_out(header, work)) return {};
    std::copy(covers.begin(), covers.end(), memory.covers.begin());
    RangeEncoder coder;
    OldImage old{old_image};
    NewImage out(new_image);
    RelocatedCodec codec(header, memory, coder, old, out);
    if (!codec.run()) return {};
    Bytes delta(kRelocatedHeaderBytes);
    write_header(header, std::span<std::uint8_t, kRelocatedHeaderBytes>(delta));
    const Bytes body = coder.finish();
    delta.insert(delta.end(), body.begin(), body.end());
    return delta;
}

/// Table sizes from generous to frugal: the first that fit with the covers are tried.
constexpr std::array<std::array<std::uint8_t, 3>, 5> kTables{{
    {12, 12, 12},
    {12, 12, 11},
    {12, 11, 11},
    {11, 11, 10},
    {10, 10, 9},
}};

bool fit_tables(RelocatedHeader& header, std::size_t cover_count, std::uint32_t memory_bytes_max) {
    header.cover_count = static_cast<std::uint16_t>(cover_count);
    for (const auto& tables : kTables) {
        header.literal_log2 = tables[0];
        header.halfword_log2 = tables[1];
        header.pair_log2 = tables[2];
        if (header.memory_bytes() <= memory_bytes_max) return true;
    }
    return false;
}

/// The least useful covers, the shortest ones, go until the rest may stay.
void drop_to_cap(std::vector<Cover>& covers, std::size_t cap) {
    if (covers.size() <= cap) return;
    std::vector<std::uint32_t> lengths(covers.size());
    std::transform(covers.begin(), covers.end(), lengths.begin(),
                   [](const Cover& cover) { return cover.length; });
    std::nth_element(lengths.begin(), lengths.begin() + static_cast<std::ptrdiff_t>(covers.size() - cap),
                     lengths.end());
    const std::uint32_t shortest_kept = lengths[covers.size() - cap];
    std::erase_if(covers, [&](const Cover& cover) { return cover.length < shortest_kept; });
    if (covers.size() > cap) covers.resize(cap);
}

std::size_t covers_allowed(RelocatedHeader header, std::uint32_t memory_bytes_max) {
    std::size_t allowed = kCoversMax;
    while (allowed > 0 && !fit_tables(header, allowed, memory_bytes_max))
        allowed -= std::min<std::size_t>(allowed, 16);
    return allowed;
}

/// Passes over the relocated old image; each finds more of the moved code. They end when one more does not
/// help.
constexpr unsigned kPassesMax = 6;
/// Images beyond a microcontroller's size are not worth so long a search.
constexpr std::size_t kSearchedBytesMax = 2U << 20;

}  // namespace

Result<std::vector<std::uint8_t>> encode_relocated(View old_image, View new_image,
                                                   std::optional<std::uint32_t> load_address,
                                                   std::uint32_t memory_bytes_max) {
    RelocatedHeader header;
    header.new_bytes = static_cast<std::uint32_t>(new_image.size());
    header.old_bytes = static_cast<std::uint32_t>(old_image.size());
    header.load_address = load_address.value_or(kNoLoadAddress);
    if (!fit_tables(header, 0, memory_bytes_max))
        return Error{
            ErrorCode::memory_budget_exceeded,
            "a relocated delta needs more than " + std::to_string(memory_bytes_max) + " bytes to decode",
            "allow more, or use another format", 0};

    const std::size_t cap = covers_allowed(header, memory_bytes_max);
    const AlignmentCosts costs;
    const unsigned passes = std::max(old_image.size(), new_image.size()) > kSearchedBytesMax ? 1 : kPassesMax;
    Bytes best;
    Bytes from(old_image.begin(), old_image.end());
    std::vector<Cover> covers;
    unsigned worse = 0;
    for (unsigned pass = 0; pass < passes && worse < 2; ++pass) {
        covers = align(from, new_image, costs, covers);
        drop_to_cap(covers, cap);
        if (!fit_tables(header, covers.size(), memory_bytes_max)) break;
        Bytes delta = code(old_image, new_image, header, covers);
        if (delta.empty()) break;
        worse = best.empty() || delta.size() < best.size() ? 0 : worse + 1;
        if (worse == 0) best = std::move(delta);
        from = relocated(old_image, header.load_address, covers);
    }
    if (best.empty()) return Error{ErrorCode::internal, "the covers found do not code", "", 0};
    return best;
}

}  // namespace mcuota::delta
