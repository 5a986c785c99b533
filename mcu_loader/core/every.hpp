#pragma once
// Questions about all elements of a range. The library's std::all_of() is unrolled four times for each
// caller: flash is short on a device, and none of these loops is felt.

#include <cstdint>
#include <span>

namespace mcuota {

/// Whether `test` holds for each element.
template <class Range, class Test>
[[nodiscard]] constexpr bool every(const Range& range, Test test) noexcept {
    for (const auto& element : range) {
        if (!test(element)) return false;
    }
    return true;
}

/// Whether each byte is `value`.
[[nodiscard, gnu::noinline]] inline bool every_byte_is(std::span<const std::uint8_t> bytes,
                                                       std::uint8_t value) noexcept {
    return every(bytes, [value](std::uint8_t byte) { return byte == value; });
}

}  // namespace mcuota
