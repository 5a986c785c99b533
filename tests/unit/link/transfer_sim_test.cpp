// The machines of the gateway against the device's server over a simulated line: efficiency, loss, deafness,
// resets.
#include <catch2/catch.hpp>
#include <functional>
#include <iostream>

#include "mcu_flasher/link/connect.hpp"
#include "mcu_flasher/link/transfer.hpp"
#include "tests/unit/link/sim.hpp"

using namespace mcuota;
using namespace mcuota::flasher;
using sim::World;

namespace {

constexpr Micros kSecond = 1'000'000;

struct Run {
    bool done{false};
    double efficiency{0};  // payload byte times per line byte time
    TransferStats stats;
};

bool connect(World& world, Channel& channel, std::uint32_t baud) {
    ConnectMachine machine{{baud, 5'000, 0x1234'5678, false}};
    return world.run(machine, channel, 10 * kSecond) && !machine.failure();
}

Run transfer(World& world, Channel& channel, const sim::Bytes& envelope) {
    TransferMachine machine{envelope, sha256(envelope), {}};
    const Micros begin = world.now;
    Run out;
    out.done = world.run(machine, channel, 200 * kSecond) && !machine.failure();
    const double seconds = static_cast<double>(world.now - begin) / 1e6;
    out.efficiency = static_cast<double>(envelope.size()) * 10 / channel.baud() / seconds;
    out.stats = machine.stats();
    return out;
}

}  // namespace

