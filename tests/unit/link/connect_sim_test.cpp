// Finding a device: speeds, silence, garbage, and following an installation through its resets.
#include <catch2/catch.hpp>
#include <functional>

#include "mcu_flasher/link/connect.hpp"
#include "mcu_flasher/link/follow.hpp"
#include "tests/unit/link/sim.hpp"

using namespace mcuota;
using namespace mcuota::flasher;
using sim::World;

namespace {
constexpr Micros kSecond = 1'000'000;
}

TEST_CASE("a device is found at the base speed, at the speed wanted, and moved to that", "[link][connect]") {
    const std::uint32_t device_baud = GENERATE(115'200U, 921'600U);
    const std::uint32_t wanted = GENERATE(115'200U, 921'600U);
    World world;
    Channel channel{0, kBaseBaud};
    if (device_baud != kBaseBaud) {  // left there by a gateway that went away
        ConnectMachine before{{device_baud, 5'000, 5, false}};
        REQUIRE(world.run(before, channel, 10 * kSecond));
        REQUIRE(world.device_baud == device_baud);
    }
    Channel fresh{0, kBaseBaud};
    world.host_baud = kBaseBaud;
    ConnectMachine machine{{wanted, 8'000, 77, false}};
    REQUIRE(world.run(machine, fresh, 20 * kSecond));
    CHECK_FALSE(machine.failure());
    CHECK(fresh.session().number != 0);
    CHECK(fresh.baud() == wanted);
    CHECK(world.device_baud == wanted);
    CHECK(world.host_baud == wanted);
}

TEST_CASE("a line that does not carry the speed wanted is used at the base speed", "[link][connect]") {
    World world;
    Channel channel{0, kBaseBaud};
    world.each_tick = [&] { world.down.dead = world.host_baud != 115'200; };
    ConnectMachine machine{{921'600, 8'000, 77, false}};
    REQUIRE(world.run(machine, channel, 20 * kSecond));
    CHECK_FALSE(machine.failure());
    CHECK(machine.speed_given_up());
    CHECK(channel.baud() == 115'200);
    CHECK(world.device_baud == 115'200);
    CHECK(channel.session().number != 0);
}

TEST_CASE("a speed the device refuses leaves the session at the base speed", "[link][connect]") {
    World world;
    Channel channel{0, kBaseBaud};
    ConnectMachine machine{{3'000'000, 8'000, 77, false}};
    REQUIRE(world.run(machine, channel, 20 * kSecond));
    CHECK_FALSE(machine.failure());
    CHECK(channel.baud() == 115'200);
}

TEST_CASE("silence, garbage and a working loader are told apart within the time allowed", "[link][connect]") {
    struct Row {
        const char* name;
        Failure::Kind kind;
    };
    const Row row = GENERATE(Row{"silent", Failure::Kind::silent}, Row{"garbled", Failure::Kind::garbled},
                             Row{"installing", Failure::Kind::installing});
    World world;
    world.powered = false;
    Channel channel{0, kBaseBaud};
    std::uint64_t ticks = 0;
    world.each_tick = [&] {
        if (++ticks % 500 != 0) return;
        if (row.kind == Failure::Kind::garbled)
            world.up.queue.insert(world.up.queue.end(), {'$', 'G', 'P', 0, 'S'});
        if (row.kind == Failure::Kind::installing) world.server->send_progress(4, link::Step::apply, 3);
    };
    ConnectMachine machine{{115'200, 2'000, 77, false}};
    const Micros begin = world.now;
    REQUIRE(world.run(machine, channel, 20 * kSecond));
    REQUIRE(machine.failure());
    INFO(row.name);
    CHECK(machine.failure()->kind == row.kind);
    CHECK(world.now - begin < 3 * kSecond);
}

TEST_CASE("an installation is followed through resets, progress and the trial to its outcome",
          "[link][follow]") {
    const Status end = GENERATE(Status::ok, Status::trial_not_confirmed, Status::vectors_invalid);
    World world;
    world.target.token = 42;
    world.target.outcomes = {{Status::in_progress, link::Step::apply, 50, {}},
                             {Status::in_progress, link::Step::trial, 0, {}},
                             {end, link::Step::trial, 100, {}}};
    world.target.identity_now.flash_kib = 1024;
    Channel channel{0, kBaseBaud};
    // Two seconds of work in which the loader hears nobody, one reset in the middle of a question.
    const Micros begin = world.now;
    bool second_boot = false;
    world.powered = false;
    std::uint64_t ticks = 0;
    bool trial_seen = false;
    FollowMachine machine{42, {30'000, 5}};
    world.each_tick = [&] {
        const Micros past = world.now - begin;
        if (++ticks % 2'000 == 0 && past < 2 * kSecond)
            world.server->send_progress(42, link::Step::apply, 10);
        if (past >= 2 * kSecond) world.powered = true;
        if (!second_boot && past >= 2'600'000) {
            second_boot = true;
            world.boot();
        }
        trial_seen = trial_seen || machine.step() == link::Step::trial;
    };
    REQUIRE(world.run(machine, channel, 60 * kSecond));
    CHECK_FALSE(machine.failure());
    CHECK(machine.outcome().status == end);
    CHECK(machine.identity().flash_kib == 1024);
    CHECK(trial_seen);
}

TEST_CASE("a device that says it started, and that its image is confirmed, is asked at once",
          "[link][follow]") {
    World world;
    world.target.token = 42;
    world.target.outcomes = {{Status::in_progress, link::Step::trial, 0, {}},
                             {Status::ok, link::Step::trial, 100, {}}};
    Channel channel{0, kBaseBaud};
    FollowMachine machine{42, {30'000, 5}};
    // The first hello is lost; the device starts 30 ms later and confirms itself 50 ms after the first
    // question.
    world.powered = false;
    const Micros begin = world.now;
    Micros asked = 0;
    bool confirmed = false;
    world.each_tick = [&] {
        if (!world.powered && world.now - begin >= 30'000) {
            world.powered = true;
            world.boot();
            world.server->send_boot(Status::ok);
        }
        if (asked == 0 && world.target.calls["outcome"] == 1) asked = world.now;
        if (!confirmed && asked != 0 && world.now - asked >= 50'000) {
            confirmed = true;
            world.server->send_progress(42, link::Step::trial, 100);
        }
    };
    REQUIRE(world.run(machine, channel, 60 * kSecond));
    CHECK(machine.outcome().status == Status::ok);
    CHECK(world.now - begin < 150'000);
}

TEST_CASE("an unknown token is an outcome, endless silence is none", "[link][follow]") {
    World world;
    Channel channel{0, kBaseBaud};
    FollowMachine unknown{7, {10'000, 5}};
    REQUIRE(world.run(unknown, channel, 60 * kSecond));
    CHECK_FALSE(unknown.failure());
    CHECK(unknown.outcome().status == Status::unknown_token);

    world.powered = false;
    FollowMachine silent{7, {10'000, 5}};
    const Micros begin = world.now;
    REQUIRE(world.run(silent, channel, 60 * kSecond));
    REQUIRE(silent.failure());
    CHECK(silent.failure()->kind == Failure::Kind::unproven);
    CHECK(world.now - begin < 11 * kSecond);
}
