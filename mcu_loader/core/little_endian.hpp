#pragma once
// Little-endian numbers in byte buffers, for every byte format of the project. Callers have checked the
// bounds.

#include <cstddef>
#include <cstdint>

namespace mcuota {

[[nodiscard]] constexpr std::uint16_t load_u16(const std::uint8_t* at) noexcept {
    return static_cast<std::uint16_t>(at[0] | (at[1] << 8));
}
[[nodiscard]] constexpr std::uint32_t load_u32(const std::uint8_t* at) noexcept {
    return static_cast<std::uint32_t>(load_u16(at)) | (static_cast<std::uint32_t>(load_u16(at + 2)) << 16);
}
constexpr void store_u16(std::uint8_t* at, std::uint32_t value) noexcept {
    at[0] = static_cast<std::uint8_t>(value);
    at[1] = static_cast<std::uint8_t>(value >> 8);
}
constexpr void store_u32(std::uint8_t* at, std::uint32_t value) noexcept {
    store_u16(at, value & 0xFFFFU);
    store_u16(at + 2, value >> 16);
}

}  // namespace mcuota
