// Payload kinds 2 and 3: LZMA1, plain or of the image behind the ARM-Thumb branch filter.

#include <algorithm>

#include "mcu_loader/core/lzma_stream.hpp"
#include "mcu_loader/core/payload_kinds.hpp"
#include "mcu_loader/core/thumb_filter.hpp"

namespace mcuota::payload {
namespace {

/// Largest piece handed to the sink at once: bounds the time between two looks at the watchdog.
constexpr std::uint32_t kPieceBytes = 4096;
/// The filter cannot work in the dictionary, which must keep the filtered bytes: it has a buffer of its own.
constexpr std::uint32_t kFilterBytes = 512;

}  // namespace

std::uint32_t lzma_memory_bytes(ByteSource& payload, std::uint32_t image_size_bytes) noexcept {
    LzmaPlan plan;
    return plan_lzma(payload, 0, image_size_bytes, plan) == Status::ok ? plan.memory_bytes() : 0;
}

std::uint32_t lzma_thumb_memory_bytes(ByteSource& payload, std::uint32_t image_size_bytes) noexcept {
    const std::uint32_t lzma = lzma_memory_bytes(payload, image_size_bytes);
    if (lzma == 0) return 0;
    return lzma > UINT32_MAX - kFilterBytes ? UINT32_MAX : lzma + kFilterBytes;
}

Status decode_lzma(const Job& job) noexcept {
    LzmaStream stream;
    Status status = stream.open(job.payload, 0, job.payload.size_bytes(), job.image_size_bytes, job.work);
    if (status != Status::ok) return status;
    for (std::uint32_t left = job.image_size_bytes; left != 0;) {
        std::span<const std::uint8_t> piece;
        status = stream.next(kPieceBytes, piece);
        if (status == Status::ok) status = job.sink.write(piece);
        if (status != Status::ok) return status;
        left -= static_cast<std::uint32_t>(piece.size());
    }
    return Status::ok;
}

Status decode_lzma_thumb(const Job& job) noexcept {
    LzmaStream stream;
    const std::size_t filter_bytes = std::min<std::size_t>(kFilterBytes, job.work.size());
    const auto filtered = job.work.last(filter_bytes);
    Status status = stream.open(job.payload, 0, job.payload.size_bytes(), job.image_size_bytes,
                                job.work.first(job.work.size() - filter_bytes));
    if (status != Status::ok) return status;

    std::uint32_t position = 0;  // of filtered[0] in the image
    std::size_t kept = 0;        // bytes at the front of `filtered` that wait for what follows them
    for (std::uint32_t left = job.image_size_bytes; left != 0;) {
        std::span<const std::uint8_t> piece;
        status = stream.next(static_cast<std::uint32_t>(filtered.size() - kept), piece);
        if (status != Status::ok) return status;
        std::copy(piece.begin(), piece.end(), filtered.begin() + static_cast<std::ptrdiff_t>(kept));
        left -= static_cast<std::uint32_t>(piece.size());

        const auto bytes = filtered.first(kept + piece.size());
        std::size_t done = thumb_filter(bytes, position, ThumbDirection::to_relative);
        if (left == 0) done = bytes.size();  // nothing follows: what waits is final
        if (done != 0) {
            status = job.sink.write(bytes.first(done));
            if (status != Status::ok) return status;
        }
        kept = bytes.size() - done;
        std::copy(bytes.end() - static_cast<std::ptrdiff_t>(kept), bytes.end(), filtered.begin());
        position += static_cast<std::uint32_t>(done);
    }
    return Status::ok;
}

}  // namespace mcuota::payload
