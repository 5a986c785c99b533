// Faults of the board's memories: their specifications, and what the models do with them.

#include <catch2/catch.hpp>
#include <vector>

#include "virtual_board/faults.hpp"
#include "virtual_board/models/flash_controller.hpp"
#include "virtual_board/models/w25q.hpp"

using namespace mcuota::board;
using Bytes = std::vector<std::uint8_t>;
using Kind = Fault::Kind;

namespace {

const FlashGeometry kGeometry(Part::single_1mb);

Outcome<Fault> parse(const std::string& text) {
    return parse_fault(text, kGeometry, W25q::kSizeBytes);
}

struct NorBench {
    NorBench() { nor.set_faults(&faults); }
    void add(const char* text) { faults.add(*parse(text)); }
    Bytes command(const Bytes& out, std::size_t read = 0) {
        nor.select(true);
        for (const std::uint8_t byte : out)
            nor.exchange(byte);
        Bytes in;
        for (std::size_t i = 0; i < read; ++i)
            in.push_back(nor.exchange(0xFF));
        nor.select(false);
        return in;
    }
    void settle() {
        if (nor.deadline() == kNever) return;
        clock.advance_to(nor.deadline());
        nor.advance();
    }
    /// Page 0x1000 gets these bytes.
    void program(const Bytes& data) {
        command({0x06});
        Bytes out{0x02, 0x00, 0x10, 0x00};
        out.insert(out.end(), data.begin(), data.end());
        command(out);
        settle();
    }
    void erase(std::uint8_t opcode) {
        command({0x06});
        command({opcode, 0x00, 0x00, 0x00});
        settle();
    }
    Bytes read(std::size_t count) { return command({0x03, 0x00, 0x10, 0x00}, count); }

