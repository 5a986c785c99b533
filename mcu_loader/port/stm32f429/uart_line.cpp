// USART1 with DMA2 streams 2 (in) and 7 (out), channel 4: RM0090 chapters 30 and 10.3.
#include "mcu_loader/port/stm32f429/uart_line.hpp"

#include <algorithm>
#include <cstring>

#include "mcu_loader/port/stm32f429/cpu.hpp"
#include "mcu_loader/port/stm32f429/deadline.hpp"
#include "mcu_loader/port/stm32f429/registers.hpp"

namespace mcuota::stm32f429 {
namespace {

constexpr unsigned kReceiveStream = 2, kTransmitStream = 7;
constexpr std::uint32_t kStreamOn = bit(0), kHalfInterrupt = bit(3), kCompleteInterrupt = bit(4);
constexpr std::uint32_t kToPeripheral = 1U << 6, kCircular = bit(8), kMemoryIncrement = bit(10);
constexpr std::uint32_t kPriorityHigh = 2U << 16, kChannel4 = 4U << 25;
constexpr std::uint32_t kReceiveFlags = 0x3DU << 16;   // LISR/LIFCR: stream 2
constexpr std::uint32_t kTransmitFlags = 0x3DU << 22;  // HISR/HIFCR: stream 7
constexpr std::uint32_t kSrComplete = bit(6), kSrIdle = bit(4), kSrErrors = 0xF;
constexpr std::uint32_t kCr1On = bit(13), kCr1Transmit = bit(3), kCr1Receive = bit(2),
                        kCr1IdleInterrupt = bit(4);
constexpr std::uint32_t kCr3ErrorInterrupt = bit(0), kCr3DmaReceive = bit(6), kCr3DmaTransmit = bit(7);
constexpr std::uint32_t kAlternate7 = 7;

constexpr std::uint32_t kStreamStopCycles = 100'000;

UartLine* active_line;

/// Switches a stream off and waits until it is (a running byte transfer ends first, microseconds).
void stop_stream(DmaStream& stream) noexcept {
    stream.cr.clear(kStreamOn);
    (void)wait_for(stream.cr, kStreamOn, 0, kStreamStopCycles);
}

void set_up_pins() noexcept {
    rcc().ahb1enr.set(kAhb1GpioA | kAhb1Dma2);
    rcc().apb2enr.set(kApb2Usart1);
    (void)rcc().apb2enr.read();
    auto& port = gpio_a();
    // PA9 and PA10: alternate function 7, PA10 pulled up so that an open line reads as idle.
    port.afrh.change(0xFFU << 4, (kAlternate7 << 4) | (kAlternate7 << 8));
    port.ospeedr.change(3U << 18, 2U << 18);
    port.pupdr.change((3U << 18) | (3U << 20), 1U << 20);
    port.moder.change((3U << 18) | (3U << 20), (2U << 18) | (2U << 20));
}

}  // namespace

bool baud_reachable(std::uint32_t pclk_hz, std::uint32_t baud) noexcept {
    if (baud < 1200 || baud > kBaudMax) return false;
    const std::uint32_t divider = (pclk_hz + baud / 2) / baud;
    if (divider < 16 || divider > 0xFFFF) return false;
    const std::uint32_t real = pclk_hz / divider;
    const std::uint32_t error = real > baud ? real - baud : baud - real;
    return error <= baud / 67;  // 1.5 %
}

void UartLine::start(std::uint32_t pclk2_hz, std::uint32_t baud) noexcept {
    pclk2_hz_ = pclk2_hz;
    active_line = this;
    set_up_pins();
    stop_stream(dma2().stream[kTransmitStream]);
    queued_ = in_flight_ = queued_from_ = 0;
    usart1().cr1.write(0);
    usart1().cr2.write(0);
    usart1().cr3.write(kCr3DmaTransmit | kCr3DmaReceive | kCr3ErrorInterrupt);
    set_baud(baud);
    usart1().cr1.write(kCr1On | kCr1Transmit | kCr1Receive | kCr1IdleInterrupt);
    nvic_enable(kIrqDma2Stream7);
    nvic_enable(kIrqUsart1);
}

void UartLine::listen_start(std::span<std::uint8_t> ring) noexcept {
    listen_stop();
    receive_ring_ = ring;
    read_position_ = 0;
    auto& stream = dma2().stream[kReceiveStream];
    dma2().lifcr.write(kReceiveFlags);
    stream.par.write(usart1().dr.address());
    stream.m0ar.write(static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(ring.data())));
    stream.ndtr.write(static_cast<std::uint32_t>(ring.size()));
    stream.fcr.write(0);
    // Half and complete interrupts only wake the core: the reader looks at NDTR.
    stream.cr.write(kChannel4 | kPriorityHigh | kMemoryIncrement | kCircular | kHalfInterrupt |
                    kCompleteInterrupt);
    (void)usart1().sr.read();  // a stale byte or error must not become the first of the ring
    (void)usart1().dr.read();
    stream.cr.set(kStreamOn);
    nvic_enable(kIrqDma2Stream2);
}

