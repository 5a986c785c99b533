// Calls answered for the program: the same results at the same time as if they were executed.

#include <catch2/catch.hpp>

#include "tests/unit/board/thumb.hpp"

using namespace mcuota::board;
using namespace mcuota::board::test;

namespace {

constexpr std::uint32_t kFunction = 0x0800'4000;
constexpr std::uint32_t kTurns = 100'000, kInstructions = 2 * kTurns + 4, kAnswer = 77;
constexpr unsigned kCalls = 5;

struct Run {
    std::uint32_t sum, ticks, cycles;
    unsigned visits;
};

/// Calls a function that takes milliseconds several times in a row, with a SysTick of 20,000 cycles.
Run run(bool answered) {
    TestBoard bench;
    bench.handler(15, Thumb().bump(kScratch + 4).ret());
    Thumb function;
    function.mov(0, kTurns);
    const auto loop = function.here();
    function.sub(0, 1).bne(loop);
    function.raw({0x2000 | kAnswer}).ret();  // MOVS r0, #77
    bench.put(kFunction, function);
    Thumb program;
    program.poke(kScratch, 0).poke(kScratch + 4, 0).poke(0xE000'EDFC, 1u << 24).poke(0xE000'1000, 1);
    program.poke(0xE000'E014, 20'000 - 1).poke(0xE000'E018, 0).poke(0xE000'E010, 7);
    program.mov(4, kFunction | 1).mov(5, kScratch);
    for (unsigned call = 0; call < kCalls; ++call)
        program.raw({0x47A0}).ldr(1, 5).raw({0x1840}).str(0, 5);  // BLX r4; ADDS r0, r0, r1
    program.poke(0xE000'E010, 0).mov(3, 0xE000'1004).ldr(3, 3).str(3, 5, 8).stop();
    unsigned visits = 0;
    bench.board->watch_code(kFunction, [&] {
        ++visits;
        if (answered) bench.board->finish_call(kAnswer, kInstructions);
    });
    bench.start(program);
    while (bench.board->now() < kSecond)
        bench.board->run(bench.board->now() + kMillisecond);
    return {bench.result(0), bench.result(1), bench.result(2), visits};
}

}  // namespace

TEST_CASE("an answered call takes the time and the interrupts of an executed one, each time",
          "[board][cpu][time]") {
    const Run executed = run(false), answered = run(true);
    CHECK(executed.visits == kCalls);
    CHECK(answered.visits == kCalls);
    CHECK(executed.sum == kCalls * kAnswer);
    CHECK(answered.sum == kCalls * kAnswer);
    CHECK(executed.ticks > 50);
    CHECK(answered.ticks == executed.ticks);
    CHECK(answered.cycles >= executed.cycles - 20);
    CHECK(answered.cycles <= executed.cycles + 20);
}

TEST_CASE("a reset ends an answered call", "[board][cpu][time]") {
    TestBoard bench;
    bench.put(kFunction, Thumb().stop());
    Thumb program;
    program.bump(kScratch).mov(4, kFunction | 1).raw({0x47A0}).bump(kScratch + 4).stop();
    bench.board->watch_code(kFunction, [&] { bench.board->finish_call(0, 1'000'000'000); });
    bench.start(program);
    const std::uint32_t before = bench.result(0), after = bench.result(1);
    bench.run_for(10 * kMillisecond);
    CHECK(bench.result(0) == before + 1);
    bench.board->reset_pin();
    bench.run_for(10 * kMillisecond);
    CHECK(bench.result(0) == before + 2);
    CHECK(bench.result(1) == after);
}
