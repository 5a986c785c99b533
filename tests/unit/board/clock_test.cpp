// The board's clock: exact conversions between cycles and virtual time.

#include <catch2/catch.hpp>

#include "virtual_board/clock.hpp"

using namespace mcuota::board;

TEST_CASE("a second of virtual time has as many cycles as the core frequency says", "[board][clock]") {
    for (const std::uint64_t hz : {16'000'000u, 25'000'000u, 168'000'000u, 180'000'000u}) {
        CAPTURE(hz);
        Clock clock(hz);
        clock.add_cycles(static_cast<std::uint32_t>(hz));
        clock.sync();
        CHECK(clock.now() == kSecond);
        CHECK(clock.cycles() == hz);
    }
}

TEST_CASE("moving the clock to a time never lands before it", "[board][clock]") {
    Clock clock(168'000'000);
    for (Time time = 1; time < kSecond; time = time * 7 + 13) {
        clock.advance_to(time);
        CHECK(clock.now() == time);
        CHECK(clock.time_at(clock.ticks()) >= time);
        CHECK(clock.time_at(clock.ticks()) - time < 6000);  // less than one cycle late
    }
}

TEST_CASE("a change of the core frequency does not touch time that has passed", "[board][clock]") {
    Clock clock(16'000'000);
    clock.add_cycles(16'000);
    clock.sync();
    REQUIRE(clock.now() == kMillisecond);
    clock.set_hz(168'000'000);
    CHECK(clock.now() == kMillisecond);
    clock.add_cycles(168'000);
    clock.sync();
    CHECK(clock.now() == 2 * kMillisecond);
}

TEST_CASE("fractional cycles per instruction add up exactly", "[board][clock]") {
    Clock clock(1'000'000, 1536);  // 1.5
    for (int i = 0; i < 1000; ++i)
        clock.count(1);
    CHECK(clock.cycles() == 1500);
}

TEST_CASE("an event that never comes stays out of reach", "[board][clock]") {
    const Clock clock(180'000'000);
    CHECK(clock.ticks_at(kNever) == kNever);
}
