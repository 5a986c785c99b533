// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// Power cuts: which instant is meant, and what a cut leaves of the flash or NOR operation it hits. Rules:
// docs/virtual-board.md, "Power cuts".

#include <cstdint>
#include <functional>
#include <string>

#include "virtual_board/failure.hpp"
#include "virtual_board/time.hpp"

namespace mcuota::board {

/// One change of memory that outlives the power: a word of internal flash, an erase of its sectors, a page of
/// the NOR, an erase there.
enum class OperationKind : std::uint8_t { flash_program, flash_erase, nor_program, nor_erase };
[[nodiscard]] const char* to_string(OperationKind kind) noexcept;

struct MemoryOperation {
    std::uint64_t number{0};  ///< counted from 0 since the board was built
    OperationKind kind{OperationKind::flash_program};
    std::uint32_t address{0};  ///< flash: bus address; NOR: from its first byte
    std::uint32_t size_bytes{0};
    Time duration{0};
};

/// When power goes, seen from an operation.
enum class CutMoment : std::uint8_t { before, inside, after };

/// What a cut inside leaves. All are within what flash makers leave open; each is the worst for another kind
/// of mistake.
enum class Tear : std::uint8_t {
    mixed,            ///< any mix of old and new bits, half of those in flight unsteady
    partial,          ///< done up to somewhere, untouched behind it
    looks_done,       ///< reads finished at the next start, anything later: marginal cells
    looks_untouched,  ///< reads as before at the next start, anything later
};
constexpr Tear kTears[] = {Tear::mixed, Tear::partial, Tear::looks_done, Tear::looks_untouched};
[[nodiscard]] const char* to_string(Tear tear) noexcept;

/// What shall happen to an operation that is about to begin.
enum class Fate : std::uint8_t {
    runs,
    cut_before,
    cut_inside,
    cut_after,
    reset_inside  ///< the watchdog resets the MCU halfway; the power stays
};

/// A model asks this before each operation; false: power is gone, nothing begins.
using OperationGate =
    std::function<bool(OperationKind, std::uint32_t address, std::uint32_t size_bytes, Time duration)>;

/// Told when an erase has lasted long enough: the cells get blank after the call.
using EraseNotice = std::function<void(OperationKind, std::uint32_t address, std::uint32_t size_bytes)>;

/// One planned cut.
struct CutPlan {
    enum class Unit : std::uint8_t { none, operation, instruction, time };
    Unit unit{Unit::none};
    std::uint64_t at{0};                  ///< operation or instruction number, or virtual time in picoseconds
    CutMoment moment{CutMoment::inside};  ///< of an operation
};

/// "op:N", "op:N:before", "op:N:inside", "op:N:after" or "insn:N".
[[nodiscard]] Outcome<CutPlan> parse_cut_at(const std::string& text);
/// A number with unit: "1500us", "20ms", "3s".
[[nodiscard]] Outcome<Time> parse_time(const std::string& text);

}  // namespace mcuota::board
