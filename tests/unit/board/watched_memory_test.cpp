// A memory that notices who looks into it: the loads of executed code, the host.

#include <catch2/catch.hpp>

#include "tests/unit/board/thumb.hpp"
#include "virtual_board/prove/watched_memory.hpp"

using namespace mcuota::board;
using namespace mcuota::board::test;

namespace {

constexpr std::uint32_t kUnit = 0x0802'0000, kUnitBytes = 0x2'0000, kBeside = 0x0804'0000;

/// Whether this program accesses the unit while it runs; it has run before, so everything is translated.
bool accesses(const Thumb& program) {
    TestBoard image;
    image.handler(1, program);
    WatchedMemory memory(image.flash_bytes);
    Board board({}, memory.bytes(), image.nor_bytes, image.backup, {});
    board.power_on();
    board.run(board.now() + kMillisecond);
    board.reset_pin();
    board.run(board.now() + 10 * kMicrosecond);
    REQUIRE(memory.watch(kUnit - kFlashBase, kUnitBytes));
    CHECK_FALSE(memory.accessed());
    board.run(board.now() + kMillisecond);
    return memory.accessed();
}

}  // namespace

TEST_CASE("a program that loads from a watched unit is noticed, any other is not", "[board][prove]") {
    struct Row {
        const char* what;
        Thumb program;
        bool noticed;
    };
    const auto load = [](std::uint32_t from) { return Thumb().mov(1, from).ldr(0, 1).stop(); };
    const Row rows[] = {{"first word", load(kUnit), true},
                        {"last word", load(kUnit + kUnitBytes - 4), true},
                        {"through the alias at 0", load(kUnit - kFlashBase), true},
                        {"word before", load(kUnit - 4), false},
                        {"word behind", load(kBeside), false},
                        {"nothing", Thumb().stop(), false}};
    for (const Row& row : rows) {
        CAPTURE(row.what);
        CHECK(accesses(row.program) == row.noticed);
    }
}

TEST_CASE("an access by the host is noticed unless the watch pauses, and reads what is there",
          "[board][prove]") {
    std::vector<std::uint8_t> content(4 * 4096, 0xFF);
    content[5000] = 7;
    WatchedMemory memory(content);
    const volatile std::uint8_t* bytes = memory.bytes().data();
    REQUIRE(memory.watch(4096, 4096));
    CHECK(bytes[4095] == 0xFF);
    CHECK(bytes[8192] == 0xFF);
    memory.pause();
    CHECK(bytes[5000] == 7);
    memory.resume();
    CHECK_FALSE(memory.accessed());
    CHECK(bytes[5000] == 7);
    CHECK(memory.accessed());
    REQUIRE(memory.watch(4096, 4096));  // anew
    CHECK_FALSE(memory.accessed());
    memory.bytes()[8191] = 9;
    CHECK(memory.accessed());
    CHECK(bytes[8191] == 9);
    memory.resume();  // too late
    CHECK(memory.accessed());
}
