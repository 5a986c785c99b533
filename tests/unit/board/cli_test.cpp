// The command line: every option reaches its place, wrong ones are usage errors.

#include <catch2/catch.hpp>
#include <initializer_list>
#include <vector>

#include "virtual_board/cli.hpp"

using namespace mcuota::board;

namespace {

ParsedCommand parse(std::initializer_list<const char*> words) {
    std::vector<const char*> argv{"mcuota-board"};
    argv.insert(argv.end(), words.begin(), words.end());
    return parse_command_line(static_cast<int>(argv.size()), argv.data());
}

}  // namespace

TEST_CASE("options have their documented defaults", "[board][cli]") {
    const ParsedCommand command = parse({"run", "--flash", "f", "--nor", "n"});
    REQUIRE(command.options);
    const Options& options = *command.options;
    CHECK(options.board.part == Part::single_1mb);
    CHECK(options.board.hse_hz == 25'000'000);
    CHECK(options.board.lsi_hz == 32'000);
    CHECK(options.board.cpi_ticks == 1331);
    CHECK(options.runner.speed == Speed::real);
    CHECK(options.runner.idle_rate == 4);
    CHECK(options.runner.vbat);
    CHECK(options.backup == "f.bkp");
}

TEST_CASE("every option reaches its place", "[board][cli]") {
    const ParsedCommand command = parse({"run",
                                         "--flash",
                                         "f",
                                         "--nor",
                                         "n",
                                         "--load",
                                         "a.elf",
                                         "--load",
                                         "b.elf",
                                         "--uart",
                                         "tcp:0",
                                         "--control",
                                         "unix:c",
                                         "--part",
                                         "2MB",
                                         "--speed",
                                         "max",
                                         "--idle-rate",
                                         "9",
                                         "--seed",
                                         "77",
                                         "--cpi",
                                         "2",
                                         "--hse",
                                         "8000000",
                                         "--lsi",
                                         "40000",
                                         "--chip-id",
                                         "00112233445566778899aAbB",
                                         "--backup",
                                         "b",
                                         "--no-vbat",
                                         "--boot0",
                                         "0",
                                         "--trace",
                                         "t",
                                         "--json"});
    REQUIRE(command.options);
    const Options& options = *command.options;
    CHECK(options.load == std::vector<std::string>{"a.elf", "b.elf"});
    CHECK(options.uart == "tcp:0");
    CHECK(options.control == "unix:c");
    CHECK(options.board.part == Part::dual_2mb);
    CHECK(options.runner.speed == Speed::max);
    CHECK(options.runner.idle_rate == 9);
    CHECK(options.board.seed == 77);
    CHECK(options.board.cpi_ticks == 2048);
    CHECK(options.board.hse_hz == 8'000'000);
    CHECK(options.board.lsi_hz == 40'000);
    CHECK(options.board.chip_id[11] == 0xBB);
    CHECK(options.backup == "b");
    CHECK_FALSE(options.runner.vbat);
    CHECK(options.trace == "t");
    CHECK(options.json);
}

TEST_CASE("wrong command lines are usage errors", "[board][cli]") {
    const std::vector<const char*> extra = GENERATE(
        std::vector<const char*>{"--boot0", "1"}, std::vector<const char*>{"--boot0", "2"},
        std::vector<const char*>{"--part", "4MB"}, std::vector<const char*>{"--speed", "warp"},
        std::vector<const char*>{"--cpi", "0.5"}, std::vector<const char*>{"--cpi", "fast"},
        std::vector<const char*>{"--chip-id", "12"},
        std::vector<const char*>{"--chip-id", "zz112233445566778899aabb"},
        std::vector<const char*>{"--lsi", "1000"}, std::vector<const char*>{"--idle-rate", "0"},
        std::vector<const char*>{"--fault", "nor-busy:soon"},
        std::vector<const char*>{"--fault", "flash-erase:12"}, std::vector<const char*>{"--no-such-option"});
    std::vector<const char*> argv{"mcuota-board", "run", "--flash", "f", "--nor", "n"};
    argv.insert(argv.end(), extra.begin(), extra.end());
    const ParsedCommand command = parse_command_line(static_cast<int>(argv.size()), argv.data());
    CHECK_FALSE(command.options);
    CHECK(command.exit_code == 2);
}

TEST_CASE("faults may be several, and are looked up on the part that is fitted", "[board][cli]") {
    const ParsedCommand command = parse({"run", "--flash", "f", "--nor", "n", "--fault", "flash-erase:20",
                                         "--fault", "nor-busy:3", "--part", "2MB"});
    REQUIRE(command.options);
    REQUIRE(command.options->faults.size() == 2);
    CHECK(command.options->faults[0].at == 20);
    CHECK(command.options->faults[1].kind == Fault::Kind::nor_busy);
}

TEST_CASE("missing parts are usage errors, help is not", "[board][cli]") {
    CHECK(parse({}).exit_code == 2);
    CHECK(parse({"run"}).exit_code == 2);
    CHECK(parse({"run", "--flash", "f"}).exit_code == 2);
    CHECK(parse({"--help"}).exit_code == 0);
    CHECK_FALSE(parse({"--help"}).options);
}

TEST_CASE("cycles per instruction are taken exactly", "[board][cli]") {
    CHECK(*parse_cpi("1") == 1024);
    CHECK(*parse_cpi("1.25") == 1280);
    CHECK(*parse_cpi("1.3") == 1331);
    CHECK(*parse_cpi("8") == 8192);
    for (const char* wrong : {"", ".", "8.001", "1.2345", "1.2.3", "-1", "1e3", "99999999999999999999"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_cpi(wrong));
    }
}
