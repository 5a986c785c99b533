#include "mcu_loader/core/delta/cover.hpp"

#include <cstddef>

namespace mcuota::delta {
namespace {

constexpr std::size_t kLookBack = 8;
/// The entries of `order`: a cover's index and whether an earlier one reaches behind its start.
constexpr std::uint16_t kOverlapped = 0x8000, kIndexMask = 0x7FFF;

bool before(const Cover& a, const Cover& b) noexcept {
    return a.old_pos != b.old_pos ? a.old_pos < b.old_pos : a.new_pos < b.new_pos;
}

}  // namespace

CoverMap::CoverMap(std::span<const Cover> covers, std::span<std::uint16_t> order,
                   std::uint32_t old_bytes) noexcept
    : covers_(covers), order_(order) {
    const std::size_t count = covers.size();
    for (std::size_t i = 0; i < count; ++i)
        order[i] = static_cast<std::uint16_t>(i);
    // Shell sort: no recursion, no memory, and the list is nearly sorted already.
    for (std::size_t gap = count / 2; gap > 0; gap /= 2) {
        for (std::size_t i = gap; i < count; ++i) {
            const std::uint16_t moving = order[i];
            std::size_t j = i;
            for (; j >= gap && before(covers[moving], covers[order[j - gap]]); j -= gap)
                order[j] = order[j - gap];
            order[j] = moving;
        }
    }
    // A search that looks back may stop at a cover behind whose start nothing earlier reaches.
    std::uint32_t reach = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const Cover& cover = covers[order[i]];
        if (reach > cover.old_pos) order[i] |= kOverlapped;
        const std::uint32_t end = cover.old_pos + cover.length;
        if (end > reach) reach = end;
    }
    while (old_bytes >> piece_log2_ >= kPieces)
        ++piece_log2_;
    std::size_t last = 0;
    for (std::size_t piece = 0; piece <= kPieces; ++piece) {
        while (last + 1 < count && covers[order[last + 1] & kIndexMask].old_pos >> piece_log2_ < piece)
            ++last;
        first_[piece] = static_cast<std::uint16_t>(last);
    }
}

std::uint32_t CoverMap::map(std::uint32_t x) const noexcept {
    if (order_.empty()) return x;
    const Cover* const covers = covers_.data();
    const std::uint16_t* const order = order_.data();
    // Last cover that starts at or before x, or the first.
    const std::size_t piece = x >> piece_log2_ < kPieces ? x >> piece_log2_ : kPieces - 1;
    std::size_t low = first_[piece];
    for (std::size_t count = first_[piece + 1] + 1U - low; count > 1;) {
        const std::size_t half = count / 2;
        if (covers[order[low + half] & kIndexMask].old_pos <= x) low += half;
        count -= half;
    }
    const Cover* const nearest = &covers[order[low] & kIndexMask];
    const Cover* chosen = nullptr;
    for (std::size_t back = 0; back < kLookBack; ++back) {
        const std::uint16_t entry = order[low - back];
        const Cover& cover = covers[entry & kIndexMask];
        if (x - cover.old_pos < cover.length && (chosen == nullptr || cover.length > chosen->length))
            chosen = &cover;
        if ((entry & kOverlapped) == 0) break;
    }
    if (chosen == nullptr) chosen = nearest;
    return x + chosen->new_pos - chosen->old_pos;
}

}  // namespace mcuota::delta
