#include "mcu_loader/core/delta/relocated_layout.hpp"

#include <algorithm>
#include <type_traits>

namespace mcuota::delta {
namespace {

std::uint32_t get32(const std::uint8_t* p) noexcept {
    return static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8 |
           static_cast<std::uint32_t>(p[2]) << 16 | static_cast<std::uint32_t>(p[3]) << 24;
}

void put32(std::uint8_t* p, std::uint32_t value) noexcept {
    for (unsigned i = 0; i < 4; ++i)
        p[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

constexpr std::uint32_t rounded(std::uint32_t bytes) noexcept {
    return (bytes + 7U) & ~7U;
}

/// The next `count` objects of zeroed memory: for all of these types zeros are the fresh state.
template <class T>
std::span<T> carve(std::uint8_t*& at, std::size_t count) noexcept {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
    T* const first = reinterpret_cast<T*>(at);
    at += rounded(static_cast<std::uint32_t>(count * sizeof(T)));
    return {first, count};
}

}  // namespace

bool RelocatedHeader::valid() const noexcept {
    const auto table = [](std::uint8_t log2) { return log2 >= 4 && log2 <= 14; };
    return new_bytes != 0 && cover_count <= kCoversMax && table(literal_log2) && table(halfword_log2) &&
           table(pair_log2);
}

std::uint32_t RelocatedHeader::memory_bytes() const noexcept {
    std::uint32_t sum = rounded(sizeof(FixedModels)) + 8;  // 8: to align whatever the caller gives
    sum += rounded(static_cast<std::uint32_t>(sizeof(SmallBit)) << literal_log2);
    sum += rounded(static_cast<std::uint32_t>(sizeof(Learned)) << halfword_log2);
    sum += rounded(static_cast<std::uint32_t>(sizeof(Learned)) << pair_log2);
    sum += rounded(cover_count * static_cast<std::uint32_t>(sizeof(Cover)));
    sum += rounded(cover_count * static_cast<std::uint32_t>(sizeof(std::uint16_t)));
    return sum;
}

bool parse_header(std::span<const std::uint8_t, kRelocatedHeaderBytes> bytes, RelocatedHeader& out) noexcept {
    if (get32(bytes.data()) != kRelocatedMagic) return false;
    out.new_bytes = get32(bytes.data() + 4);
    out.old_bytes = get32(bytes.data() + 8);
    out.load_address = get32(bytes.data() + 12);
    out.cover_count = static_cast<std::uint16_t>(bytes[16] | bytes[17] << 8);
    out.literal_log2 = bytes[18] & 15U;
    out.halfword_log2 = bytes[18] >> 4;
    out.pair_log2 = bytes[19];
    return out.valid();
}

void write_header(const RelocatedHeader& header,
                  std::span<std::uint8_t, kRelocatedHeaderBytes> out) noexcept {
    put32(out.data(), kRelocatedMagic);
    put32(out.data() + 4, header.new_bytes);
    put32(out.data() + 8, header.old_bytes);
    put32(out.data() + 12, header.load_address);
    out[16] = static_cast<std::uint8_t>(header.cover_count);
    out[17] = static_cast<std::uint8_t>(header.cover_count >> 8);
    out[18] = static_cast<std::uint8_t>(header.literal_log2 | header.halfword_log2 << 4);
    out[19] = header.pair_log2;
}

bool RelocatedMemory::lay_out(const RelocatedHeader& header, std::span<std::uint8_t> work) noexcept {
    if (!header.valid() || work.size() < header.memory_bytes()) return false;
    std::fill_n(work.begin(), header.memory_bytes(), std::uint8_t{0});
    auto address = reinterpret_cast<std::uintptr_t>(work.data());
    std::uint8_t* at = work.data() + ((8U - (address & 7U)) & 7U);
    fixed = carve<FixedModels>(at, 1).data();
    literals = carve<SmallBit>(at, std::size_t{1} << header.literal_log2);
    halfwords = carve<Learned>(at, std::size_t{1} << header.halfword_log2);
    pairs = carve<Learned>(at, std::size_t{1} << header.pair_log2);
    covers = carve<Cover>(at, header.cover_count);
    order = carve<std::uint16_t>(at, header.cover_count);
    return true;
}

}  // namespace mcuota::delta
