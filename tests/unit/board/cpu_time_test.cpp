// Virtual time: determinism, sleeping, busy-waits, the cycle counter.

#include <catch2/catch.hpp>

#include "tests/unit/board/thumb.hpp"

using namespace mcuota::board;
using namespace mcuota::board::test;

namespace {

/// 168 MHz from the 25 MHz crystal.
Thumb at_168_mhz() {
    Thumb program;
    program.poke(0x4002'3C00, 5).poke(0x4002'3800, 0x83 | 1u << 16).wait_set(0x4002'3800, 1u << 17);
    program.poke(0x4002'3804, 25 | 336u << 6 | 1u << 22).poke(0x4002'3800, 0x83 | 1u << 16 | 1u << 24);
    program.wait_set(0x4002'3800, 1u << 25)
        .poke(0x4002'3808, 5u << 10 | 4u << 13 | 2)
        .wait_set(0x4002'3808, 8);
    return program;
}

}  // namespace

TEST_CASE("instructions take CPI cycles of the core clock", "[board][cpu][time]") {
    struct Row {
        std::uint32_t cpi_ticks;
        Time loop_time;  ///< of 1.68 million instructions at 168 MHz
    };
    const Row row =
        GENERATE(Row{1024, 10 * kMillisecond}, Row{1536, 15 * kMillisecond}, Row{2048, 20 * kMillisecond});
    BoardConfig config;
    config.cpi_ticks = row.cpi_ticks;
    TestBoard bench(config);
    Thumb program = at_168_mhz();
    program.poke(0xE000'EDFC, 1u << 24).poke(0xE000'1000, 1);
    program.mov(4, 0xE000'1004).mov(0, 840'000).ldr(5, 4);
    const auto loop = program.here();
    program.sub(0, 1).bne(loop);
    program.ldr(6, 4).mov(3, kScratch).str(5, 3).str(6, 3, 4).stop();
    bench.start(program);
    bench.run_for(kSecond);
    const std::uint32_t cycles = bench.result(1) - bench.result(0);
    const auto expected = static_cast<std::uint32_t>(row.loop_time / kMicrosecond * 168);
    CHECK(cycles >= expected - 10);
    CHECK(cycles <= expected + 40);  // the instructions around the loop
    CHECK(bench.board->clock().hz() == 168'000'000);
}

TEST_CASE("the same program gives the same run for any slice length", "[board][cpu][time]") {
    const auto run = [](Time slice) {
        TestBoard bench;
        bench.handler(15, Thumb().bump(kScratch + 4).ret());
        Thumb program = at_168_mhz();
        program.poke(kScratch, 0).poke(kScratch + 4, 0).poke(0xE000'E014, 20'000).poke(0xE000'E010, 7);
        const auto loop = program.here();
        program.bump(kScratch).b(loop);
        bench.start(program);
        const Time end = 30 * kMillisecond;
        while (bench.board->now() < end)
            bench.board->run(std::min(end, bench.board->now() + slice));
        return std::tuple{bench.result(0), bench.result(1), bench.board->instructions(),
                          bench.board->clock().ticks()};
    };
    const auto whole = run(kSecond);
    CHECK(run(kMillisecond) == whole);
    CHECK(run(17 * kMicrosecond) == whole);
}

TEST_CASE("WFI sleeps to the next interrupt and costs no instructions", "[board][cpu][time]") {
    TestBoard bench;
    bench.handler(15, Thumb().bump(kScratch).ret());
    Thumb program;
    program.poke(kScratch, 0).poke(0xE000'E014, 16'000 - 1).poke(0xE000'E010, 7);
    const auto loop = program.here();
    program.wfi().b(loop);
    bench.start(program);
    bench.run_for(10 * kSecond);
    CHECK(bench.result(0) >= 9'999);
    CHECK(bench.result(0) <= 10'000);
    CHECK(bench.board->instructions() < 150'000);
    CHECK(bench.board->sleeping());
    CHECK(bench.board->idle_time() > 9 * kSecond);
}

TEST_CASE("WFI wakes for a masked interrupt without taking it", "[board][cpu][time]") {
    TestBoard bench;
    bench.handler(15, Thumb().poke(kScratch + 4, 1).ret());
    Thumb program;
    program.poke(kScratch, 0).poke(kScratch + 4, 0).poke(0xE000'E014, 16'000 - 1).poke(0xE000'E010, 7);
    program.cpsid().wfi().poke(kScratch, 1).stop();
    bench.start(program);
    bench.run_for(5 * kMillisecond);
    CHECK(bench.result(0) == 1);
    CHECK(bench.result(1) == 0);
}

TEST_CASE("a wait for a status bit is skipped, not executed", "[board][cpu][time]") {
    TestBoard bench;
    Thumb program;
    program.poke(kScratch, 0).poke(0x4002'3870, 0).poke(0x4002'3840, 1u << 28).poke(0x4000'7000, 0x100);
    program.poke(0x4002'3870, 1).wait_set(0x4002'3870, 2).poke(kScratch, 1).stop();  // LSE: two seconds
    bench.start(program);
    bench.run_for(1'900 * kMillisecond);
    CHECK(bench.result(0) == 0);
    CHECK(bench.board->instructions() < 1'000);
    CHECK(bench.board->idle());
    bench.run_for(200 * kMillisecond);
    CHECK(bench.result(0) == 1);
}

TEST_CASE("a wait with a time-out of SysTick counts still times out on time", "[board][cpu][time]") {
    TestBoard bench;
    bench.handler(15, Thumb().bump(kScratch).ret());
    Thumb program;
    program.poke(kScratch, 0).poke(kScratch + 4, 0).poke(0xE000'E014, 16'000 - 1).poke(0xE000'E010, 7);
    program.poke(0x4002'3844, 1u << 4).mov(0, 0x4001'1000).mov(1, 1u << 5).mov(4, kScratch);
    const auto loop = program.here();
    // while (!(USART1->SR & RXNE) && ms < 50) {}
    program.ldr(5, 0).tst(5, 1).raw({0xD102}).ldr(6, 4).cmp(6, 50).raw({0xD300 | ((0x100 - 7) & 0xFF)});
    (void)loop;
    program.poke(kScratch + 4, 1).stop();
    bench.start(program);
    bench.run_for(49 * kMillisecond);
    CHECK(bench.result(1) == 0);
    bench.run_for(2 * kMillisecond);
    CHECK(bench.result(1) == 1);
}

TEST_CASE("a board without power lets time pass and does nothing", "[board][cpu][time]") {
    TestBoard bench;
    bench.run_for(kSecond);
    CHECK(bench.board->now() == kSecond);
    CHECK(bench.board->instructions() == 0);
    CHECK_FALSE(bench.board->powered());
}

TEST_CASE("too few wait states for the core clock are reported", "[board][cpu][time]") {
    TestBoard bench;
    Thumb program = at_168_mhz();
    program.stop();
    bench.start(program);
    bench.run_for(10 * kMillisecond);
    CHECK(bench.warnings.empty());
    TestBoard hasty;
    Thumb fast;
    fast.poke(0x4002'3800, 0x83 | 1u << 16).wait_set(0x4002'3800, 1u << 17);
    fast.poke(0x4002'3804, 25 | 336u << 6 | 1u << 22).poke(0x4002'3800, 0x83 | 1u << 16 | 1u << 24);
    fast.wait_set(0x4002'3800, 1u << 25).poke(0x4002'3808, 5u << 10 | 4u << 13 | 2).stop();
    hasty.start(fast);
    hasty.run_for(10 * kMillisecond);
    REQUIRE(hasty.warnings.size() == 1);
    CHECK(hasty.warnings[0].find("wait states") != std::string::npos);
}
