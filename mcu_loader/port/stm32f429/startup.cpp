// Start-up of loader and demo applications: vector table, memory set-up, the fault handlers' way out.
#include <cstddef>
#include <cstdint>

#include "mcu_loader/port/stm32f429/board.hpp"
#include "mcu_loader/port/stm32f429/cpu.hpp"
#include "mcu_loader/port/stm32f429/stack.hpp"

extern "C" {
extern std::uint32_t stack_bottom[], stack_top[];
extern std::uint32_t data_load[], data_begin[], data_end[], bss_begin[], bss_end[];
extern void (*const init_begin[])();
extern void (*const init_end[])();

/// The program: what main() is elsewhere.
void firmware_main();
[[noreturn]] void Reset_Handler();
void Default_Handler();
void NMI_Handler() __attribute__((weak, alias("Default_Handler")));
void HardFault_Handler() __attribute__((weak, alias("Default_Handler")));
void SysTick_Handler() __attribute__((weak, alias("Default_Handler")));
void USART1_IRQHandler() __attribute__((weak, alias("Default_Handler")));
void DMA2_Stream2_IRQHandler() __attribute__((weak, alias("Default_Handler")));
void DMA2_Stream7_IRQHandler() __attribute__((weak, alias("Default_Handler")));

/// A fault or an interrupt nobody asked for: the state of the program is unknown, the journal is not. Start
/// again.
void Default_Handler() {
    mcuota::stm32f429::system_reset();
}

/// Called for a pure virtual function: the same kind of accident.
void __cxa_pure_virtual();
void __cxa_pure_virtual() {
    mcuota::stm32f429::system_reset();
}
}

namespace {

using Handler = void (*)();
constexpr std::size_t kInterrupts = 91;  // RM0090 table 62

struct Vectors {
    std::uint32_t* stack;
    Handler system[15];
    Handler interrupts[kInterrupts];
};

constexpr Vectors make_vectors() noexcept {
    Vectors vectors{};
    vectors.stack = stack_top;
    for (auto& handler : vectors.system)
        handler = Default_Handler;
    for (auto& handler : vectors.interrupts)
        handler = Default_Handler;
    vectors.system[0] = Reset_Handler;
    vectors.system[1] = NMI_Handler;
    vectors.system[2] = HardFault_Handler;
    vectors.system[14] = SysTick_Handler;
    vectors.interrupts[37] = USART1_IRQHandler;
    vectors.interrupts[58] = DMA2_Stream2_IRQHandler;
    vectors.interrupts[70] = DMA2_Stream7_IRQHandler;
    return vectors;
}

}  // namespace

extern const Vectors vector_table;
[[gnu::section(".vectors"), gnu::used]] constinit const Vectors vector_table = make_vectors();

/// The stack pointer came from the vector table; nothing else is set up yet.
void Reset_Handler() {
    const std::uint32_t* from = data_load;
    for (std::uint32_t* to = data_begin; to != data_end; ++to, ++from)
        *to = *from;
    for (std::uint32_t* to = bss_begin; to != bss_end; ++to)
        *to = 0;
    mcuota::stm32f429::stack_paint();
    for (auto* init = init_begin; init != init_end; ++init)
        (*init)();
    firmware_main();
    mcuota::stm32f429::system_reset();
}
