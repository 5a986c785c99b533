// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// One USART (RM0090 §30, fact sheet 5.1): byte timing from BRR, no receive FIFO, IDLE, overrun, DMA requests.
// The wire is a callback for sent bytes and receive() for arriving ones; it knows no file descriptor.

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "virtual_board/clock.hpp"
#include "virtual_board/device.hpp"

namespace mcuota::board {

class Usart final : public Device {
  public:
    enum Register : std::uint32_t {
        kSr = 0,
        kDr = 4,
        kBrr = 8,
        kCr1 = 0xC,
        kCr2 = 0x10,
        kCr3 = 0x14,
        kGtpr = 0x18
    };
    // SR bits
    static constexpr std::uint32_t kPe = 1u << 0, kFe = 1u << 1, kNf = 1u << 2, kOre = 1u << 3,
                                   kIdle = 1u << 4, kRxne = 1u << 5, kTc = 1u << 6, kTxe = 1u << 7;
    // CR1 bits (IDLEIE..TXEIE sit at the SR positions)
    static constexpr std::uint32_t kRe = 1u << 2, kTe = 1u << 3, kIdleie = 1u << 4, kRxneie = 1u << 5,
                                   kTcie = 1u << 6, kTxeie = 1u << 7, kPce = 1u << 10, kM = 1u << 12,
                                   kUe = 1u << 13, kOver8 = 1u << 15;
    // CR3 bits
    static constexpr std::uint32_t kEie = 1u << 0, kDmar = 1u << 6, kDmat = 1u << 7;

    /// One byte on the wire towards the MCU.
    struct LineByte {
        std::uint8_t value{0};
        bool framing_error{false};  ///< sampled at a wrong speed
    };

    struct Counters {
        std::uint64_t sent{0}, received{0}, overruns{0}, lost_receiver_off{0}, framing_errors{0};
    };

    /// `pclk_hz` gives the present bus clock; `sent` is called when a byte's last stop bit has left; `note`
    /// gets lines for the trace.
    Usart(const Clock& clock, std::function<std::uint64_t()> pclk_hz, std::function<void(std::uint8_t)> sent,
          std::function<void(const char* what)> note = {});

    [[nodiscard]] std::uint32_t peek(std::uint32_t offset) const override;
    [[nodiscard]] std::uint32_t read(std::uint32_t offset) override;
    void write(std::uint32_t offset, std::uint32_t value) override;
    void reset() override;
    [[nodiscard]] Time deadline() const override;
    void advance() override;
    [[nodiscard]] bool status_register(std::uint32_t offset) const override { return offset == kSr; }

    /// A byte that starts to arrive as soon as the line is free. `byte_time` 0 = the USART's own speed.
    void receive(LineByte byte, Time byte_time = 0);
    /// Bytes handed to receive() that have not arrived yet.
    [[nodiscard]] std::size_t backlog() const noexcept { return line_.size(); }
    /// Throws away what is on the way (the client left, power went off).
    void drop_line();

    [[nodiscard]] bool irq() const noexcept;
    [[nodiscard]] bool dma_rx_request() const noexcept { return (cr3_ & kDmar) && (sr_ & kRxne); }
    [[nodiscard]] bool dma_tx_request() const noexcept {
        return (cr3_ & kDmat) && (sr_ & kTxe) && (cr1_ & kUe) && (cr1_ & kTe);
    }
    /// Present speed, 0 while BRR is not set.
    [[nodiscard]] std::uint64_t baud() const noexcept;
    /// Time of one frame (start, data, parity, stop bits).
    [[nodiscard]] Time frame_time() const noexcept;
    [[nodiscard]] bool transmitting() const noexcept { return tx_end_ != kNever; }
    [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

  private:
    struct Arriving {
        LineByte byte;
        Time byte_time;
    };
    void start_next_arrival(Time not_before);
    void arrive(LineByte byte);
    void start_shift(Time begin);
    [[nodiscard]] std::uint64_t divider() const noexcept;

    const Clock& clock_;
    std::function<std::uint64_t()> pclk_hz_;
    std::function<void(std::uint8_t)> sent_;
    std::function<void(const char*)> note_;
    std::uint32_t sr_{0xC0}, brr_{0}, cr1_{0}, cr2_{0}, cr3_{0}, gtpr_{0};
    std::uint8_t rdr_{0}, tdr_{0}, shift_{0};
    bool tdr_full_{false};
    std::uint32_t flags_seen_{0};  ///< flags the last SR read showed: the following DR read clears them
    bool tc_seen_{false};
    Time tx_end_{kNever};
    Time rx_end_{kNever};
    Time idle_at_{kNever};
    std::deque<Arriving> line_;
    Counters counters_;
};

}  // namespace mcuota::board
