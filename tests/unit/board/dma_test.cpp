// DMA streams against RM0090 §10 (fact sheet 5.2, 5.3).

#include <catch2/catch.hpp>
#include <map>

#include "virtual_board/models/dma.hpp"

using namespace mcuota::board;

namespace {

constexpr std::uint32_t kPeripheral = 0x4001'1004;
constexpr std::uint32_t kBuffer = 0x2000'0100;

struct Memory final : DmaPort {
    bool dma_read(std::uint32_t address, unsigned size_bytes, std::uint32_t& value) override {
        if (address >= 0x1000'0000 && address < 0x1001'0000) return false;  // CCM is not on the DMA's bus
        value = 0;
        if (address == kPeripheral) return value = next_input++, true;
        for (unsigned i = 0; i < size_bytes; ++i)
            value |= std::uint32_t{bytes[address + i]} << (8 * i);
        return true;
    }
    bool dma_write(std::uint32_t address, unsigned size_bytes, std::uint32_t value) override {
        if (address >= 0x1000'0000 && address < 0x1001'0000) return false;
        for (unsigned i = 0; i < size_bytes; ++i)
            bytes[address + i] = static_cast<std::uint8_t>(value >> (8 * i));
        if (address == kPeripheral) output.push_back(static_cast<std::uint8_t>(value));
        return true;
    }
    std::map<std::uint32_t, std::uint8_t> bytes;
    std::vector<std::uint8_t> output;
    std::uint32_t next_input{1};
};

struct Bench {
    void start(unsigned stream, std::uint32_t cr, std::uint32_t count,
               std::uint32_t memory_address = kBuffer) {
        dma.write(Dma::offset_of(stream, Dma::kPar), kPeripheral);
        dma.write(Dma::offset_of(stream, Dma::kM0ar), memory_address);
        dma.write(Dma::offset_of(stream, Dma::kNdtr), count);
        dma.write(Dma::offset_of(stream, Dma::kCr), cr | Dma::kEn);
    }
    std::uint32_t ndtr(unsigned stream) { return dma.peek(Dma::offset_of(stream, Dma::kNdtr)); }
    bool enabled(unsigned stream) { return dma.peek(Dma::offset_of(stream, Dma::kCr)) & Dma::kEn; }
    Memory memory;
    Dma dma{memory};
};

constexpr std::uint32_t kChannel4 = 4u << 25;

}  // namespace

TEST_CASE("a circular receive stream wraps and flags both halves", "[board][dma]") {  // 5.3
    Bench bench;
    bench.start(2, kChannel4 | Dma::kMinc | Dma::kCirc | Dma::kHtie | Dma::kTcie, 4);
    REQUIRE(bench.dma.ready(2, 4, true));
    CHECK_FALSE(bench.dma.ready(2, 5, true));   // another channel
    CHECK_FALSE(bench.dma.ready(2, 4, false));  // another direction
    CHECK_FALSE(bench.dma.ready(3, 4, true));   // not enabled
    bench.dma.serve(2);
    CHECK(bench.ndtr(2) == 3);
    CHECK_FALSE(bench.dma.irq(2));
    bench.dma.serve(2);
    CHECK(bench.dma.peek(Dma::kLisr) == Dma::kHtif << 16);
    CHECK(bench.dma.irq(2));
    bench.dma.write(Dma::kLifcr, Dma::kHtif << 16);
    CHECK_FALSE(bench.dma.irq(2));
    bench.dma.serve(2);
    bench.dma.serve(2);
    CHECK(bench.dma.peek(Dma::kLisr) == Dma::kTcif << 16);
    CHECK(bench.ndtr(2) == 4);
    CHECK(bench.enabled(2));
    bench.dma.serve(2);
    CHECK(bench.memory.bytes[kBuffer] == 5);
    CHECK(bench.memory.bytes[kBuffer + 3] == 4);
}