void UartLine::listen_stop() noexcept {
    nvic_disable(kIrqDma2Stream2);
    stop_stream(dma2().stream[kReceiveStream]);
    receive_ring_ = {};
}

std::uint32_t UartLine::write_position() const noexcept {
    const auto size = static_cast<std::uint32_t>(receive_ring_.size());
    const std::uint32_t left = dma2().stream[kReceiveStream].ndtr.read();
    return left == 0 || left > size ? 0 : (size - left) % size;
}

std::size_t UartLine::receive(std::span<std::uint8_t> out) noexcept {
    if (receive_ring_.empty()) return 0;
    if (!dma2().stream[kReceiveStream].cr.any(kStreamOn)) {
        listen_start(receive_ring_);  // a bus error stopped the stream; what it held is lost to the CRC
        return 0;
    }
    std::size_t taken = 0;
    const std::uint32_t write = write_position();
    memory_clobber();
    while (read_position_ != write && taken < out.size()) {
        const std::size_t end = write > read_position_ ? write : receive_ring_.size();
        const std::size_t count = std::min<std::size_t>(end - read_position_, out.size() - taken);
        std::memcpy(out.data() + taken, receive_ring_.data() + read_position_, count);
        taken += count;
        read_position_ = static_cast<std::uint32_t>((read_position_ + count) % receive_ring_.size());
    }
    return taken;
}

std::size_t UartLine::send(std::span<const std::uint8_t> bytes) noexcept {
    const InterruptLock lock;
    const std::size_t size = transmit_ring_.size();
    const std::size_t count = std::min<std::size_t>(bytes.size(), size - queued_);
    const std::size_t begin = (queued_from_ + queued_) % size;
    const std::size_t first = std::min<std::size_t>(count, size - begin);
    std::memcpy(transmit_ring_.data() + begin, bytes.data(), first);
    std::memcpy(transmit_ring_.data(), bytes.data() + first, count - first);
    queued_ += static_cast<std::uint32_t>(count);
    if (in_flight_ == 0) send_next();
    return count;
}

std::size_t UartLine::room() const noexcept {
    const InterruptLock lock;
    return transmit_ring_.size() - queued_;
}

bool UartLine::sent() noexcept {
    const InterruptLock lock;
    return queued_ == 0 && usart1().sr.any(kSrComplete);
}

void UartLine::set_baud(std::uint32_t baud) noexcept {
    usart1().brr.write((pclk2_hz_ + baud / 2) / baud);
}

void UartLine::wait() noexcept {
    // Masked, so that a byte arriving between the look and the sleep still ends the sleep.
    const InterruptLock lock;
    if (!receive_ring_.empty() && write_position() != read_position_) return;
    wait_for_interrupt();
}

void UartLine::send_next() noexcept {
    in_flight_ =
        std::min<std::uint32_t>(queued_, static_cast<std::uint32_t>(transmit_ring_.size()) - queued_from_);
    if (in_flight_ == 0) return;
    auto& stream = dma2().stream[kTransmitStream];
    memory_clobber();
    dma2().hifcr.write(kTransmitFlags);
    stream.par.write(usart1().dr.address());
    stream.m0ar.write(static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(transmit_ring_.data())) +
                      queued_from_);
    stream.ndtr.write(in_flight_);
    stream.fcr.write(0);
    stream.cr.write(kChannel4 | kMemoryIncrement | kToPeripheral | kCompleteInterrupt | bit(2));
    usart1().sr.write(
        ~kSrComplete);  // TC must tell of these bytes, not of the last ones (write 0 clears, 1 keeps)
    stream.cr.set(kStreamOn);
}

void UartLine::on_transmitted() noexcept {
    const std::uint32_t flags = dma2().hisr.read() & kTransmitFlags;
    dma2().hifcr.write(kTransmitFlags);
    // Complete, or given up by the stream after a bus error: either way these bytes are no longer ours to
    // send.
    if ((flags & ((1U << 27) | (1U << 25))) == 0 || in_flight_ == 0) return;
    queued_from_ = static_cast<std::uint32_t>((queued_from_ + in_flight_) % transmit_ring_.size());
    queued_ -= in_flight_;
    in_flight_ = 0;
    send_next();
}

void UartLine::on_line_event() noexcept {
    // Reading SR, then DR clears idle and error flags. Only then: the DR read could take a byte from the DMA.
    if (usart1().sr.any(kSrErrors | kSrIdle)) (void)usart1().dr.read();
}

}  // namespace mcuota::stm32f429

// The names of ST's start-up files, so that an application can link this driver beside them.
extern "C" {
void DMA2_Stream2_IRQHandler();
void DMA2_Stream7_IRQHandler();
void USART1_IRQHandler();

void DMA2_Stream2_IRQHandler() {
    using namespace mcuota::stm32f429;
    dma2().lifcr.write(0x3DU << 16);
}
void DMA2_Stream7_IRQHandler() {
    using namespace mcuota::stm32f429;
    if (active_line != nullptr) active_line->on_transmitted();
}
void USART1_IRQHandler() {
    using namespace mcuota::stm32f429;
    if (active_line != nullptr) active_line->on_line_event();
}
}
