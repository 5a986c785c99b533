#pragma once
// Thumb-2 instructions whose operand moves with code (ARMv7-M ARM, chapter A7): taken apart and put together
// again.

#include <cstdint>

namespace mcuota::delta::thumb {

/// Instructions that hold a place relative to themselves.
enum class Form : std::uint8_t {
    none,
    call,            ///< BL (T1) and B.W (T4): 25-bit signed offset, 4 bytes
    branch_wide,     ///< B<c>.W (T3): 21-bit signed offset, 4 bytes
    load_wide,       ///< LDR.W Rt,[PC,#imm12] (T2): word-aligned base, 4 bytes
    load,            ///< LDR Rt,[PC,#imm8*4] (T1): word-aligned base, 2 bytes
    branch_short,    ///< B<c> (T1): 9-bit signed offset, 2 bytes
    branch,          ///< B (T2): 12-bit signed offset, 2 bytes
    compare_branch,  ///< CBZ/CBNZ: 7-bit unsigned offset, 2 bytes
};

/// Form of the halfword `first` at an even place; `second` follows it (any value when `has_second` is false).
[[nodiscard]] Form classify(std::uint32_t first, std::uint32_t second, bool has_second) noexcept;

/// Whether `word` (first halfword lowest) is a BL or B.W.
constexpr bool is_call(std::uint32_t word) noexcept {
    return (word & 0x9000F800U) == 0x9000F000U;
}

/// Place the call `word` at `place` points at.
constexpr std::uint32_t call_target(std::uint32_t place, std::uint32_t word) noexcept {
    // Bits 24…0 of the offset: S, J1 and J2 (inverted when S is 0), 21 bits, 0.
    const std::uint32_t sign = word >> 10 & 1U, flip = sign - 1U;
    return place + 4 +
           ((0U - sign) << 24 | ((word >> 29 ^ flip) & 1U) << 23 | ((word >> 27 ^ flip) & 1U) << 22 |
            (word & 0x3FFU) << 12 | (word >> 16 & 0x7FFU) << 1);
}

/// Place the instruction at `place` points at.
[[nodiscard]] std::uint32_t target(Form form, std::uint32_t place, std::uint32_t first,
                                   std::uint32_t second) noexcept;

/// Rewrites the operand so that the instruction, now at `place`, points at `target`. False (nothing changed)
/// when the form cannot reach it.
[[nodiscard]] bool retarget(Form form, std::uint32_t place, std::uint32_t target, std::uint32_t& first,
                            std::uint32_t& second) noexcept;

/// Whether two instructions are the same call or B.W but for their offset.
[[nodiscard]] bool same_call(std::uint32_t first_a, std::uint32_t second_a, std::uint32_t first_b,
                             std::uint32_t second_b) noexcept;

}  // namespace mcuota::delta::thumb
