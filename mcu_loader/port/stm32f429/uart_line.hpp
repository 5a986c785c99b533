#pragma once
// USART1 as the line under the link server: PA9/PA10, 8N1, circular DMA in, DMA out. Never waits.

#include <cstdint>
#include <span>

#include "mcu_loader/core/link/target.hpp"

namespace mcuota::stm32f429 {

constexpr std::uint32_t kBaudBase = 115'200;
constexpr std::uint32_t kBaudMax = 2'000'000;

/// Whether a USART clocked with `pclk_hz` meets `baud` within 1.5 % (the receiver takes 3.75 %, both ends
/// share it).
[[nodiscard]] bool baud_reachable(std::uint32_t pclk_hz, std::uint32_t baud) noexcept;

/// One instance at a time: the interrupt handlers serve the one started last. The rings must lie in SRAM1–3
/// (no CCM).
class UartLine final : public link::Line {
  public:
    /// `transmit_ring` belongs to the line for good.
    explicit UartLine(std::span<std::uint8_t> transmit_ring) noexcept : transmit_ring_{transmit_ring} {}

    /// Sets up pins, clocks, USART and the sending half.
    void start(std::uint32_t pclk2_hz, std::uint32_t baud) noexcept;
    /// Begins to collect received bytes in `ring` (at most 65535 bytes), which is lent until listen_stop().
    /// A reader more than one ring behind loses bytes silently: frames carry a CRC.
    void listen_start(std::span<std::uint8_t> ring) noexcept;
    void listen_stop() noexcept;

    [[nodiscard]] std::size_t receive(std::span<std::uint8_t> out) noexcept override;
    [[nodiscard]] std::size_t send(std::span<const std::uint8_t> bytes) noexcept override;
    [[nodiscard]] bool sent() noexcept override;
    void set_baud(std::uint32_t baud) noexcept override;

    /// Bytes send() would take now.
    [[nodiscard]] std::size_t room() const noexcept;

    /// Sleeps until an interrupt, unless received bytes already wait.
    void wait() noexcept;

    void on_transmitted() noexcept;  ///< DMA2 stream 7
    void on_line_event() noexcept;   ///< USART1: idle line or a receive error

  private:
    [[nodiscard]] std::uint32_t write_position() const noexcept;
    void send_next() noexcept;

    std::uint32_t pclk2_hz_{0};
    std::span<std::uint8_t> receive_ring_{};
    std::uint32_t read_position_{0};
    std::span<std::uint8_t> transmit_ring_;
    std::uint32_t queued_from_{0};  ///< first byte not yet sent
    std::uint32_t queued_{0};       ///< bytes waiting, those in flight included
    std::uint32_t in_flight_{0};
};

}  // namespace mcuota::stm32f429
