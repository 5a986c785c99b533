// CRC-32 four bits a step: a table of 64 bytes, and still faster than any line or memory it guards.

#include "mcu_loader/core/crc32.hpp"

#include <array>

namespace mcuota {
namespace {

constexpr std::array<std::uint32_t, 16> kTable = [] {
    std::array<std::uint32_t, 16> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 4; ++bit)
            value = (value >> 1) ^ ((value & 1U) != 0 ? 0xEDB88320U : 0U);
        table[i] = value;
    }
    return table;
}();

}  // namespace

std::uint32_t crc32(std::span<const std::uint8_t> bytes, std::uint32_t seed) noexcept {
    std::uint32_t crc = ~seed;
    for (const std::uint8_t byte : bytes) {
        crc ^= byte;
        crc = (crc >> 4) ^ kTable[crc & 15U];
        crc = (crc >> 4) ^ kTable[crc & 15U];
    }
    return ~crc;
}

}  // namespace mcuota
