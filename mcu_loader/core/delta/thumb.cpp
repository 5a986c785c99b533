#include "mcu_loader/core/delta/thumb.hpp"

namespace mcuota::delta::thumb {
namespace {

constexpr std::uint32_t sign_extend(std::uint32_t value, unsigned bits) noexcept {
    const std::uint32_t sign = 1U << (bits - 1);
    return (value ^ sign) - sign;
}

constexpr std::uint32_t word_aligned(std::uint32_t place) noexcept {
    return (place + 4) & ~3U;
}

}  // namespace

Form classify(std::uint32_t first, std::uint32_t second, bool has_second) noexcept {
    switch (first >> 11) {
        case 0x1E:  // 11110: the first half of a 32-bit branch or of a data operation
            if (!has_second) return Form::none;
            if ((second & 0xD000U) == 0xD000U || (second & 0xD000U) == 0x9000U) return Form::call;
            if ((second & 0xD000U) == 0x8000U && (first >> 7 & 7U) != 7U) return Form::branch_wide;
            return Form::none;
        case 0x1F:
            return has_second && first == 0xF8DFU ? Form::load_wide : Form::none;
        case 0x09:
            return Form::load;
        case 0x1A:
        case 0x1B:
            return (first >> 8 & 15U) < 14U ? Form::branch_short : Form::none;
        case 0x1C:
            return Form::branch;
        case 0x16:
        case 0x17:
            return (first & 0xF500U) == 0xB100U ? Form::compare_branch : Form::none;
        default:
            return Form::none;
    }
}

std::uint32_t target(Form form, std::uint32_t place, std::uint32_t first, std::uint32_t second) noexcept {
    switch (form) {
        case Form::call:
            return call_target(place, first | second << 16);
        case Form::branch_wide: {
            const std::uint32_t offset = (first >> 10 & 1U) << 20 | (second >> 11 & 1U) << 19 |
                                         (second >> 13 & 1U) << 18 | (first & 0x3FU) << 12 |
                                         (second & 0x7FFU) << 1;
            return place + 4 + sign_extend(offset, 21);
        }
        case Form::load_wide:
            return word_aligned(place) + (second & 0xFFFU);
        case Form::load:
            return word_aligned(place) + (first & 0xFFU) * 4;
        case Form::branch_short:
            return place + 4 + sign_extend((first & 0xFFU) << 1, 9);
        case Form::branch:
            return place + 4 + sign_extend((first & 0x7FFU) << 1, 12);
        case Form::compare_branch:
            return place + 4 + ((first >> 9 & 1U) << 6 | (first >> 3 & 31U) << 1);
        case Form::none:
            break;
    }
    return place;
}

bool retarget(Form form, std::uint32_t place, std::uint32_t target, std::uint32_t& first,
              std::uint32_t& second) noexcept {
    const std::uint32_t offset = target - (place + 4);
    const auto fits = [&](unsigned bits) { return sign_extend(offset & ((1U << bits) - 1), bits) == offset; };
    switch (form) {
        case Form::call: {  // always rewritten: what does not fit wraps, as the encoder's prediction does
            const std::uint32_t s = offset >> 24 & 1U;
            const std::uint32_t j1 = (offset >> 23 & 1U) ^ s ^ 1U;
            const std::uint32_t j2 = (offset >> 22 & 1U) ^ s ^ 1U;
            first = (first & 0xF800U) | s << 10 | (offset >> 12 & 0x3FFU);
            second = (second & 0xD000U) | j1 << 13 | j2 << 11 | (offset >> 1 & 0x7FFU);
            return true;
        }
        case Form::branch_wide:
            if (!fits(21)) return false;
            first = (first & 0xFBC0U) | (offset >> 20 & 1U) << 10 | (offset >> 12 & 0x3FU);
            second = (second & 0xD000U) | (offset >> 18 & 1U) << 13 | (offset >> 19 & 1U) << 11 |
                     (offset >> 1 & 0x7FFU);
            return true;
        case Form::load_wide: {
            const std::uint32_t distance = target - word_aligned(place);
            if (distance > 0xFFFU) return false;
            second = (second & 0xF000U) | distance;
            return true;
        }
        case Form::load: {
            const std::uint32_t distance = target - word_aligned(place);
            if (distance > 0x3FCU || (distance & 3U) != 0) return false;
            first = (first & 0xFF00U) | distance >> 2;
            return true;
        }
        case Form::branch_short:
            if (!fits(9)) return false;
            first = (first & 0xFF00U) | (offset >> 1 & 0xFFU);
            return true;
        case Form::branch:
            if (!fits(12)) return false;
            first = (first & 0xF800U) | (offset >> 1 & 0x7FFU);
            return true;
        case Form::compare_branch:
            if (offset > 0x7EU) return false;
            first = (first & 0xFD07U) | (offset >> 6 & 1U) << 9 | (offset >> 1 & 31U) << 3;
            return true;
        case Form::none:
            break;
    }
    return false;
}

bool same_call(std::uint32_t first_a, std::uint32_t second_a, std::uint32_t first_b,
               std::uint32_t second_b) noexcept {
    return (first_a & 0xF800U) == (first_b & 0xF800U) && (second_a & 0xD000U) == (second_b & 0xD000U);
}

}  // namespace mcuota::delta::thumb
