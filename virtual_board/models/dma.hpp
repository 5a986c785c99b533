// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// One DMA controller with eight streams (RM0090 §10, fact sheet 5.2). Data moves through a port to the bus,
// one item per peripheral request; memory-to-memory runs to its end at once.

#include <array>
#include <cstdint>

#include "virtual_board/device.hpp"

namespace mcuota::board {

/// The DMA's way to memory and peripherals. Returns false when nothing answers at the address (transfer
/// error).
class DmaPort {
  public:
    virtual ~DmaPort() = default;
    virtual bool dma_read(std::uint32_t address, unsigned size_bytes, std::uint32_t& value) = 0;
    virtual bool dma_write(std::uint32_t address, unsigned size_bytes, std::uint32_t value) = 0;
};

class Dma final : public Device {
  public:
    static constexpr unsigned kStreams = 8;
    enum Register : std::uint32_t { kLisr = 0, kHisr = 4, kLifcr = 8, kHifcr = 0xC };
    // Offsets inside a stream's block at 0x10 + 0x18 * n
    enum StreamRegister : std::uint32_t {
        kCr = 0,
        kNdtr = 4,
        kPar = 8,
        kM0ar = 0xC,
        kM1ar = 0x10,
        kFcr = 0x14
    };
    // CR bits
    static constexpr std::uint32_t kEn = 1u << 0, kDmeie = 1u << 1, kTeie = 1u << 2, kHtie = 1u << 3,
                                   kTcie = 1u << 4, kCirc = 1u << 8, kPinc = 1u << 9, kMinc = 1u << 10,
                                   kDbm = 1u << 18, kCt = 1u << 19;
    // Flags of one stream
    static constexpr std::uint32_t kFeif = 1u << 0, kTeif = 1u << 3, kHtif = 1u << 4, kTcif = 1u << 5;

    explicit Dma(DmaPort& port) : port_(port) {}

    [[nodiscard]] std::uint32_t peek(std::uint32_t offset) const override;
    void write(std::uint32_t offset, std::uint32_t value) override;
    void reset() override;
    [[nodiscard]] bool status_register(std::uint32_t offset) const override;
    [[nodiscard]] bool plain_read(std::uint32_t) const override { return true; }

    /// True when the stream is enabled for this channel and would serve a request in this direction.
    [[nodiscard]] bool ready(unsigned stream, unsigned channel, bool to_memory) const noexcept;
    /// Moves one item. Only when ready().
    void serve(unsigned stream);
    [[nodiscard]] bool irq(unsigned stream) const noexcept;
    /// All interrupt lines, stream n at bit n.
    [[nodiscard]] std::uint8_t irqs() const noexcept {
        unsigned lines = 0;
        for (unsigned stream = 0; stream < kStreams; ++stream)
            if (streams_[stream].flags != 0 && irq(stream)) lines |= 1u << stream;
        return static_cast<std::uint8_t>(lines);
    }

    [[nodiscard]] static std::uint32_t offset_of(unsigned stream, StreamRegister reg) noexcept {
        return 0x10 + 0x18 * stream + reg;
    }

  private:
    struct Stream {
        std::uint32_t cr{0}, ndtr{0}, par{0}, m0ar{0}, m1ar{0}, fcr{0x21};
        std::uint32_t flags{0};
        std::uint32_t reload{0}, done{0};  ///< programmed item count, items moved of it
    };
    void enable(Stream& stream);

    DmaPort& port_;
    std::array<Stream, kStreams> streams_{};
};

}  // namespace mcuota::board
