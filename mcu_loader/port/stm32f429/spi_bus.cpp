// SPI5 master: RM0090 chapters 28.3 and 10.3 (DMA2 streams 3 in and 4 out, channel 2).
#include "mcu_loader/port/stm32f429/spi_bus.hpp"

#include "mcu_loader/port/stm32f429/cpu.hpp"
#include "mcu_loader/port/stm32f429/registers.hpp"

namespace mcuota::stm32f429 {
namespace {

constexpr std::uint32_t kMaster = bit(2), kOn = bit(6), kInternalSelect = bit(8), kSoftwareSelect = bit(9);
constexpr std::uint32_t kReceived = bit(0), kTransmitEmpty = bit(1), kBusy = bit(7);
constexpr unsigned kInStream = 3, kOutStream = 4;
constexpr std::uint32_t kChannel2 = 2U << 25, kMemoryIncrement = bit(10), kToPeripheral = 1U << 6,
                        kStreamOn = bit(0);
constexpr std::uint32_t kPriorityHigh = 2U << 16, kPriorityHighest = 3U << 16;
constexpr std::uint32_t kInFlags = 0x3DU << 22, kInComplete = bit(27), kOutFlags = 0x3DU;

// A byte takes 32 cycles at 42 MHz: these bounds are far beyond what a working bus needs.
constexpr std::uint32_t kByteTurnsMax = 10'000;
// Below this the set-up of two streams costs more than it saves.
constexpr std::size_t kDmaFromBytes = 32;
constexpr std::size_t kDmaBytesMax = 0xFFFF;

bool wait_for(std::uint32_t mask, std::uint32_t wanted) noexcept {
    for (std::uint32_t turn = 0; turn < kByteTurnsMax; ++turn) {
        if ((spi5().sr.read() & mask) == wanted) return true;
    }
    return false;
}

std::uint8_t exchange(std::uint8_t byte) noexcept {
    (void)wait_for(kTransmitEmpty, kTransmitEmpty);
    spi5().dr.write_byte(byte);
    (void)wait_for(kReceived, kReceived);
    return spi5().dr.read_byte();
}

/// DMA cannot reach the core-coupled RAM at 0x10000000.
bool dma_reaches(const void* memory) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    return address < 0x1000'0000 || address >= 0x1001'0000;
}

/// Moves `count` bytes; a null side is a constant 0xFF or a bin.
void exchange_by_dma(const std::uint8_t* out, std::uint8_t* in, std::size_t count) noexcept {
    static std::uint8_t bin;
    static const std::uint8_t filler = 0xFF;
    auto& in_stream = dma2().stream[kInStream];
    auto& out_stream = dma2().stream[kOutStream];
    const auto address = [](const void* p) {
        return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(p));
    };
    memory_clobber();
    dma2().lifcr.write(kInFlags);
    dma2().hifcr.write(kOutFlags);
    in_stream.par.write(spi5().dr.address());
    in_stream.m0ar.write(address(in != nullptr ? in : &bin));
    in_stream.ndtr.write(static_cast<std::uint32_t>(count));
    in_stream.fcr.write(0);
    in_stream.cr.write(kChannel2 | kPriorityHighest | (in != nullptr ? kMemoryIncrement : 0));
    out_stream.par.write(spi5().dr.address());
    out_stream.m0ar.write(address(out != nullptr ? out : &filler));
    out_stream.ndtr.write(static_cast<std::uint32_t>(count));
    out_stream.fcr.write(0);
    out_stream.cr.write(kChannel2 | kPriorityHigh | kToPeripheral | (out != nullptr ? kMemoryIncrement : 0));
    in_stream.cr.set(kStreamOn);
    out_stream.cr.set(kStreamOn);
    spi5().cr2.write(3);  // RXDMAEN | TXDMAEN
    const std::size_t turns_max = count * 64 + kByteTurnsMax;
    for (std::size_t turn = 0; turn < turns_max && !dma2().lisr.any(kInComplete); ++turn) {
    }
    spi5().cr2.write(0);
    in_stream.cr.write(0);
    out_stream.cr.write(0);
    memory_clobber();
}

void exchange_all(const std::uint8_t* out, std::uint8_t* in, std::size_t count) noexcept {
    while (count != 0) {
        std::size_t piece = count < kDmaBytesMax ? count : kDmaBytesMax;
        if (count >= kDmaFromBytes && dma_reaches(out) && dma_reaches(in)) {
            exchange_by_dma(out, in, piece);
        } else {
            for (std::size_t i = 0; i < piece; ++i) {
                const std::uint8_t got = exchange(out != nullptr ? out[i] : 0xFF);
                if (in != nullptr) in[i] = got;
            }
        }
        if (out != nullptr) out += piece;
        if (in != nullptr) in += piece;
        count -= piece;
    }
    // The chip select may rise only when the last bit has left.
    (void)wait_for(kBusy, 0);
}

}  // namespace

void spi5_start() noexcept {
    rcc().ahb1enr.set(kAhb1GpioF | kAhb1Dma2);
    rcc().apb2enr.set(kApb2Spi5);
    (void)rcc().apb2enr.read();
    auto& port = gpio_f();
    port.afrl.change(0xFU << 28, 5U << 28);         // PF7
    port.afrh.change(0xFFU, 5U | (5U << 4));        // PF8, PF9
    port.ospeedr.change(0x3FU << 14, 0x3FU << 14);  // very high speed: 42 MHz edges
    port.pupdr.change(3U << 16, 2U << 16);          // a missing chip reads as zeros, not as busy for ever
    port.moder.change(0x3FU << 14, 0x2AU << 14);
    spi5().cr1.write(0);
    spi5().cr2.write(0);
    spi5().cr1.write(kMaster | kInternalSelect | kSoftwareSelect);  // mode 0, 8 bit, PCLK2 / 2
    spi5().cr1.set(kOn);
}

void spi5_write(std::span<const std::uint8_t> out) noexcept {
    exchange_all(out.data(), nullptr, out.size());
}

void spi5_read(std::span<std::uint8_t> in) noexcept {
    exchange_all(nullptr, in.data(), in.size());
}

}  // namespace mcuota::stm32f429
