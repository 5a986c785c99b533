// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// One SPI master (RM0090 §28, fact sheet 6): byte timing from the bus clock and BR, TXE/RXNE/BSY/OVR, DMA
// requests.

#include <cstdint>
#include <functional>

#include "virtual_board/clock.hpp"
#include "virtual_board/device.hpp"

namespace mcuota::board {

class Spi final : public Device {
  public:
    enum Register : std::uint32_t { kCr1 = 0, kCr2 = 4, kSr = 8, kDr = 0xC };
    static constexpr std::uint32_t kMstr = 1u << 2, kSpe = 1u << 6, kSsi = 1u << 8, kSsm = 1u << 9,
                                   kDff = 1u << 11;
    static constexpr std::uint32_t kRxdmaen = 1u << 0, kTxdmaen = 1u << 1, kErrie = 1u << 5,
                                   kRxneie = 1u << 6, kTxeie = 1u << 7;
    static constexpr std::uint32_t kRxne = 1u << 0, kTxe = 1u << 1, kModf = 1u << 5, kOvr = 1u << 6,
                                   kBsy = 1u << 7;

    /// `exchange` is called with each byte sent and returns the byte that came back.
    Spi(const Clock& clock, std::function<std::uint64_t()> pclk_hz,
        std::function<std::uint8_t(std::uint8_t)> exchange);

    [[nodiscard]] std::uint32_t peek(std::uint32_t offset) const override;
    [[nodiscard]] std::uint32_t read(std::uint32_t offset) override;
    void write(std::uint32_t offset, std::uint32_t value) override;
    void reset() override;
    [[nodiscard]] Time deadline() const override { return end_; }
    void advance() override;
    [[nodiscard]] bool status_register(std::uint32_t offset) const override { return offset == kSr; }

    [[nodiscard]] bool plain_read(std::uint32_t offset) const override {
        return offset == kSr && !ovr_dr_read_;
    }

    [[nodiscard]] bool irq() const noexcept;
    [[nodiscard]] bool dma_rx_request() const noexcept { return (cr2_ & kRxdmaen) && (sr_ & kRxne); }
    [[nodiscard]] bool dma_tx_request() const noexcept {
        return (cr2_ & kTxdmaen) && (sr_ & kTxe) && (cr1_ & kSpe);
    }

  private:
    void start(Time begin);
    [[nodiscard]] bool master() const noexcept;

    const Clock& clock_;
    std::function<std::uint64_t()> pclk_hz_;
    std::function<std::uint8_t(std::uint8_t)> exchange_;
    std::uint32_t cr1_{0}, cr2_{0}, sr_{kTxe};
    std::uint16_t tdr_{0}, rdr_{0}, shift_{0};
    bool ovr_dr_read_{false};
    Time end_{kNever};
};

}  // namespace mcuota::board
