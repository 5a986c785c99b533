#pragma once
// The bound of a wait for hardware, in core cycles: for waits too short for, or earlier than, the millisecond
// tick.

#include <cstdint>

#include "mcu_loader/port/stm32f429/registers.hpp"

namespace mcuota::stm32f429 {

/// Passes after so many core cycles (at most 2^31). Switches the cycle counter on and leaves its value alone:
/// others may use it.
class Deadline {
  public:
    explicit Deadline(std::uint32_t cycles) noexcept : cycles_{cycles} {
        demcr().set(bit(24));
        dwt().ctrl.set(bit(0));
        begin_ = dwt().cyccnt.read();
    }
    [[nodiscard]] bool passed() const noexcept { return dwt().cyccnt.read() - begin_ > cycles_; }

  private:
    std::uint32_t cycles_;
    std::uint32_t begin_;
};

/// Waits until the bits of `mask` read as `wanted`; false when `cycles` have passed before.
[[nodiscard]] inline bool wait_for(const Register& reg, std::uint32_t mask, std::uint32_t wanted,
                                   std::uint32_t cycles) noexcept {
    const Deadline deadline{cycles};
    while ((reg.read() & mask) != wanted) {
        if (deadline.passed()) return (reg.read() & mask) == wanted;
    }
    return true;
}

}  // namespace mcuota::stm32f429
