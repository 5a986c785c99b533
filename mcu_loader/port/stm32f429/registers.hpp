#pragma once
// Registers of the STM32F429 and its Cortex-M4, only those this port uses. Layouts: RM0090 (chapter beside
// each block) and the ARMv7-M architecture reference manual (SysTick, NVIC, SCB, DWT).

#include <cstddef>
#include <cstdint>

namespace mcuota::stm32f429 {

/// One 32-bit register. Read-modify-write is spelled out: each call is one load and one store at most.
class Register {
  public:
    [[nodiscard]] std::uint32_t read() const noexcept { return value_; }
    void write(std::uint32_t value) noexcept { value_ = value; }
    void set(std::uint32_t mask) noexcept { value_ = value_ | mask; }
    void clear(std::uint32_t mask) noexcept { value_ = value_ & ~mask; }
    /// Replaces the bits of `mask` by those of `bits`.
    void change(std::uint32_t mask, std::uint32_t bits) noexcept { value_ = (value_ & ~mask) | bits; }
    [[nodiscard]] bool any(std::uint32_t mask) const noexcept { return (value_ & mask) != 0; }
    /// Where it lies, for DMA address registers.
    [[nodiscard]] std::uint32_t address() const noexcept {
        return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(&value_));
    }
    /// For peripherals whose data register is accessed bytewise (SPI, 8-bit frames).
    [[nodiscard]] std::uint8_t read_byte() const noexcept {
        return *reinterpret_cast<const volatile std::uint8_t*>(&value_);
    }
    void write_byte(std::uint8_t value) noexcept {
        *reinterpret_cast<volatile std::uint8_t*>(&value_) = value;
    }

  private:
    volatile std::uint32_t value_;
};

[[nodiscard]] constexpr std::uint32_t bit(unsigned number) noexcept {
    return 1U << number;
}

/// RM0090 chapter 6 (reset and clock control, STM32F42x/43x).
struct Rcc {
    Register cr, pllcfgr, cfgr, cir;
    Register ahb1rstr, ahb2rstr, ahb3rstr, reserved_1c;
    Register apb1rstr, apb2rstr, reserved_28, reserved_2c;
    Register ahb1enr, ahb2enr, ahb3enr, reserved_3c;
    Register apb1enr, apb2enr, reserved_48, reserved_4c;
    Register ahb1lpenr, ahb2lpenr, ahb3lpenr, reserved_5c;
    Register apb1lpenr, apb2lpenr, reserved_68, reserved_6c;
    Register bdcr, csr;
};
static_assert(offsetof(Rcc, apb1enr) == 0x40 && offsetof(Rcc, csr) == 0x74);

/// RM0090 chapter 5 (power controller).
struct Pwr {
    Register cr, csr;
};

/// RM0090 chapter 3.9 (embedded flash interface).
struct FlashInterface {
    Register acr, keyr, optkeyr, sr, cr, optcr, optcr1;
};
static_assert(offsetof(FlashInterface, optcr) == 0x14);

/// RM0090 chapter 8 (general-purpose I/O).
struct Gpio {
    Register moder, otyper, ospeedr, pupdr, idr, odr, bsrr, lckr, afrl, afrh;
};

/// RM0090 chapter 30 (USART).
struct Usart {
    Register sr, dr, brr, cr1, cr2, cr3, gtpr;
};

/// RM0090 chapter 10 (DMA controller).
struct DmaStream {
    Register cr, ndtr, par, m0ar, m1ar, fcr;
};
struct Dma {
    Register lisr, hisr, lifcr, hifcr;
    DmaStream stream[8];
};
static_assert(offsetof(Dma, stream) == 0x10 && sizeof(DmaStream) == 0x18);

/// RM0090 chapter 28 (SPI).
struct Spi {
    Register cr1, cr2, sr, dr;
};

/// RM0090 chapter 21 (independent watchdog).
struct Iwdg {
    Register kr, pr, rlr, sr;
};

/// ARMv7-M B3.3 (SysTick).
struct SysTick {
    Register csr, rvr, cvr, calib;
};

