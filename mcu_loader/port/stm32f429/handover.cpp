// Hand-over: RM0090 6.3.5 – 6.3.14 (peripheral resets and clock enables), ARMv7-M B1.5 (VTOR, MSP), B3.4
// (NVIC).
#include "mcu_loader/port/stm32f429/handover.hpp"

#include <initializer_list>

#include "mcu_loader/port/stm32f429/clock.hpp"
#include "mcu_loader/port/stm32f429/cpu.hpp"
#include "mcu_loader/port/stm32f429/registers.hpp"
#include "mcu_loader/port/stm32f429/ticks.hpp"

namespace mcuota::stm32f429 {
namespace {

constexpr std::uint32_t kAhb1EnableReset = 0x0010'0000;  // only the core-coupled RAM
constexpr unsigned kInterruptWords = 3;                  // 91 interrupts
constexpr std::uint32_t kPendSvClear = bit(27), kSysTickClear = bit(25);

void reset_peripherals() noexcept {
    // Reserved bits read back 0 and ignore writes. The IWDG and the backup domain are not reachable from
    // here.
    const std::uint32_t all = 0xFFFF'FFFF;
    for (Register* reset :
         {&rcc().apb1rstr, &rcc().apb2rstr, &rcc().ahb1rstr, &rcc().ahb2rstr, &rcc().ahb3rstr}) {
        reset->write(all);
        reset->write(0);
    }
    rcc().apb1enr.write(0);
    rcc().apb2enr.write(0);
    rcc().ahb2enr.write(0);
    rcc().ahb3enr.write(0);
    rcc().ahb1enr.write(kAhb1EnableReset);
}

}  // namespace

void hand_over(std::uint32_t vectors) noexcept {
    asm volatile("cpsid i" ::: "memory");
    ticks_stop();
    for (unsigned word = 0; word < kInterruptWords; ++word)
        nvic().icer[word].write(0xFFFF'FFFF);
    clock_stop();  // before the power controller is reset: its voltage scale carries the fast clock
    reset_peripherals();
    for (unsigned word = 0; word < kInterruptWords; ++word)
        nvic().icpr[word].write(0xFFFF'FFFF);
    scb().icsr.write(kPendSvClear | kSysTickClear);
    scb().vtor.write(vectors);
    data_barrier();
    instruction_barrier();
    const auto* words = reinterpret_cast<const volatile std::uint32_t*>(static_cast<std::uintptr_t>(vectors));
    const std::uint32_t stack = words[0], entry = words[1];
    // No C++ after the stack pointer changes: the compiler may keep things on the old stack.
    asm volatile(
        "mov  r2, #0      \n"
        "msr  control, r2 \n"
        "msr  msp, %0     \n"
        "isb              \n"
        "cpsie i          \n"
        "bx   %1          \n" ::"r"(stack),
        "r"(entry)
        : "r2", "memory");
    __builtin_unreachable();
}

}  // namespace mcuota::stm32f429
