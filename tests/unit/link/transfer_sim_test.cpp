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