TEST_CASE(
    "the line carries payload in at least 97 % of its byte times, 90 % with one damaged frame in a thousand",
    "[link][efficiency]") {
    struct Row {
        const char* name;
        std::uint32_t baud;
        double damage;
        double least;
    };
    const Row row =
        GENERATE(Row{"clean", 115'200, 0, 0.97}, Row{"clean", 921'600, 0, 0.97},
                 Row{"0.1 % damaged", 115'200, 0.001, 0.90}, Row{"0.1 % damaged", 921'600, 0.001, 0.90},
                 Row{"5 % damaged", 921'600, 0.05, 0.85});
    World world;
    world.target.program_us = 12'000;  // 4 KiB of a W25Q128
    world.target.erase_us = 150'000;   // 64 KiB of it
    Channel channel{0, kBaseBaud};
    REQUIRE(connect(world, channel, row.baud));
    CHECK(channel.baud() == row.baud);
    world.down.damage_rate = row.damage;
    world.up.damage_rate = row.damage;
    world.down.rng.seed(3);
    const sim::Bytes envelope = sim::random_bytes(890 * 1024 + 77, 5);
    const Run run = transfer(world, channel, envelope);
    std::cout << "link efficiency at " << row.baud << " baud, " << row.name << ": " << run.efficiency << " ("
              << run.stats.frames_resent << " of " << run.stats.frames_sent << " frames sent again)\n";
    REQUIRE(run.done);
    CHECK(run.efficiency >= row.least);
    CHECK(world.target.stored == envelope);
    CHECK(world.overruns == 0);
    CHECK((run.stats.frames_resent == 0) == (row.damage == 0));
}

TEST_CASE("a device deaf for as long as an erase takes loses no byte at any speed", "[link]") {
    const std::uint32_t baud = GENERATE(115'200U, 921'600U, 2'000'000U);
    World world;
    world.target.erase_us = 2'000'000;  // the data sheet's worst
    Channel channel{0, kBaseBaud};
    REQUIRE(connect(world, channel, baud));
    const sim::Bytes envelope = sim::random_bytes(200'000, 6);
    const Run run = transfer(world, channel, envelope);
    REQUIRE(run.done);
    CHECK(world.target.stored == envelope);
    CHECK(world.overruns == 0);
    CHECK(run.stats.frames_resent <= 12);  // three erases, a few probes each
}

TEST_CASE("a reset in the middle costs a new session, and what is held is not sent twice", "[link]") {
    World world;
    Channel channel{0, kBaseBaud};
    REQUIRE(connect(world, channel, 921'600));
    const sim::Bytes envelope = sim::random_bytes(300'000, 6);
    TransferMachine first{envelope, sha256(envelope), {}};
    bool cut = false;
    world.each_tick = [&] {
        if (cut || world.target.stored.size() < 150'000) return;
        cut = true;
        world.boot();
        world.server->send_boot(Status::held_in_loader);
    };
    REQUIRE(world.run(first, channel, 60 * kSecond));
    REQUIRE(first.failure());
    CHECK(first.failure()->kind == Failure::Kind::session_lost);

    REQUIRE(connect(world, channel, 921'600));
    TransferMachine second{envelope, sha256(envelope), {}};
    REQUIRE(world.run(second, channel, 60 * kSecond));
    CHECK_FALSE(second.failure());
    CHECK(second.stats().resumed_from >= 140'000);
    CHECK(second.stats().resumed_from % sim::FakeTarget::kUnit == 0);
    CHECK(second.stats().frames_sent <= (envelope.size() - second.stats().resumed_from) / 1024 + 1);
    CHECK(world.target.stored == envelope);
}

TEST_CASE("a device that holds other bytes under the package's name is told to start anew", "[link]") {
    World world;
    Channel channel{0, kBaseBaud};
    REQUIRE(connect(world, channel, kBaseBaud));
    const sim::Bytes envelope = sim::random_bytes(20'000, 6);
    world.target.package = sha256(envelope);
    world.target.total = static_cast<std::uint32_t>(envelope.size());
    world.target.stored.assign(8'192, 0xEE);
    const Run run = transfer(world, channel, envelope);
    REQUIRE(run.done);
    CHECK(run.stats.resumed_from == 0);
    CHECK(world.target.calls["offer"] == 2);
    CHECK(world.target.stored == envelope);
}

TEST_CASE("everything held already is only checked", "[link]") {
    World world;
    Channel channel{0, kBaseBaud};
    REQUIRE(connect(world, channel, kBaseBaud));
    const sim::Bytes envelope = sim::random_bytes(20'000, 6);
    REQUIRE(transfer(world, channel, envelope).done);
    const Run again = transfer(world, channel, envelope);
    REQUIRE(again.done);
    CHECK(again.stats.frames_sent == 0);
    CHECK(again.stats.bytes_acknowledged == envelope.size());
    CHECK(world.target.calls["finish"] == 2);
}

TEST_CASE("a refusal of the offer, the data or the check ends the transfer with the device's reason",
          "[link]") {
    struct Row {
        const char* call;
        Status status;
    };
    const Row row =
        GENERATE(Row{"offer", Status::payload_too_large}, Row{"finish", Status::signature_invalid},
                 Row{"write", Status::nor_verify_failed});
    World world;
    Channel channel{0, kBaseBaud};
    REQUIRE(connect(world, channel, kBaseBaud));
    if (row.call == std::string_view{"write"}) {
        world.target.fail_write_at = 5'000;
    } else {
        world.target.refusals[row.call] = row.status;
    }
    const sim::Bytes envelope = sim::random_bytes(20'000, 6);
    TransferMachine machine{envelope, sha256(envelope), {}};
    REQUIRE(world.run(machine, channel, 60 * kSecond));
    REQUIRE(machine.failure());
    CHECK(machine.failure()->kind == Failure::Kind::refused);
    CHECK(machine.failure()->status == row.status);
}

TEST_CASE("a device that falls silent in the middle ends the transfer within seconds", "[link]") {
    World world;
    Channel channel{0, kBaseBaud};
    REQUIRE(connect(world, channel, 921'600));
    const sim::Bytes envelope = sim::random_bytes(100'000, 6);
    TransferMachine machine{envelope, sha256(envelope), {}};
    world.each_tick = [&] { world.powered = world.target.stored.size() < 50'000; };
    const Micros begin = world.now;
    REQUIRE(world.run(machine, channel, 60 * kSecond));
    REQUIRE(machine.failure());
    CHECK(machine.failure()->kind == Failure::Kind::session_lost);
    CHECK(world.now - begin < 10 * kSecond);
}

TEST_CASE("any single lost acknowledgement or frame is made good", "[link]") {
    const std::uint32_t seed = GENERATE(range(1U, 25U));
    World world{GENERATE(std::size_t{1}, std::size_t{4}, std::size_t{24})};
    Channel channel{0, kBaseBaud};
    REQUIRE(connect(world, channel, 921'600));
    world.up.damage_rate = 0.3;
    world.up.rng.seed(seed);
    world.down.damage_rate = 0.2;
    world.down.rng.seed(seed + 100);
    const sim::Bytes envelope = sim::random_bytes(30'000, 6);
    const Run run = transfer(world, channel, envelope);
    REQUIRE(run.done);
    CHECK(world.target.stored == envelope);
}

TEST_CASE("a large package is given the time a slow device needs to read it back", "[link]") {
    World world;
    Channel channel{0, kBaseBaud};
    REQUIRE(connect(world, channel, kBaseBaud));
    const sim::Bytes envelope = sim::random_bytes(300'000, 6);
    TransferMachine machine{envelope, sha256(envelope), {}};
    Micros asked = 0;
    world.each_tick = [&] {
        if (machine.stage() != TransferMachine::Stage::finishing) return;
        if (asked == 0) asked = world.now;
        world.up.dead = world.now - asked < 13 * kSecond;
    };
    CHECK((world.run(machine, channel, 100 * kSecond) && !machine.failure()));
    CHECK(world.now - asked >= 13 * kSecond);
    CHECK(world.target.calls["finish"] == 1);
}