    Clock clock;
    Random random{3};
    std::vector<std::uint8_t> array = std::vector<std::uint8_t>(W25q::kSizeBytes, 0xFF);
    Faults faults;
    W25q nor{clock, array, random};
};

struct FlashBench {
    FlashBench() : array(kGeometry.size_bytes(), 0xFF) {
        flash.set_faults(&faults);
        flash.write(FlashController::kKeyr, 0x4567'0123);
        flash.write(FlashController::kKeyr, 0xCDEF'89AB);
    }
    void settle() {
        clock.advance_to(flash.deadline());
        flash.advance();
    }
    Clock clock;
    Random random{7};
    std::vector<std::uint8_t> array;
    Faults faults;
    FlashController flash{clock, kGeometry, array, random, {}};
};

constexpr std::uint32_t kX32 = 2u << 8;

}  // namespace

TEST_CASE("a fault says what is broken and where", "[board][faults]") {
    struct Row {
        const char* text;
        Kind kind;
        std::uint32_t at;
        std::uint8_t mask;
        bool once;
        bool asleep{false};
    };
    const Row row = GENERATE(Row{"flash-program:0x08020010", Kind::flash_program, 0x0802'0010, 1, false},
                             Row{"flash-erase:5", Kind::flash_erase, 5, 1, false},
                             Row{"nor-id:C84018", Kind::nor_id, 0xC8'4018, 1, false},
                             Row{"nor-busy:0", Kind::nor_busy, 0, 1, false},
                             Row{"nor-busy:6:after-reset", Kind::nor_busy, 6, 1, false, true},
                             Row{"nor-read:4096", Kind::nor_read, 4096, 1, false},
                             Row{"nor-read:0x10:0x81", Kind::nor_read, 16, 0x81, false},
                             Row{"nor-read:7:once", Kind::nor_read, 7, 1, true},
                             Row{"nor-read:7:3:always", Kind::nor_read, 7, 3, false},
                             Row{"nor-worn:0xFFFFFF", Kind::nor_worn, 0xFF'FFFF, 1, false});
    CAPTURE(row.text);
    Outcome<Fault> fault = parse(row.text);
    REQUIRE(fault);
    CHECK(fault->kind == row.kind);
    CHECK(fault->at == row.at);
    CHECK(fault->mask == row.mask);
    CHECK(fault->once == row.once);
    CHECK(fault->asleep == row.asleep);
    CHECK(fault->text == row.text);
}

TEST_CASE("what is no fault is refused with what there is", "[board][faults]") {
    for (const char* text : {"",
                             "flash",
                             "flash-program",
                             "flash-program:",
                             "flash-program:here",
                             "flash-erase:5:6",
                             "nor-id:EF40",
                             "nor-id:EF40188",
                             "nor-id:EF401G",
                             "nor-busy:-1",
                             "nor-busy:9999999999",
                             "nor-busy:1:once",
                             "nor-busy:1:after-reset:2",
                             "nor-worn:0:after-reset",
                             "nor-read:0:0",
                             "nor-read:0:256",
                             "nor-read:0:twice",
                             "nor-read:0:1:once:more",
                             "nor-worn:0x",
                             "nor-worn:0:1",
                             "NOR-WORN:0"}) {
        CAPTURE(text);
        Outcome<Fault> fault = parse(text);
        REQUIRE_FALSE(fault);
        CHECK(fault.failure().next.find("nor-busy:N") != std::string::npos);
    }
    for (const char* text : {"flash-program:0x08100000", "flash-program:0x07FFFFFF", "flash-erase:12",
                             "nor-read:0x1000000", "nor-worn:0x1000000"}) {
        CAPTURE(text);
        Outcome<Fault> fault = parse(text);
        REQUIRE_FALSE(fault);
        CHECK(fault.failure().what.find("not on this board") != std::string::npos);
    }
}

TEST_CASE("a word that does not program keeps its bits and raises no flag", "[board][faults]") {
    FlashBench bench;
    bench.faults.add(*parse("flash-program:0x08020002"));
    bench.flash.write(FlashController::kCr, kX32 | FlashController::kPg);
    for (const std::uint32_t address : {0x0802'0000u, 0x0802'0004u}) {
        bench.flash.store(address, 0, 4);
        bench.settle();
    }
    CHECK(bench.array[0x20000] == 0xFF);
    CHECK(bench.array[0x20003] == 0xFF);
    CHECK(bench.array[0x20004] == 0);
    CHECK((bench.flash.peek(FlashController::kSr) & 0x1F2) == 0);
    CHECK(bench.faults.hits() == 1);
}

TEST_CASE("a sector that does not erase keeps its content, alone and in a mass erase", "[board][faults]") {
    FlashBench bench;
    bench.faults.add(*parse("flash-erase:5"));
    std::fill(bench.array.begin(), bench.array.end(), std::uint8_t{0x11});
    bench.flash.write(FlashController::kCr, kX32 | FlashController::kSer | 5u << 3 | FlashController::kStrt);
    bench.settle();
    CHECK(bench.array[0x20000] == 0x11);
    bench.flash.write(FlashController::kCr, kX32 | FlashController::kMer | FlashController::kStrt);
    bench.settle();
    CHECK(bench.array[0x1FFFF] == 0xFF);
    CHECK(bench.array[0x20000] == 0x11);
    CHECK(bench.array[0x3FFFF] == 0x11);
    CHECK(bench.array[0x40000] == 0xFF);
    CHECK(bench.faults.hits() == 2);
}

TEST_CASE("the NOR says another id until it is mended", "[board][faults]") {
    NorBench bench;
    bench.add("nor-id:C84017");
    CHECK(bench.command({0x9F}, 3) == Bytes{0xC8, 0x40, 0x17});
    bench.faults.clear();
    CHECK(bench.command({0x9F}, 3) == Bytes{0xEF, 0x40, 0x18});
}

TEST_CASE("the NOR hangs in the operation after the Nth, for ever", "[board][faults]") {
    NorBench bench;
    bench.add("nor-busy:1");
    bench.program({0x12});
    CHECK(bench.read(1) == Bytes{0x12});
    bench.program({0x00});
    CHECK((bench.command({0x05}, 1)[0] & 1) == 1);
    CHECK(bench.read(1) == Bytes{0xFF});
    // Neither a reset command nor the power helps.
    bench.command({0x66});
    bench.command({0x99});
    bench.settle();
    bench.nor.power_cut();
    CHECK((bench.command({0x05}, 1)[0] & 1) == 1);
    CHECK(bench.array[0x1000] == 0x12);
    bench.faults.clear();
    CHECK(bench.read(1) == Bytes{0x12});
}

TEST_CASE("the NOR's operations are counted from the next reset on when that is asked for",
          "[board][faults]") {
    NorBench bench;
    bench.add("nor-busy:1:after-reset");
    bench.program({0x72});
    bench.program({0x32});
    CHECK(bench.read(1) == Bytes{0x32});
    bench.faults.chip_reset();
    bench.program({0x12});
    CHECK(bench.read(1) == Bytes{0x12});
    bench.program({0x00});
    CHECK((bench.command({0x05}, 1)[0] & 1) == 1);
}

TEST_CASE("bits read inverted once or always", "[board][faults]") {
    NorBench bench;
    bench.add("nor-read:0x1001:0x80");
    bench.add("nor-read:0x1002:0x03:once");
    CHECK(bench.read(4) == Bytes{0xFF, 0x7F, 0xFC, 0xFF});
    CHECK(bench.read(4) == Bytes{0xFF, 0x7F, 0xFF, 0xFF});
    CHECK(bench.faults.hits() == 3);
}

TEST_CASE("a worn sector takes neither programs nor erases, its neighbours do", "[board][faults]") {
    NorBench bench;
    bench.program({0x55});
    bench.array[0x2000] = 0x55;
    bench.add("nor-worn:0x1ABC");
    bench.program({0x00});
    CHECK(bench.read(1) == Bytes{0x55});
    bench.erase(0xD8);
    CHECK(bench.read(1) == Bytes{0x55});
    CHECK(bench.array[0x2000] == 0xFF);
    CHECK(bench.nor.counters().erases_64k == 1);
}
