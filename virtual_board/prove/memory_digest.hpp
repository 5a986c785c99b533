// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// A fingerprint of a whole memory that costs only the pages written since: it is told of each operation.

#include <cstdint>
#include <span>
#include <vector>

#include "virtual_board/prove/hasher.hpp"

namespace mcuota::board {

class MemoryDigest {
  public:
    /// `memory` outlives this.
    explicit MemoryDigest(std::span<const std::uint8_t> memory);

    /// Bytes of [begin, begin + size_bytes) may change from now on. Anything outside the memory is ignored.
    void touch(std::size_t begin, std::size_t size_bytes);
    /// The fingerprint of what the memory holds now. Touched pages stay touched: what is written to them may
    /// still be in flight, or cut and unsteady.
    [[nodiscard]] Fingerprint value() { return value_without(0, 0); }
    /// The same of all but the pages of [begin, begin + size_bytes), which are not read. Both are whole pages
    /// (kPageBytes).
    [[nodiscard]] Fingerprint value_without(std::size_t begin, std::size_t size_bytes);
    static constexpr std::size_t kPageBytes = 4096;
    /// Nothing is in flight or unsteady: value() need not look at the pages touched so far again.
    void settle();

  private:
    void look_again(std::size_t first_hidden, std::size_t end_hidden);

    std::span<const std::uint8_t> memory_;
    std::vector<Fingerprint> pages_;
    Fingerprint sum_{};
    std::vector<std::uint32_t> touched_;
    std::vector<bool> is_touched_;
};

}  // namespace mcuota::board
