// Bytes as hexadecimal text.

#include "mcu_flasher/base/hex.hpp"

namespace mcuota {

std::string to_hex(std::span<const std::uint8_t> bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const std::uint8_t byte : bytes) {
        out += kDigits[byte >> 4];
        out += kDigits[byte & 0xFU];
    }
    return out;
}

}  // namespace mcuota
