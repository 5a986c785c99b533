// The one door for payload kinds.

#include "mcu_loader/core/payload_decoder.hpp"

#include "mcu_loader/core/payload_kinds.hpp"

namespace mcuota {

Status decode_payload(PayloadKind kind, ByteSource& payload, ByteSource* base, std::uint32_t image_size_bytes,
                      std::span<std::uint8_t> work, ByteSink& sink) noexcept {
    if (image_size_bytes == 0 || payload.size_bytes() == 0) return Status::payload_malformed;
    const payload::Job job{payload, base, image_size_bytes, work, sink};
    switch (kind) {
        case PayloadKind::raw:
            return payload::decode_raw(job);
        case PayloadKind::lzma:
            return payload::decode_lzma(job);
        case PayloadKind::lzma_thumb:
            return payload::decode_lzma_thumb(job);
        case PayloadKind::hdiffsf20:
            return payload::decode_hdiffsf20(job);
        case PayloadKind::hdiff13:
            return payload::decode_hdiff13(job);
        case PayloadKind::relocated:
            return payload::decode_relocated(job);
    }
    return Status::payload_unsupported;
}

std::uint32_t payload_memory_bytes(PayloadKind kind, ByteSource& payload,
                                   std::uint32_t image_size_bytes) noexcept {
    if (image_size_bytes == 0 || payload.size_bytes() == 0) return 0;
    switch (kind) {
        case PayloadKind::raw:
            return payload::raw_memory_bytes();
        case PayloadKind::lzma:
            return payload::lzma_memory_bytes(payload, image_size_bytes);
        case PayloadKind::lzma_thumb:
            return payload::lzma_thumb_memory_bytes(payload, image_size_bytes);
        case PayloadKind::hdiffsf20:
            return payload::hdiffsf20_memory_bytes(payload);
        case PayloadKind::hdiff13:
            return payload::hdiff13_memory_bytes(payload);
        case PayloadKind::relocated:
            return payload::relocated_memory_bytes(payload);
    }
    return 0;
}

}  // namespace mcuota
