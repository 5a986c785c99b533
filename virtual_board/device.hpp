// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// What every peripheral model looks like to the bus and to the event loop. Models know no CPU engine and no
// host.

#include <cstdint>

#include "virtual_board/time.hpp"

namespace mcuota::board {

/// A memory-mapped peripheral. Offsets are byte offsets of 32-bit registers, always multiples of four: the
/// bus turns narrower accesses into whole-register ones.
class Device {
  public:
    virtual ~Device() = default;

    /// Register value without side effects; what a debugger would show.
    [[nodiscard]] virtual std::uint32_t peek(std::uint32_t offset) const = 0;
    /// Register read by the CPU or DMA; may have side effects (a USART's DR, a COUNTFLAG).
    [[nodiscard]] virtual std::uint32_t read(std::uint32_t offset) { return peek(offset); }
    virtual void write(std::uint32_t offset, std::uint32_t value) = 0;
    /// What the bytes beside a byte or half-word store count as. Registers where writing 1 acts return 0.
    [[nodiscard]] virtual std::uint32_t merge_base(std::uint32_t offset) const { return peek(offset); }
    /// State after a system reset (not a power-up of parts that keep state over a reset).
    virtual void reset() = 0;

    /// When the model next changes by itself; kNever when it waits for the outside.
    [[nodiscard]] virtual Time deadline() const { return kNever; }
    /// Performs what is due at the clock's now() (the clock stands at the deadline).
    virtual void advance() {}
    /// True when deadline() belongs to a timer that ticks for ever: such events alone do not end an idle
    /// phase.
    [[nodiscard]] virtual bool periodic() const { return false; }
    /// True when reading the register now changes nothing and its value changes only by events and stores.
    [[nodiscard]] virtual bool plain_read(std::uint32_t) const { return false; }
    /// True for registers programs wait on in loops and that change only by events: the board may skip such
    /// waits.
    [[nodiscard]] virtual bool status_register(std::uint32_t) const { return false; }
};

}  // namespace mcuota::board
