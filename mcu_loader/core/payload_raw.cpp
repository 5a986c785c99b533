// Payload kind 1: the image itself, copied through a small buffer.

#include <algorithm>

#include "mcu_loader/core/payload_kinds.hpp"

namespace mcuota::payload {
namespace {

constexpr std::uint32_t kCopyBytes = 512;

}  // namespace

std::uint32_t raw_memory_bytes() noexcept {
    return kCopyBytes;
}

Status decode_raw(const Job& job) noexcept {
    if (job.payload.size_bytes() != job.image_size_bytes) return Status::payload_malformed;
    if (job.work.size() < kCopyBytes) return Status::memory_budget;
    for (std::uint32_t at = 0; at < job.image_size_bytes;) {
        const auto piece = job.work.first(std::min(kCopyBytes, job.image_size_bytes - at));
        if (const Status status = job.payload.read(at, piece); status != Status::ok) return status;
        if (const Status status = job.sink.write(piece); status != Status::ok) return status;
        at += static_cast<std::uint32_t>(piece.size());
    }
    return Status::ok;
}

}  // namespace mcuota::payload
