// Full images through liblzma's raw LZMA1 encoder, with a search over the few parameters that matter for
// machine code.

#include "mcu_flasher/package/encode_full.hpp"

#include <lzma.h>

#include <algorithm>
#include <array>
#include <optional>

#include "mcu_flasher/package/memory_bytes.hpp"
#include "mcu_loader/core/little_endian.hpp"
#include "mcu_loader/core/lzma_stream.hpp"
#include "mcu_loader/core/thumb_filter.hpp"

namespace mcuota::package {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Contexts {
    std::uint32_t lc, lp, pb;
};

struct Trial {
    PayloadKind kind;
    Contexts contexts;
};

// What won on images of several kinds, and its neighbours. Thumb code comes in halfwords (lp 1, pb 1 or 2),
// tables come in words (2, 2), text in bytes (pb 0). Without the filter only data is left to win.
constexpr std::array<Trial, 22> kTried = {
    {{PayloadKind::lzma_thumb, {3, 1, 1}}, {PayloadKind::lzma_thumb, {2, 1, 1}},
     {PayloadKind::lzma_thumb, {1, 1, 1}}, {PayloadKind::lzma_thumb, {0, 1, 1}},
     {PayloadKind::lzma_thumb, {3, 1, 2}}, {PayloadKind::lzma_thumb, {2, 1, 2}},
     {PayloadKind::lzma_thumb, {1, 1, 2}}, {PayloadKind::lzma_thumb, {2, 1, 0}},
     {PayloadKind::lzma_thumb, {3, 0, 2}}, {PayloadKind::lzma_thumb, {3, 0, 1}},
     {PayloadKind::lzma_thumb, {3, 0, 0}}, {PayloadKind::lzma_thumb, {0, 2, 2}},
     {PayloadKind::lzma, {3, 0, 2}},       {PayloadKind::lzma, {3, 0, 0}},
     {PayloadKind::lzma, {4, 0, 0}},       {PayloadKind::lzma, {0, 0, 0}},
     {PayloadKind::lzma, {3, 1, 1}},       {PayloadKind::lzma, {1, 1, 1}},
     {PayloadKind::lzma, {0, 1, 0}},       {PayloadKind::lzma, {0, 2, 2}},
     {PayloadKind::lzma, {2, 2, 2}},       {PayloadKind::lzma, {0, 0, 2}}}};

std::array<std::uint8_t, kLzmaPropertiesBytes> properties(const Contexts& c, std::uint32_t dictionary) {
    std::array<std::uint8_t, kLzmaPropertiesBytes> out{};
    out[0] = static_cast<std::uint8_t>((c.pb * 5 + c.lp) * 9 + c.lc);
    store_u32(&out[1], dictionary);
    return out;
}

/// The largest dictionary (up to what is useful) with which decoding stays within the memory; none when even
/// the smallest is too large.
std::optional<std::uint32_t> dictionary_for(PayloadKind kind, const Contexts& contexts,
                                            std::uint32_t image_bytes, std::uint32_t memory_bytes_max) {
    const std::uint32_t wanted = std::clamp(image_bytes, kLzmaDictionaryBytesMin, kDictionaryBytesMax);
    const auto memory_with = [&](std::uint32_t dictionary) {
        const auto header = properties(contexts, dictionary);
        MemorySource source(header);
        return payload_memory_bytes(kind, source, image_bytes);
    };
    const std::uint32_t memory = memory_with(wanted);
    if (memory <= memory_bytes_max) return wanted;
    const std::uint32_t excess = memory - memory_bytes_max;
    if (wanted < excess + kLzmaDictionaryBytesMin) return std::nullopt;
    const std::uint32_t smaller = wanted - excess;
    return memory_with(smaller) <= memory_bytes_max ? std::optional(smaller) : std::nullopt;
}

/// Properties and stream; empty when the result would not be smaller than `size_limit`.
Result<Bytes> encode_lzma(std::span<const std::uint8_t> plain, const Contexts& contexts,
                          std::uint32_t dictionary, std::size_t size_limit) {
    lzma_options_lzma options{};
    if (lzma_lzma_preset(&options, 9 | LZMA_PRESET_EXTREME))
        return Error{ErrorCode::internal, "liblzma does not know its own preset", "", 0};
    options.dict_size = dictionary;
    options.lc = contexts.lc;
    options.lp = contexts.lp;
    options.pb = contexts.pb;
    options.ext_flags = 0;  // no end marker: the manifest says how long the image is
    lzma_set_ext_size(options, plain.size());
    const std::array<lzma_filter, 2> filters = {
        {{LZMA_FILTER_LZMA1EXT, &options}, {LZMA_VLI_UNKNOWN, nullptr}}};

    const auto header = properties(contexts, dictionary);
    Bytes out(size_limit);
    if (size_limit <= header.size()) return Bytes{};
    std::copy(header.begin(), header.end(), out.begin());
    std::size_t size = header.size();
    const lzma_ret result = lzma_raw_buffer_encode(filters.data(), nullptr, plain.data(), plain.size(),
                                                   out.data(), &size, out.size());
    if (result == LZMA_BUF_ERROR) return Bytes{};  // larger than what is there already
    if (result != LZMA_OK)
        return Error{ErrorCode::internal, "liblzma refused to encode (" + std::to_string(result) + ")", "",
                     0};
    out.resize(size);
    return out;
}

}  // namespace

Result<EncodedPayload> encode_full(std::span<const std::uint8_t> image, std::uint32_t memory_bytes_max,
                                   const EncodeProgress& progress) {
    const auto image_bytes = static_cast<std::uint32_t>(image.size());
    Bytes filtered(image.begin(), image.end());
    static_cast<void>(thumb_filter(filtered, 0, ThumbDirection::to_absolute));

    MemorySource raw(image);
    EncodedPayload best{PayloadKind::raw, Bytes(image.begin(), image.end()),
                        payload_memory_bytes(PayloadKind::raw, raw, image_bytes)};
    for (std::size_t i = 0; i < kTried.size(); ++i) {
        const auto& [kind, contexts] = kTried[i];
        if (progress) progress(i, kTried.size());
        const auto dictionary = dictionary_for(kind, contexts, image_bytes, memory_bytes_max);
        if (!dictionary) continue;
        const std::span<const std::uint8_t> plain =
            kind == PayloadKind::lzma ? image : std::span<const std::uint8_t>(filtered);
        auto bytes = encode_lzma(plain, contexts, *dictionary, best.bytes.size());
        if (!bytes) return std::move(bytes).error();
        if (bytes->empty() || bytes->size() >= best.bytes.size()) continue;
        best.kind = kind;
        best.bytes = std::move(*bytes);
        MemorySource source(best.bytes);
        best.memory_bytes = payload_memory_bytes(kind, source, image_bytes);
    }
    if (progress) progress(kTried.size(), kTried.size());
    return best;
}

}  // namespace mcuota::package
