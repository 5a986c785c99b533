// SPDX-License-Identifier: GPL-2.0-or-later
// The whole is the sum of its pages' fingerprints, each of which knows its place.

#include "virtual_board/prove/memory_digest.hpp"

#include <algorithm>

namespace mcuota::board {
MemoryDigest::MemoryDigest(std::span<const std::uint8_t> memory)
    : memory_(memory), pages_((memory.size() + kPageBytes - 1) / kPageBytes), is_touched_(pages_.size()) {
    touch(0, memory_.size());
    settle();
}

void MemoryDigest::touch(std::size_t begin, std::size_t size_bytes) {
    if (size_bytes == 0) return;
    for (std::size_t page = begin / kPageBytes; page <= (begin + size_bytes - 1) / kPageBytes; ++page) {
        if (page >= pages_.size() || is_touched_[page]) continue;
        is_touched_[page] = true;
        touched_.push_back(static_cast<std::uint32_t>(page));
    }
}

/// Pages of [first_hidden, end_hidden) are left alone.
void MemoryDigest::look_again(std::size_t first_hidden, std::size_t end_hidden) {
    for (const std::uint32_t page : touched_) {
        if (page >= first_hidden && page < end_hidden) continue;
        const std::size_t begin = page * kPageBytes;
        Hasher hash;
        hash.add(std::uint64_t{page});
        hash.add(memory_.subspan(begin, std::min(kPageBytes, memory_.size() - begin)));
        const Fingerprint now = hash.result();
        for (std::size_t lane = 0; lane < now.size(); ++lane)
            sum_[lane] += now[lane] - pages_[page][lane];
        pages_[page] = now;
    }
}

Fingerprint MemoryDigest::value_without(std::size_t begin, std::size_t size_bytes) {
    const std::size_t first = begin / kPageBytes;
    const std::size_t end = std::min((begin + size_bytes) / kPageBytes, pages_.size());
    look_again(first, end);
    Fingerprint out = sum_;
    for (std::size_t page = first; page < end; ++page)
        for (std::size_t lane = 0; lane < out.size(); ++lane)
            out[lane] -= pages_[page][lane];
    return out;
}

void MemoryDigest::settle() {
    look_again(0, 0);
    for (const std::uint32_t page : touched_)
        is_touched_[page] = false;
    touched_.clear();
}

}  // namespace mcuota::board
