// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// Three pure functions of the loader take nearly all of its instructions: the SHA-256 compression, the
// verification of a signature, and memset. In a sweep the same data is hashed and the same few signatures are
// verified thousands of times. The compression is computed by the host after its first calls were executed
// and compared, a fill after the first of its length; a verification is executed once for each input and its
// answer remembered. Anything else is executed. Time passes as if the calls had been executed.

#include <cstddef>
#include <cstdint>
#include <string>

#include "virtual_board/board.hpp"

namespace mcuota::board {

/// What was learnt of calls, for any number of boards; shared with processes forked later.
class CallMemory {
  public:
    CallMemory();
    ~CallMemory();
    CallMemory(const CallMemory&) = delete;
    CallMemory& operator=(const CallMemory&) = delete;

    /// The host's result differed from the executed one: the sweep must not be trusted.
    [[nodiscard]] bool wrong() const;

  private:
    friend class FastCalls;
    struct Shared;
    Shared* shared_{nullptr};
};

class FastCalls {
  public:
    /// `loader` is the ELF file whose symbols tell where the functions are; without symbols everything is
    /// executed. `memory` outlives this.
    FastCalls(Board& board, const std::string& loader, CallMemory& memory);
    FastCalls(const FastCalls&) = delete;
    FastCalls& operator=(const FastCalls&) = delete;

  private:
    using Shared = CallMemory::Shared;
    void compression();
    void compressed();
    void verification();
    void verified();
    void fill();

    Board& board_;
    Shared* shared_;
    std::uint64_t begun_at_{0};  ///< instructions when the watched call began
    std::uint32_t state_address_{0};
    std::uint32_t expected_[8]{};
    std::uint8_t inputs_[32]{};
};

}  // namespace mcuota::board
