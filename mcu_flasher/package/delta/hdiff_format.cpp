// Numbers, heads and covers of HDiffPatch deltas.

#include "mcu_flasher/package/delta/hdiff_format.hpp"

#include <algorithm>

#include "mcu_flasher/package/delta/alignment.hpp"

namespace mcuota::delta {

void HdiffWriter::number(std::uint32_t value, unsigned tag_bits, unsigned tag) {
    const unsigned first_bits = 7 - tag_bits;
    unsigned groups = 0;  // of 7 bits, behind the first byte
    while ((std::uint64_t{value} >> (groups * 7)) >= (std::uint64_t{1} << first_bits))
        ++groups;
    const auto first = static_cast<std::uint32_t>(std::uint64_t{value} >> (groups * 7));
    const std::uint32_t more = groups != 0 ? 1U << first_bits : 0U;
    byte(static_cast<std::uint8_t>((tag_bits != 0 ? tag << (8 - tag_bits) : 0U) | more | first));
    while (groups-- > 0)
        byte(static_cast<std::uint8_t>((value >> (groups * 7) & 0x7FU) | (groups != 0 ? 0x80U : 0U)));
}

void HdiffWriter::head(std::string_view magic) {
    for (const char c : magic)
        byte(static_cast<std::uint8_t>(c));
    for (const char c : std::string_view("&lzma"))
        byte(static_cast<std::uint8_t>(c));
    byte(0);
}

void HdiffWriter::cover(const Cover& cover, std::uint32_t old_end, std::uint32_t new_end) {
    const bool back = cover.old_pos < old_end;
    number(back ? old_end - cover.old_pos : cover.old_pos - old_end, 1, back ? 1 : 0);
    number(cover.new_pos - new_end);
    number(cover.length);
}

std::vector<std::vector<Cover>> hdiff_covers(std::span<const std::uint8_t> old_image,
                                             std::span<const std::uint8_t> new_image) {
    constexpr std::size_t kBothTriedBytesMax = 2U << 20;
    AlignmentCosts costs;
    std::vector<std::vector<Cover>> out{align(old_image, new_image, costs, {})};
    if (std::max(old_image.size(), new_image.size()) <= kBothTriedBytesMax) {
        costs.same_surprise = costs.first_surprise;
        out.push_back(align(old_image, new_image, costs, {}));
    }
    return out;
}

}  // namespace mcuota::delta
