// Reads the sizes at the beginning of a delta (docs/deltas.md).

#include "mcu_flasher/package/delta_head.hpp"

#include <algorithm>

#include "mcu_flasher/package/memory_bytes.hpp"
#include "mcu_loader/core/little_endian.hpp"

namespace mcuota::package {
namespace {

using View = std::span<const std::uint8_t>;

/// The next HDiffPatch number: groups of 7 bits, highest first, bit 7 says that another follows.
std::optional<std::uint32_t> take_number(View& rest) {
    std::uint64_t value = 0;
    while (!rest.empty()) {
        const std::uint8_t byte = rest.front();
        rest = rest.subspan(1);
        value = value << 7 | (byte & 0x7FU);
        if (value > UINT32_MAX) return std::nullopt;
        if ((byte & 0x80U) == 0) return static_cast<std::uint32_t>(value);
    }
    return std::nullopt;
}

}  // namespace

std::optional<DeltaHead> delta_head(View delta) {
    const auto format = delta::recognise(delta);
    if (!format) return std::nullopt;
    DeltaHead out;
    out.format = *format;
    if (*format == delta::Format::relocated) {
        constexpr std::size_t kSizesEnd = 12;
        if (delta.size() < kSizesEnd) return std::nullopt;
        out.new_bytes = load_u32(&delta[4]);
        out.old_bytes = load_u32(&delta[8]);
    } else {
        const auto name_end = std::find(delta.begin(), delta.end(), std::uint8_t{0});
        if (name_end == delta.end()) return std::nullopt;
        View rest = delta.subspan(static_cast<std::size_t>(name_end - delta.begin()) + 1);
        const auto new_bytes = take_number(rest);
        const auto old_bytes = new_bytes ? take_number(rest) : std::nullopt;
        if (!old_bytes) return std::nullopt;
        out.new_bytes = *new_bytes;
        out.old_bytes = *old_bytes;
    }
    MemorySource source(delta);
    out.memory_bytes = payload_memory_bytes(delta::payload_kind(*format), source, out.new_bytes);
    return out;
}

}  // namespace mcuota::package
