// ARM-Thumb branch filter. A BL is two halfwords 11110xxxxxxxxxxx 11111yyyyyyyyyyy; x:y counts halfwords from
// the address of the instruction plus 4.

#include "mcu_loader/core/thumb_filter.hpp"

namespace mcuota {

std::size_t thumb_filter(std::span<std::uint8_t> bytes, std::uint32_t position,
                         ThumbDirection direction) noexcept {
    std::size_t i = 0;
    for (; i + 4 <= bytes.size(); i += 2) {
        if ((bytes[i + 1] & 0xF8U) != 0xF0U || (bytes[i + 3] & 0xF8U) != 0xF8U) continue;
        const std::uint32_t halfwords = ((bytes[i + 1] & 7U) << 19) | (std::uint32_t{bytes[i]} << 11) |
                                        ((bytes[i + 3] & 7U) << 8) | bytes[i + 2];
        const std::uint32_t here = position + static_cast<std::uint32_t>(i) + 4;
        const std::uint32_t target =
            (direction == ThumbDirection::to_absolute ? halfwords * 2 + here : halfwords * 2 - here) >> 1;
        bytes[i + 1] = static_cast<std::uint8_t>(0xF0U | ((target >> 19) & 7U));
        bytes[i] = static_cast<std::uint8_t>(target >> 11);
        bytes[i + 3] = static_cast<std::uint8_t>(0xF8U | ((target >> 8) & 7U));
        bytes[i + 2] = static_cast<std::uint8_t>(target);
        i += 2;  // the second halfword belongs to this BL
    }
    return i;
}

}  // namespace mcuota
