// The SPI master against RM0090 §28 (fact sheet 6).

#include <catch2/catch.hpp>
#include <vector>

#include "virtual_board/models/spi.hpp"

using namespace mcuota::board;
using S = Spi;

namespace {

constexpr std::uint32_t kMaster = S::kMstr | S::kSsm | S::kSsi | S::kSpe;

struct Bench {
    void finish() {
        clock.advance_to(spi.deadline());
        spi.advance();
    }
    std::uint32_t sr() const { return spi.peek(S::kSr); }
    Clock clock;
    std::vector<std::uint8_t> out;
    Spi spi{clock, [] { return std::uint64_t{84'000'000}; },
            [this](std::uint8_t byte) {
                out.push_back(byte);
                return static_cast<std::uint8_t>(~byte);
            }};
};

}  // namespace

TEST_CASE("eight bits take eight clocks of the divided bus clock", "[board][spi]") {
    const std::uint32_t br = GENERATE(range(0u, 8u));
    Bench bench;
    bench.spi.write(S::kCr1, kMaster | br << 3);
    bench.spi.write(S::kDr, 0x5A);
    const Time expected = 8 * (std::uint64_t{2} << br) * kSecond / 84'000'000;
    CHECK(bench.spi.deadline() / kNanosecond == expected / kNanosecond);
}

TEST_CASE("a byte goes out while one comes in", "[board][spi]") {
    Bench bench;
    CHECK(bench.sr() == S::kTxe);
    bench.spi.write(S::kCr1, kMaster);
    bench.spi.write(S::kDr, 0xA5);
    CHECK(bench.sr() == (S::kTxe | S::kBsy));
    bench.spi.write(S::kDr, 0x01);
    CHECK(bench.sr() == S::kBsy);
    bench.finish();
    CHECK(bench.sr() == (S::kTxe | S::kRxne | S::kBsy));
    CHECK(bench.spi.read(S::kDr) == 0x5A);
    CHECK(bench.sr() == (S::kTxe | S::kBsy));
    bench.finish();
    CHECK(bench.sr() == (S::kTxe | S::kRxne));
    CHECK(bench.spi.read(S::kDr) == 0xFE);
    CHECK(bench.out == std::vector<std::uint8_t>{0xA5, 0x01});
}

TEST_CASE("an unread byte makes the next one an overrun, cleared by DR then SR", "[board][spi]") {
    Bench bench;
    bench.spi.write(S::kCr1, kMaster);
    for (int i = 0; i < 2; ++i) {
        bench.spi.write(S::kDr, 0x10u + static_cast<unsigned>(i));
        bench.finish();
    }
    CHECK((bench.sr() & S::kOvr) != 0);
    CHECK(bench.spi.read(S::kDr) == 0xEF);  // the first byte is kept
    (void)bench.spi.read(S::kSr);
    CHECK((bench.sr() & S::kOvr) == 0);
}

TEST_CASE("nothing is clocked out unless enabled as a master", "[board][spi]") {
    const std::uint32_t cr1 = GENERATE(0u, S::kMstr | S::kSsm | S::kSsi, S::kSpe | S::kSsm | S::kSsi);
    Bench bench;
    bench.spi.write(S::kCr1, cr1);
    bench.spi.write(S::kDr, 1);
    CHECK(bench.spi.deadline() == kNever);
}

TEST_CASE("software slave management with SSI low is a mode fault", "[board][spi]") {
    Bench bench;
    bench.spi.write(S::kCr1, S::kMstr | S::kSsm | S::kSpe);
    CHECK((bench.sr() & S::kModf) != 0);
    CHECK((bench.spi.peek(S::kCr1) & (S::kMstr | S::kSpe)) == 0);
}

TEST_CASE("DMA and interrupt requests follow TXE and RXNE", "[board][spi]") {
    Bench bench;
    bench.spi.write(S::kCr1, kMaster);
    CHECK_FALSE(bench.spi.dma_tx_request());
    bench.spi.write(S::kCr2, S::kTxdmaen | S::kRxdmaen | S::kRxneie);
    CHECK(bench.spi.dma_tx_request());
    CHECK_FALSE(bench.spi.dma_rx_request());
    bench.spi.write(S::kDr, 1);
    bench.finish();
    CHECK(bench.spi.dma_rx_request());
    CHECK(bench.spi.irq());
}