TEST_CASE("a transmit stream ends with TCIF and switches itself off", "[board][dma]") {  // 5.2
    Bench bench;
    for (std::uint32_t i = 0; i < 3; ++i)
        bench.memory.bytes[kBuffer + i] = static_cast<std::uint8_t>('a' + i);
    bench.start(7, kChannel4 | 1u << 6 | Dma::kMinc | Dma::kTcie, 3);
    while (bench.dma.ready(7, 4, false))
        bench.dma.serve(7);
    CHECK(bench.memory.output == std::vector<std::uint8_t>{'a', 'b', 'c'});
    CHECK(bench.dma.peek(Dma::kHisr) == (Dma::kTcif | Dma::kHtif) << 22);
    CHECK(bench.dma.irq(7));
    CHECK_FALSE(bench.enabled(7));
    CHECK(bench.ndtr(7) == 0);
}

TEST_CASE("flags of every stream sit at their own place", "[board][dma]") {  // 5.2
    const unsigned stream = GENERATE(range(0u, 8u));
    Bench bench;
    bench.start(stream, kChannel4, 1);
    bench.dma.serve(stream);
    static constexpr unsigned kShift[] = {0, 6, 16, 22};
    const std::uint32_t reg = stream < 4 ? Dma::kLisr : Dma::kHisr;
    CHECK((bench.dma.peek(reg) >> kShift[stream % 4] & 0x3D) == (Dma::kTcif | Dma::kHtif));
    CHECK(bench.dma.peek(reg == Dma::kLisr ? Dma::kHisr : Dma::kLisr) == 0);
    bench.dma.write(reg + 8, 0x3Du << kShift[stream % 4]);
    CHECK(bench.dma.peek(reg) == 0);
}

TEST_CASE("a stream does not start with old flags or without a count", "[board][dma]") {  // RM0090 10.3.17
    Bench bench;
    bench.start(2, kChannel4, 0);
    CHECK_FALSE(bench.enabled(2));
    bench.start(2, kChannel4, 1);
    bench.dma.serve(2);
    bench.start(2, kChannel4, 1);
    CHECK_FALSE(bench.enabled(2));
    bench.dma.write(Dma::kLifcr, 0x3Du << 16);
    bench.start(2, kChannel4, 1);
    CHECK(bench.enabled(2));
}

TEST_CASE("switching a stream off keeps the rest count and sets TCIF", "[board][dma]") {  // RM0090 10.3.17
    Bench bench;
    bench.start(2, kChannel4 | Dma::kMinc, 8);
    bench.dma.serve(2);
    bench.dma.write(Dma::offset_of(2, Dma::kCr), 0);
    CHECK_FALSE(bench.enabled(2));
    CHECK(bench.ndtr(2) == 7);
    CHECK(bench.dma.peek(Dma::kLisr) == Dma::kTcif << 16);
}

TEST_CASE("the CCM RAM is out of the DMA's reach", "[board][dma]") {  // fact sheet 1
    Bench bench;
    bench.start(2, kChannel4 | Dma::kMinc | Dma::kTeie, 4, 0x1000'0000);
    bench.dma.serve(2);
    CHECK(bench.dma.peek(Dma::kLisr) == Dma::kTeif << 16);
    CHECK(bench.dma.irq(2));
    CHECK_FALSE(bench.enabled(2));
}

TEST_CASE("memory to memory runs to its end at once", "[board][dma]") {
    Bench bench;
    for (std::uint32_t i = 0; i < 16; ++i)
        bench.memory.bytes[0x2000'0000 + i] = static_cast<std::uint8_t>(i);
    bench.dma.write(Dma::offset_of(0, Dma::kPar), 0x2000'0000);
    bench.dma.write(Dma::offset_of(0, Dma::kM0ar), kBuffer);
    bench.dma.write(Dma::offset_of(0, Dma::kNdtr), 4);
    bench.dma.write(Dma::offset_of(0, Dma::kFcr), 7);
    bench.dma.write(Dma::offset_of(0, Dma::kCr),
                    2u << 6 | 2u << 11 | 2u << 13 | Dma::kPinc | Dma::kMinc | Dma::kEn);
    CHECK(bench.memory.bytes[kBuffer + 15] == 15);
    CHECK_FALSE(bench.enabled(0));
}
