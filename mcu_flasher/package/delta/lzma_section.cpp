// Sections of HDiffPatch deltas through liblzma's raw LZMA1 encoder.

#include "mcu_flasher/package/delta/lzma_section.hpp"

#include <lzma.h>

#include <algorithm>
#include <array>

#include "mcu_flasher/package/memory_bytes.hpp"
#include "mcu_loader/core/little_endian.hpp"
#include "mcu_loader/core/lzma_stream.hpp"

namespace mcuota::delta {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// The size of the properties, then the properties.
using Head = std::array<std::uint8_t, 1 + kLzmaPropertiesBytes>;
/// Larger sections are packed with the first choice only: trying takes long and gains little.
constexpr std::size_t kTriedBytesMax = 1U << 20;
constexpr std::array<std::uint32_t, 3> kLiteralContextBits{1, 0, 2};

Head head_of(std::uint32_t lc, std::uint32_t dictionary_bytes) {
    Head head{kLzmaPropertiesBytes, static_cast<std::uint8_t>(lc)};
    store_u32(&head[2], dictionary_bytes);
    return head;
}

/// The largest useful dictionary within the memory; 0 when even the smallest needs more.
std::uint32_t dictionary_for(std::uint32_t lc, std::uint32_t plain_bytes, std::uint32_t memory_bytes_max) {
    const auto memory_with = [&](std::uint32_t dictionary_bytes) {
        const Head head = head_of(lc, dictionary_bytes);
        package::MemorySource source(head);
        LzmaPlan plan;
        return plan_lzma(source, 1, plain_bytes, plan) == Status::ok ? plan.memory_bytes() : UINT32_MAX;
    };
    std::uint32_t dictionary_bytes = std::max(plain_bytes, kLzmaDictionaryBytesMin);
    dictionary_bytes = std::min(dictionary_bytes, std::max(memory_bytes_max, kLzmaDictionaryBytesMin));
    while (dictionary_bytes > kLzmaDictionaryBytesMin && memory_with(dictionary_bytes) > memory_bytes_max)
        dictionary_bytes =
            std::max(dictionary_bytes - std::min(dictionary_bytes, 1024U), kLzmaDictionaryBytesMin);
    return memory_with(dictionary_bytes) <= memory_bytes_max ? dictionary_bytes : 0;
}

/// Head and stream; empty when they would not be shorter than `size_limit`.
Result<Bytes> encode(std::span<const std::uint8_t> plain, std::uint32_t lc, std::uint32_t dictionary_bytes,
                     std::size_t size_limit) {
    lzma_options_lzma options{};
    if (lzma_lzma_preset(&options, 9 | LZMA_PRESET_EXTREME))
        return Error{ErrorCode::internal, "liblzma does not know its own preset", "", 0};
    options.dict_size = dictionary_bytes;
    options.lc = lc;
    options.lp = 0;
    options.pb = 0;
    options.ext_flags = 0;  // no end marker: the delta's header says how long the section is
    lzma_set_ext_size(options, plain.size());
    const std::array<lzma_filter, 2> filters = {
        {{LZMA_FILTER_LZMA1EXT, &options}, {LZMA_VLI_UNKNOWN, nullptr}}};
    const Head head = head_of(lc, dictionary_bytes);
    if (size_limit <= head.size() + 1) return Bytes{};
    Bytes out(size_limit - 1);
    std::copy(head.begin(), head.end(), out.begin());
    std::size_t size = head.size();
    const lzma_ret result = lzma_raw_buffer_encode(filters.data(), nullptr, plain.data(), plain.size(),
                                                   out.data(), &size, out.size());
    if (result == LZMA_BUF_ERROR) return Bytes{};
    if (result != LZMA_OK)
        return Error{ErrorCode::internal, "liblzma refused to encode (" + std::to_string(result) + ")", "",
                     0};
    out.resize(size);
    return out;
}

}  // namespace

Result<PackedSection> pack_section(std::span<const std::uint8_t> plain, std::uint32_t memory_bytes_max) {
    PackedSection best{Bytes(plain.begin(), plain.end()), false};
    for (const std::uint32_t lc : kLiteralContextBits) {
        const std::uint32_t dictionary_bytes =
            dictionary_for(lc, static_cast<std::uint32_t>(plain.size()), memory_bytes_max);
        if (dictionary_bytes == 0) continue;
        auto stored = encode(plain, lc, dictionary_bytes, best.stored.size());
        if (!stored) return std::move(stored).error();
        if (!stored->empty()) best = {std::move(*stored), true};
        if (plain.size() > kTriedBytesMax) break;
    }
    return best;
}

}  // namespace mcuota::delta
