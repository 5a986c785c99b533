#pragma once
// The few instructions of the Cortex-M4 that C++ has no words for.

#include <cstdint>

namespace mcuota::stm32f429 {

/// Makes the compiler forget what it believes to know of memory a DMA stream writes or reads.
inline void memory_clobber() noexcept {
    asm volatile("" ::: "memory");
}
inline void data_barrier() noexcept {
    asm volatile("dsb" ::: "memory");
}
inline void instruction_barrier() noexcept {
    asm volatile("isb" ::: "memory");
}
/// Sleeps until an interrupt is pending, masked by PRIMASK or not.
inline void wait_for_interrupt() noexcept {
    asm volatile("dsb\n wfi" ::: "memory");
}

/// Interrupts are off while it lives; nests.
class InterruptLock {
  public:
    InterruptLock() noexcept {
        asm volatile("mrs %0, primask" : "=r"(before_)::"memory");
        asm volatile("cpsid i" ::: "memory");
    }
    ~InterruptLock() { asm volatile("msr primask, %0" ::"r"(before_) : "memory"); }
    InterruptLock(const InterruptLock&) = delete;
    InterruptLock& operator=(const InterruptLock&) = delete;

  private:
    std::uint32_t before_;
};

}  // namespace mcuota::stm32f429
