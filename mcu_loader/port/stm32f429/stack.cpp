// Stack paint and its measurement.
#include "mcu_loader/port/stm32f429/stack.hpp"

extern "C" std::uint32_t stack_bottom[], stack_top[];

namespace mcuota::stm32f429 {
namespace {
constexpr std::uint32_t kPaint = 0xA5A5'A5A5;
}

void stack_paint() noexcept {
    std::uint32_t* end;
    asm volatile("mov %0, sp" : "=r"(end));
    // volatile: the compiler must not turn this into a call that uses the stack being painted
    for (volatile std::uint32_t* word = stack_bottom; word < end; word = word + 1)
        *word = kPaint;
}

std::uint32_t stack_used_bytes() noexcept {
    const volatile std::uint32_t* word = stack_bottom;
    while (word < stack_top && *word == kPaint)
        ++word;
    return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(stack_top) -
                                      reinterpret_cast<std::uintptr_t>(word));
}

}  // namespace mcuota::stm32f429
