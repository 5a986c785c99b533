#pragma once
// One decoder a payload kind, each in its own file; payload_decoder.cpp picks. Not for callers: use
// decode_payload().

#include "mcu_loader/core/payload_decoder.hpp"

namespace mcuota::payload {

/// What every decoder gets. Sizes are not zero.
struct Job {
    ByteSource& payload;
    ByteSource* base;
    std::uint32_t image_size_bytes;
    std::span<std::uint8_t> work;
    ByteSink& sink;
};

[[nodiscard]] Status decode_raw(const Job& job) noexcept;
[[nodiscard]] std::uint32_t raw_memory_bytes() noexcept;

[[nodiscard]] Status decode_lzma(const Job& job) noexcept;
[[nodiscard]] Status decode_lzma_thumb(const Job& job) noexcept;
/// 0 when the payload's properties make no sense.
[[nodiscard]] std::uint32_t lzma_memory_bytes(ByteSource& payload, std::uint32_t image_size_bytes) noexcept;
[[nodiscard]] std::uint32_t lzma_thumb_memory_bytes(ByteSource& payload,
                                                    std::uint32_t image_size_bytes) noexcept;

[[nodiscard]] Status decode_hdiffsf20(const Job& job) noexcept;
[[nodiscard]] Status decode_hdiff13(const Job& job) noexcept;
/// 0 when the headers make no sense.
[[nodiscard]] std::uint32_t hdiffsf20_memory_bytes(ByteSource& payload) noexcept;
[[nodiscard]] std::uint32_t hdiff13_memory_bytes(ByteSource& payload) noexcept;

[[nodiscard]] Status decode_relocated(const Job& job) noexcept;
/// 0 when the header makes no sense.
[[nodiscard]] std::uint32_t relocated_memory_bytes(ByteSource& payload) noexcept;

}  // namespace mcuota::payload
