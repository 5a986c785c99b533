// Reset and clock control against RM0090 §6/7 (fact sheet 4).

#include <catch2/catch.hpp>

#include "virtual_board/models/rcc.hpp"

using namespace mcuota::board;

namespace {

struct Bench {
    void settle() {
        while (rcc.deadline() != kNever) {
            clock.advance_to(rcc.deadline());
            rcc.advance();
        }
    }
    Clock clock;
    bool backup_writable{true};
    int backup_resets{0};
    std::vector<std::pair<std::uint32_t, std::uint32_t>> resets;
    Rcc rcc{clock, 25'000'000, 32'000,
            Rcc::Hooks{{},
                       [this](std::uint32_t reg, std::uint32_t bits) { resets.emplace_back(reg, bits); },
                       [this] { ++backup_resets; },
                       [this] { return backup_writable; }}};
};

}  // namespace

TEST_CASE("after power-up the HSI runs and all power-up causes are set", "[board][rcc]") {
    Bench bench;
    CHECK(bench.rcc.peek(Rcc::kCr) == 0x83);
    CHECK(bench.rcc.peek(Rcc::kPllcfgr) == 0x2400'3010);
    CHECK(bench.rcc.peek(Rcc::kCsr) == 0x0E00'0000);
    CHECK(bench.rcc.hclk_hz() == 16'000'000);
}

TEST_CASE("reset causes come with the pin flag, add up, and RMVF clears them", "[board][rcc]") {
    Bench bench;
    bench.rcc.write(Rcc::kCsr, 1u << 24);
    CHECK(bench.rcc.peek(Rcc::kCsr) == 0);
    bench.rcc.note_reset(ResetCause::software);
    bench.rcc.reset();
    CHECK(bench.rcc.peek(Rcc::kCsr) == 0x1400'0000);
    bench.rcc.note_reset(ResetCause::iwdg);
    bench.rcc.reset();
    CHECK(bench.rcc.peek(Rcc::kCsr) == 0x3400'0000);
    CHECK(bench.rcc.cause_text() == "pin+software+iwdg");
    bench.rcc.note_reset(ResetCause::pin);
    bench.rcc.write(Rcc::kCsr, 1u << 24);
    CHECK(bench.rcc.cause_text() == "cleared");
}

TEST_CASE("ready bits follow the on bits after the start-up time", "[board][rcc]") {
    struct Row {
        std::uint32_t reg, on, ready;
    };
    const Row row = GENERATE(Row{Rcc::kCr, 1u << 16, 1u << 17}, Row{Rcc::kCr, 1u << 24, 1u << 25},
                             Row{Rcc::kCr, 1u << 26, 1u << 27}, Row{Rcc::kBdcr, 1, 2}, Row{Rcc::kCsr, 1, 2});
    Bench bench;
    bench.rcc.write(row.reg, bench.rcc.peek(row.reg) | row.on);
    CHECK((bench.rcc.peek(row.reg) & row.ready) == 0);
    bench.settle();
    CHECK((bench.rcc.peek(row.reg) & row.ready) != 0);
    bench.rcc.write(row.reg, bench.rcc.peek(row.reg) & ~row.on);
    CHECK((bench.rcc.peek(row.reg) & row.ready) == 0);
}

TEST_CASE("without a crystal HSERDY never comes", "[board][rcc]") {
    Clock clock;
    Rcc rcc(clock, 0, 32'000, {});
    rcc.write(Rcc::kCr, 1u << 16);
    CHECK(rcc.deadline() == kNever);
}

TEST_CASE("the PLL gives 168 and 180 MHz and the buses their share", "[board][rcc]") {
    struct Row {
        std::uint32_t m, n, cfgr;
        std::uint64_t hclk, pclk1, pclk2;
    };
    const Row row = GENERATE(Row{25, 336, 5u << 10 | 4u << 13, 168'000'000, 42'000'000, 84'000'000},
                             Row{25, 360, 5u << 10 | 4u << 13, 180'000'000, 45'000'000, 90'000'000},
                             Row{25, 336, 8u << 4, 84'000'000, 84'000'000, 84'000'000},
                             Row{25, 384, 12u << 4 | 4u << 10 | 7u << 13, 3'000'000, 1'500'000, 187'500});
    Bench bench;
    bench.rcc.write(Rcc::kCr, bench.rcc.peek(Rcc::kCr) | 1u << 16);
    bench.settle();
    bench.rcc.write(Rcc::kPllcfgr, row.m | row.n << 6 | 1u << 22);
    bench.rcc.write(Rcc::kCr, bench.rcc.peek(Rcc::kCr) | 1u << 24);
    bench.rcc.write(Rcc::kCfgr, row.cfgr | 2);
    CHECK((bench.rcc.peek(Rcc::kCfgr) & 0xC) == 0);  // not before the PLL is ready
    bench.settle();
    CHECK((bench.rcc.peek(Rcc::kCfgr) & 0xC) == 8);
    CHECK(bench.rcc.hclk_hz() == row.hclk);
    CHECK(bench.rcc.pclk1_hz() == row.pclk1);
    CHECK(bench.rcc.pclk2_hz() == row.pclk2);
    bench.rcc.write(Rcc::kPllcfgr, 0);  // the PLL runs: no change
    CHECK(bench.rcc.hclk_hz() == row.hclk);
    bench.rcc.write(Rcc::kCr, 1);  // the clock in use stays on
    CHECK(bench.rcc.hclk_hz() == row.hclk);
    bench.rcc.reset();
    CHECK(bench.rcc.hclk_hz() == 16'000'000);
}

TEST_CASE("peripheral resets are handed on once, on the rising bit", "[board][rcc]") {
    Bench bench;
    bench.rcc.write(Rcc::kApb2rstr, 1u << 4);
    bench.rcc.write(Rcc::kApb2rstr, 1u << 4 | 1u << 20);
    bench.rcc.write(Rcc::kApb2rstr, 0);
    REQUIRE(bench.resets.size() == 2);
    CHECK(bench.resets[0] == std::pair<std::uint32_t, std::uint32_t>{Rcc::kApb2rstr, 1u << 4});
    CHECK(bench.resets[1] == std::pair<std::uint32_t, std::uint32_t>{Rcc::kApb2rstr, 1u << 20});
}

TEST_CASE("the backup domain reset needs DBP", "[board][rcc]") {
    Bench bench;
    bench.backup_writable = false;
    bench.rcc.write(Rcc::kBdcr, 1u << 16);
    CHECK(bench.backup_resets == 0);
    bench.backup_writable = true;
    bench.rcc.write(Rcc::kBdcr, 1u << 16);
    CHECK(bench.backup_resets == 1);
}
