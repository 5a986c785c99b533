// Finds where an image is linked to: words with bit 0 set that point at function prologues vote for a base.

#include <algorithm>
#include <cmath>

#include "mcu_flasher/package/delta/delta.hpp"

namespace mcuota::delta {

std::optional<std::uint32_t> guess_load_address(std::span<const std::uint8_t> image) {
    std::vector<std::uint32_t> prologues, words;
    const auto halfword = [&](std::size_t at) {
        return static_cast<std::uint32_t>(image[at] | image[at + 1] << 8);
    };
    for (std::size_t at = 0; at + 4 <= image.size(); at += 2) {
        const std::uint32_t value = halfword(at);
        if ((value & 0xFF00U) == 0xB500U || value == 0xE92DU)
            prologues.push_back(static_cast<std::uint32_t>(at));
        if (at % 4 == 0 && (value & 1U) != 0) words.push_back((value | halfword(at + 2) << 16) - 1);
    }
    // A value that stands in many places is still one witness.
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    constexpr std::size_t kEnough = 4000;  // pairs are counted: bound their number
    if (prologues.size() > kEnough) prologues.resize(kEnough);
    if (words.size() > 8 * kEnough) words.resize(8 * kEnough);
    std::vector<std::uint32_t> votes;
    for (const std::uint32_t word : words)
        for (const std::uint32_t prologue : prologues)
            if (((word - prologue) & 0x3FFU) == 0) votes.push_back(word - prologue);
    std::sort(votes.begin(), votes.end());
    // Chance alone lets words of a crowded range hit prologues: what counts is how far the hits exceed that.
    const double hit_chance =
        static_cast<double>(prologues.size()) / (static_cast<double>(image.size()) / 2.0 + 1.0);
    std::optional<std::uint32_t> winner;
    double best_score = 8.0;
    for (std::size_t begin = 0, end = 0; begin < votes.size(); begin = end) {
        while (end < votes.size() && votes[end] == votes[begin])
            ++end;
        const std::uint32_t base = votes[begin];
        const auto first = std::lower_bound(words.begin(), words.end(), base);
        const auto last =
            std::lower_bound(first, words.end(), static_cast<std::uint64_t>(base) + image.size());
        const double expected = static_cast<double>(last - first) * hit_chance;
        const double score = (static_cast<double>(end - begin) - expected) / std::sqrt(expected + 1.0);
        if (score > best_score) {
            best_score = score;
            winner = base;
        }
    }
    return winner;
}

}  // namespace mcuota::delta
