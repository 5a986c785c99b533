// Picks encoder and decoder by format; proves every delta by the loader's own decoder.

#include "mcu_flasher/package/delta/delta.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "mcu_flasher/base/status_text.hpp"
#include "mcu_flasher/package/delta/hdiff_encoder.hpp"
#include "mcu_flasher/package/delta/hdiff_format.hpp"
#include "mcu_flasher/package/delta/relocated_encoder.hpp"
#include "mcu_flasher/package/memory_bytes.hpp"
#include "mcu_loader/core/delta/relocated_layout.hpp"
#include "mcu_loader/core/little_endian.hpp"

namespace mcuota::delta {
namespace {

using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

struct FormatName {
    Format format;
    std::string_view name;   ///< in options
    std::string_view magic;  ///< first bytes of a delta
    std::uint32_t memory_bytes;
};
constexpr std::array<FormatName, 3> kFormats{{
    {Format::hdiffsf20, "hdiffsf20", "HDIFFSF20&", 48U << 10},
    {Format::hdiff13, "hdiff13", "HDIFF13&", 80U << 10},
    {Format::relocated, "mcuota", "MRD1", 62U << 10},
}};

const FormatName& entry(Format format) noexcept {
    return *std::find_if(kFormats.begin(), kFormats.end(),
                         [&](const FormatName& f) { return f.format == format; });
}

/// The delta to an empty image: the loader never meets one, but `diff` takes any pair of files.
Bytes empty_delta(Format format, std::uint32_t old_bytes) {
    if (format == Format::relocated) {
        Bytes out(kRelocatedHeaderBytes);
        write_header({.old_bytes = old_bytes}, std::span<std::uint8_t, kRelocatedHeaderBytes>(out));
        return out;
    }
    HdiffWriter out;
    out.head(format == Format::hdiff13 ? "HDIFF13" : "HDIFFSF20");
    out.number(0);
    out.number(old_bytes);
    // Counts and sizes of nothing: covers and the four sections, or covers, step and body.
    for (int i = 0; i < (format == Format::hdiff13 ? 9 : 4); ++i)
        out.number(0);
    return out.take();
}

/// The size of the image a delta makes; nothing when its header ends before it is told.
std::optional<std::uint32_t> new_bytes_of(Format format, View delta) {
    if (format == Format::relocated)
        return delta.size() < kRelocatedHeaderBytes ? std::nullopt : std::optional(load_u32(&delta[4]));
    const auto name_end = std::find(delta.begin(), delta.end(), std::uint8_t{0});
    std::uint64_t value = 0;
    for (auto at = name_end; at != delta.end() && value <= UINT32_MAX;) {
        if (++at == delta.end()) break;
        value = value << 7 | (*at & 0x7FU);
        if ((*at & 0x80U) == 0 && value <= UINT32_MAX) return static_cast<std::uint32_t>(value);
    }
    return std::nullopt;
}

Error not_a_delta() {
    return {ErrorCode::payload_mismatch, "this is no delta of a known format, or its header is damaged",
            "known are mcuota, HDIFFSF20 and HDIFF13 (raw or lzma)", 0};
}

Error too_large(std::size_t bytes) {
    return {ErrorCode::image_too_large,
            std::to_string(bytes) + " bytes are more than the " + std::to_string(kImageBytesMax) +
                " a delta is made for",
            "", 0};
}

Result<Bytes> made(Format format, View old_image, View new_image, const EncodeOptions& options) {
    if (new_image.empty()) return empty_delta(format, static_cast<std::uint32_t>(old_image.size()));
    const std::uint32_t memory_bytes_max = options.memory_bytes_max.value_or(memory_bytes_default(format));
    switch (format) {
        case Format::hdiffsf20:
            return encode_hdiffsf20(old_image, new_image, memory_bytes_max);
        case Format::hdiff13:
            return encode_hdiff13(old_image, new_image, memory_bytes_max);
        case Format::relocated:
            return encode_relocated(
                old_image, new_image,
                options.load_address ? options.load_address : guess_load_address(old_image),
                memory_bytes_max);
    }
    return not_a_delta();
}

}  // namespace

std::string_view to_string(Format format) noexcept {
    return entry(format).name;
}

std::optional<Format> format_from_string(std::string_view name) noexcept {
    for (const FormatName& f : kFormats)
        if (f.name == name) return f.format;
    return std::nullopt;
}

std::uint32_t memory_bytes_default(Format format) noexcept {
    return entry(format).memory_bytes;
}

std::optional<Format> recognise(View delta) noexcept {
    for (const FormatName& f : kFormats)
        if (delta.size() >= f.magic.size() &&
            std::equal(f.magic.begin(), f.magic.end(), delta.begin(),
                       [](char c, std::uint8_t byte) { return static_cast<std::uint8_t>(c) == byte; }))
            return f.format;
    return std::nullopt;
}

Result<EncodedDelta> encode(Format format, View old_image, View new_image, const EncodeOptions& options) {
    if (std::max(old_image.size(), new_image.size()) > kImageBytesMax)
        return too_large(std::max(old_image.size(), new_image.size()));
    auto bytes = made(format, old_image, new_image, options);
    if (!bytes) return std::move(bytes).error();
    const auto again = decode(old_image, *bytes);
    if (!again || !std::equal(again->begin(), again->end(), new_image.begin(), new_image.end()))
        return Error{ErrorCode::internal, "the delta just made does not decode to the new image",
                     "please report this with both images; --format names another format", 0};
    package::MemorySource source(*bytes);
    const std::uint32_t memory_bytes =
        payload_memory_bytes(payload_kind(format), source, static_cast<std::uint32_t>(new_image.size()));
    if (options.memory_bytes_max && memory_bytes > *options.memory_bytes_max)
        return Error{ErrorCode::memory_budget_exceeded,
                     "decoding this delta takes " + std::to_string(memory_bytes) + " bytes, allowed are " +
                         std::to_string(*options.memory_bytes_max),
                     "allow more, or use another format", 0};
    return EncodedDelta{std::move(*bytes), memory_bytes};
}

Result<Bytes> decode(View old_image, View delta, std::uint32_t memory_bytes_max) {
    const std::optional<Format> format = recognise(delta);
    if (!format) return not_a_delta();
    const std::optional<std::uint32_t> new_bytes = new_bytes_of(*format, delta);
    if (!new_bytes) return not_a_delta();
    if (*new_bytes > kImageBytesMax) return too_large(*new_bytes);
    if (*new_bytes == 0) {
        const Bytes expected = empty_delta(*format, static_cast<std::uint32_t>(old_image.size()));
        if (std::equal(delta.begin(), delta.end(), expected.begin(), expected.end())) return Bytes{};
        return not_a_delta();
    }
    package::MemorySource payload(delta), base(old_image);
    const std::uint32_t memory_bytes = payload_memory_bytes(payload_kind(*format), payload, *new_bytes);
    if (memory_bytes == 0) return not_a_delta();
    if (memory_bytes > memory_bytes_max)
        return Error{ErrorCode::memory_budget_exceeded,
                     "decoding this delta takes " + std::to_string(memory_bytes) + " bytes, allowed are " +
                         std::to_string(memory_bytes_max),
                     "", 0};
    Bytes work(memory_bytes), image(*new_bytes);
    package::MemorySink sink(image);
    const Status status = decode_payload(payload_kind(*format), payload, &base, *new_bytes, work, sink);
    if (status == Status::base_mismatch)
        return Error{ErrorCode::payload_mismatch,
                     "the delta starts from another image than this one of " +
                         std::to_string(old_image.size()) + " bytes",
                     "give the image it was made from", 0};
    if (status != Status::ok || sink.missing() != 0)
        return Error{
            ErrorCode::payload_mismatch,
            "the delta is damaged, or made from another image (" + std::string(summary(status)) + ")",
            "check both files", 0};
    return image;
}

}  // namespace mcuota::delta
