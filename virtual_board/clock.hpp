// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// The one clock of the board: counts core cycles and converts them to virtual time. It never looks at the
// host's clock.

#include <cstdint>

#include "virtual_board/time.hpp"

namespace mcuota::board {

/// Cycle counter with a changeable core frequency. Internally it counts ticks of 1/1024 cycle so that a
/// fractional cycles-per-instruction figure stays exact and deterministic.
class Clock {
  public:
    static constexpr unsigned kTickBits = 10;

    /// `cpi` = cycles per instruction in ticks (1024 = 1.0).
    explicit Clock(std::uint64_t hz = 16'000'000, std::uint32_t cpi_ticks = 1024)
        : hz_(hz), cpi_(cpi_ticks) {}

    /// Virtual time at which models act. While events are worked off it stands at each event's own time.
    [[nodiscard]] Time now() const noexcept { return now_; }
    [[nodiscard]] std::uint64_t hz() const noexcept { return hz_; }
    [[nodiscard]] std::uint64_t ticks() const noexcept { return ticks_; }
    [[nodiscard]] std::uint64_t cycles() const noexcept { return ticks_ >> kTickBits; }
    /// Cycle number at now(), which may lie before cycles() while events of the past are worked off.
    [[nodiscard]] std::uint64_t cycles_now() const noexcept;

    /// Counts executed instructions; now() follows with sync().
    void count(std::uint32_t instructions) noexcept { ticks_ += std::uint64_t{instructions} * cpi_; }
    void count_many(std::uint64_t instructions) noexcept { ticks_ += instructions * cpi_; }
    /// Adds whole cycles that no instruction stands for (exception entry and return).
    void add_cycles(std::uint32_t cycles) noexcept { ticks_ += std::uint64_t{cycles} << kTickBits; }
    /// Sets now() to the time of the last counted instruction.
    void sync() noexcept;
    /// Lets models see `event_time` as now(): used while working off events in order, not later than the last
    /// tick.
    void show(Time event_time) noexcept { now_ = event_time; }
    /// Moves the clock to `time` without executing anything (stall, sleep). Earlier times are ignored.
    void advance_to(Time time) noexcept;
    /// The core starts: time goes on from a whole cycle, so that what follows depends on nothing before.
    void start_afresh() noexcept {
        ticks_ = (ticks_ | ((std::uint64_t{1} << kTickBits) - 1)) + 1;
        base_ticks_ = ticks_;
        base_time_ = now_;
    }
    /// Changes the core frequency from now on.
    void set_hz(std::uint64_t hz) noexcept;

    /// First tick that is not before `time`; the largest number for kNever.
    [[nodiscard]] std::uint64_t ticks_at(Time time) const noexcept;
    /// Time of a tick, computed with the present frequency.
    [[nodiscard]] Time time_at(std::uint64_t ticks) const noexcept;
    /// Time of the start of a cycle.
    [[nodiscard]] Time time_of_cycle(std::uint64_t cycle) const noexcept {
        return time_at(cycle << kTickBits);
    }

  private:
    std::uint64_t hz_;
    std::uint32_t cpi_;
    std::uint64_t ticks_{0};
    std::uint64_t base_ticks_{0};
    Time base_time_{0};
    Time now_{0};
};

}  // namespace mcuota::board