/// ARMv7-M B3.4 (NVIC), from 0xE000E100.
struct Nvic {
    Register iser[32], icer[32], ispr[32], icpr[32];
};
static_assert(offsetof(Nvic, icpr) == 0x180);

/// ARMv7-M B3.2 (system control block), from 0xE000ED00.
struct Scb {
    Register cpuid, icsr, vtor, aircr, scr, ccr, shpr1, shpr2, shpr3, shcsr, cfsr, hfsr;
};
static_assert(offsetof(Scb, hfsr) == 0x2C);

template <class Block, std::uint32_t Address>
[[nodiscard]] inline Block& block() noexcept {
    return *reinterpret_cast<Block*>(static_cast<std::uintptr_t>(Address));
}

// RM0090 table 1 (register boundary addresses).
inline Rcc& rcc() noexcept {
    return block<Rcc, 0x4002'3800>();
}
inline Pwr& pwr() noexcept {
    return block<Pwr, 0x4000'7000>();
}
inline FlashInterface& flash_interface() noexcept {
    return block<FlashInterface, 0x4002'3C00>();
}
inline Gpio& gpio_a() noexcept {
    return block<Gpio, 0x4002'0000>();
}
inline Gpio& gpio_f() noexcept {
    return block<Gpio, 0x4002'1400>();
}
inline Gpio& gpio_h() noexcept {
    return block<Gpio, 0x4002'1C00>();
}
inline Usart& usart1() noexcept {
    return block<Usart, 0x4001'1000>();
}
inline Dma& dma2() noexcept {
    return block<Dma, 0x4002'6400>();
}
inline Spi& spi5() noexcept {
    return block<Spi, 0x4001'5000>();
}
/// RM0090 26.6.20: backup register `number`, 0 – 19.
inline Register& rtc_backup(unsigned number) noexcept {
    return *reinterpret_cast<Register*>(static_cast<std::uintptr_t>(0x4000'2850 + 4 * number));
}
inline Iwdg& iwdg() noexcept {
    return block<Iwdg, 0x4000'3000>();
}
inline SysTick& systick() noexcept {
    return block<SysTick, 0xE000'E010>();
}
/// ARMv7-M C1.8 (DWT): control and cycle counter. C1.6.5: DEMCR, whose TRCENA switches the DWT on.
struct Dwt {
    Register ctrl, cyccnt;
};
inline Dwt& dwt() noexcept {
    return block<Dwt, 0xE000'1000>();
}
inline Register& demcr() noexcept {
    return block<Register, 0xE000'EDFC>();
}
inline Nvic& nvic() noexcept {
    return block<Nvic, 0xE000'E100>();
}
inline Scb& scb() noexcept {
    return block<Scb, 0xE000'ED00>();
}

// Interrupt numbers (RM0090 table 62).
constexpr unsigned kIrqUsart1 = 37;
constexpr unsigned kIrqDma2Stream2 = 58;
constexpr unsigned kIrqDma2Stream7 = 70;

inline void nvic_enable(unsigned irq) noexcept {
    nvic().iser[irq / 32].write(bit(irq % 32));
}
inline void nvic_disable(unsigned irq) noexcept {
    nvic().icer[irq / 32].write(bit(irq % 32));
}

// RCC enable bits (RM0090 6.3.10 – 6.3.14).
constexpr std::uint32_t kAhb1GpioA = bit(0), kAhb1GpioF = bit(5), kAhb1GpioH = bit(7), kAhb1Dma2 = bit(22);
constexpr std::uint32_t kApb1Pwr = bit(28);
constexpr std::uint32_t kApb2Usart1 = bit(4), kApb2Spi5 = bit(20);

// Read-only facts in system memory (RM0090 39.1, 39.2).
constexpr std::uint32_t kUniqueIdAddress = 0x1FFF'7A10;
constexpr std::uint32_t kFlashSizeAddress = 0x1FFF'7A22;

}  // namespace mcuota::stm32f429
