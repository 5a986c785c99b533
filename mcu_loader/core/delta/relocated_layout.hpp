#pragma once
// Header of the relocated delta and the working memory its codec needs (docs/deltas.md).

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "mcu_loader/core/delta/cover.hpp"
#include "mcu_loader/core/delta/models.hpp"

namespace mcuota::delta {

constexpr std::size_t kRelocatedHeaderBytes = 20;
constexpr std::uint32_t kRelocatedMagic = 0x3144524DU;  ///< "MRD1"
/// Most covers a delta may hold: 14 bytes of RAM each.
constexpr std::uint32_t kCoversMax = 2000;

/// The header, decoded. Bytes: magic, new size, old size, load address (u32 each), cover count (u16), a byte
/// with the exponents of the literal (low nibble) and halfword tables, one with that of the pair table.
struct RelocatedHeader {
    std::uint32_t new_bytes{0};
    std::uint32_t old_bytes{0};
    std::uint32_t load_address{0};
    std::uint16_t cover_count{0};
    std::uint8_t literal_log2{12};
    std::uint8_t halfword_log2{12};
    std::uint8_t pair_log2{11};

    [[nodiscard]] bool valid() const noexcept;
    /// RAM for tables and covers.
    [[nodiscard]] std::uint32_t memory_bytes() const noexcept;
};

[[nodiscard]] bool parse_header(std::span<const std::uint8_t, kRelocatedHeaderBytes> bytes,
                                RelocatedHeader& out) noexcept;
void write_header(const RelocatedHeader& header, std::span<std::uint8_t, kRelocatedHeaderBytes> out) noexcept;

/// What is remembered about an old value: how it changed when it was last met.
struct Learned {
    std::int16_t change{0};
    std::uint16_t tag_state{
        0};  ///< 14 bits tag, 2 bits state: 0 never met, 1 unchanged, 2 changed, 3 again the same change
};
/// The same for the 32-bit targets of calls and pointers.
struct LearnedTarget {
    std::uint32_t tag_state{0};  ///< 30 bits tag, 2 bits state (number of hits)
    std::int32_t change{0};
};
constexpr std::size_t kTargetsLog2 = 8;

/// Models whose number is fixed.
struct FixedModels {
    Golomb gap, length, jump, halfword_change;
    Golomb target_change[2];  ///< [0] calls, [1] pointers, here and below
    Bit target_sign[2];
    Bit target_flag[2][12];  ///< by learned state and history
    Bit call_kept;
    Bit same_place[2], jump_back[2];
    Bit halfword_flag[128];  ///< by both learned states and history
    Bit byte_flag[8];
    Bit block_flag[16];
    Bit change_repeats[4], change_as_pair[4], change_as_last, change_sign;
    SmallBit byte_change[256];
    SmallBit literal[512];  ///< by place in the halfword and the bits before
    LearnedTarget targets[2][1U << kTargetsLog2];
};

/// All memory of one coding run, laid into the caller's span (8-byte aligned inside).
struct RelocatedMemory {
    FixedModels* fixed{nullptr};
    std::span<SmallBit> literals;
    std::span<Learned> halfwords, pairs;
    std::span<Cover> covers;
    std::span<std::uint16_t> order;

    /// False when `work` is too small.
    [[nodiscard]] bool lay_out(const RelocatedHeader& header, std::span<std::uint8_t> work) noexcept;
};

}  // namespace mcuota::delta
