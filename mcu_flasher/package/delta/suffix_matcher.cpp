#include "mcu_flasher/package/delta/suffix_matcher.hpp"

#include <divsufsort.h>

#include <algorithm>

namespace mcuota::delta {

SuffixMatcher::SuffixMatcher(std::span<const std::uint8_t> text) : text_(text), order_(text.size()) {
    if (!text.empty()) divsufsort(text.data(), order_.data(), static_cast<saidx_t>(text.size()));
}

std::uint32_t SuffixMatcher::common(std::uint32_t position, std::span<const std::uint8_t> pattern) const {
    const auto limit = std::min(text_.size() - position, pattern.size());
    const auto* const from = text_.data() + position;
    return static_cast<std::uint32_t>(std::mismatch(from, from + limit, pattern.begin()).first - from);
}

SuffixMatcher::Match SuffixMatcher::longest(std::span<const std::uint8_t> pattern) const {
    Match best;
    // Binary search that keeps what both ends of the range are known to share with the pattern.
    std::int64_t low = -1, high = static_cast<std::int64_t>(order_.size());
    std::uint32_t low_common = 0, high_common = 0;
    while (high - low > 1) {
        const std::int64_t middle = low + (high - low) / 2;
        const auto position = static_cast<std::uint32_t>(order_[static_cast<std::size_t>(middle)]);
        const std::uint32_t known = std::min(low_common, high_common);
        const std::uint32_t shared = known + common(position + known, pattern.subspan(known));
        if (shared > best.length) best = {position, shared, static_cast<std::uint32_t>(middle)};
        if (shared == pattern.size()) break;
        if (position + shared == text_.size() || text_[position + shared] < pattern[shared]) {
            low = middle;
            low_common = shared;
        } else {
            high = middle;
            high_common = shared;
        }
    }
    return best;
}

}  // namespace mcuota::delta
