// SysTick against ARMv7-M B3.3.

#include <catch2/catch.hpp>

#include "virtual_board/models/systick.hpp"

using namespace mcuota::board;
using S = SysTick;

namespace {

struct Bench {
    void finish() {
        clock.advance_to(tick.deadline());
        tick.advance();
    }
    Clock clock{168'000'000};
    int pends{0};
    SysTick tick{clock, [this] { ++pends; }};
};

}  // namespace

TEST_CASE("with LOAD = N - 1 SysTick fires every N cycles without drift", "[board][systick]") {
    struct Row {
        std::uint32_t ctrl;
        Time period;
    };
    const Row row = GENERATE(Row{S::kEnable | S::kTickint | S::kClksource, kMillisecond},
                             Row{S::kEnable | S::kTickint, 8 * kMillisecond});
    Bench bench;
    bench.tick.write(S::kLoad, 168'000 - 1);
    bench.tick.write(S::kVal, 0);
    bench.tick.write(S::kCtrl, row.ctrl);
    for (int i = 1; i <= 1000; ++i)
        bench.finish();
    CHECK(bench.pends == 1000);
    CHECK(bench.clock.now() == 1000 * row.period);
}

TEST_CASE("the counter counts down and COUNTFLAG reads once", "[board][systick]") {
    Bench bench;
    bench.tick.write(S::kLoad, 999);
    bench.tick.write(S::kCtrl, S::kEnable | S::kClksource);
    bench.clock.add_cycles(400);
    bench.clock.sync();
    CHECK(bench.tick.peek(S::kVal) >= 598);
    CHECK(bench.tick.peek(S::kVal) <= 600);
    bench.finish();
    CHECK(bench.pends == 0);  // TICKINT is off
    CHECK((bench.tick.read(S::kCtrl) & S::kCountflag) != 0);
    CHECK((bench.tick.read(S::kCtrl) & S::kCountflag) == 0);
}

TEST_CASE("a reload value of zero and a disabled counter do nothing", "[board][systick]") {
    Bench bench;
    bench.tick.write(S::kCtrl, S::kEnable | S::kTickint);
    CHECK(bench.tick.deadline() == kNever);
    bench.tick.write(S::kLoad, 10);
    CHECK(bench.tick.deadline() != kNever);
    bench.tick.write(S::kCtrl, 0);
    CHECK(bench.tick.deadline() == kNever);
}
