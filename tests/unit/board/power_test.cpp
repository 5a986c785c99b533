// Power cuts: where they strike, what they leave, and that every start reads torn cells anew.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <vector>

#include "tests/unit/board/thumb.hpp"
#include "virtual_board/models/torn_cells.hpp"
#include "virtual_board/power.hpp"

using namespace mcuota::board;
using mcuota::board::test::Thumb;
using Bytes = std::vector<std::uint8_t>;

namespace {

constexpr std::uint32_t kFlashRegs = 0x4002'3C00;
constexpr std::uint32_t kTarget = 0x0802'0000;

/// A board whose program unlocks the flash and programs `words` words of zeros at kTarget, then sleeps.
class ProgrammingBoard {
  public:
    explicit ProgrammingBoard(unsigned words, BoardHooks hooks = {}) {
        Thumb program;
        program.mov(0, kFlashRegs).mov(1, 0x4567'0123).str(1, 0, 4).mov(1, 0xCDEF'89AB).str(1, 0, 4);
        program.mov(1, 2u << 8 | 1).str(1, 0, 0x10).mov(2, kTarget).mov(3, 0).mov(4, words);
        const Thumb::Label loop = program.here();
        program.str(3, 2).add(2, 4).sub(4, 1).bne(loop);
        const Thumb::Label sleep = program.here();
        program.wfi().b(sleep);
        const std::uint32_t vectors[2] = {0x2000'1000, 0x0800'0101};
        std::memcpy(flash.data(), vectors, sizeof vectors);
        std::memcpy(flash.data() + 0x100, program.code().data(), 2 * program.code().size());
        board = std::make_unique<Board>(BoardConfig{}, flash, nor, backup, std::move(hooks));
    }
    [[nodiscard]] std::uint32_t word(unsigned index) const {
        std::uint32_t value = 0;
        std::memcpy(&value, flash.data() + 0x2'0000 + 4 * index, 4);
        return value;
    }

    Bytes flash = Bytes(1 << 20, 0xFF);
    Bytes nor = Bytes(W25q::kSizeBytes, 0xFF);
    BackupDomain backup;
    std::unique_ptr<Board> board;
};

}  // namespace

TEST_CASE("a cut before, inside and after an operation leaves it undone, torn and done", "[board][power]") {
    const CutMoment moment = GENERATE(CutMoment::before, CutMoment::inside, CutMoment::after);
    bool cut = false;
    BoardHooks hooks;
    hooks.power_cut = [&] { cut = true; };
    ProgrammingBoard bench(5, std::move(hooks));
    bench.board->set_cut_effects(Tear::looks_untouched, true);
    bench.board->plan_cut({CutPlan::Unit::operation, 2, moment});
    bench.board->power_on();
    bench.board->run(bench.board->now() + 100 * kMillisecond);
    CHECK(cut);
    CHECK_FALSE(bench.board->powered());
    CHECK(bench.board->operations() == 3);
    CHECK(bench.word(0) == 0);
    CHECK(bench.word(1) == 0);
    CHECK(bench.word(2) == (moment == CutMoment::after ? 0 : 0xFFFF'FFFF));
    CHECK(bench.word(3) == 0xFFFF'FFFF);
}

TEST_CASE("the hook decides the fate of each operation", "[board][power]") {
    std::vector<MemoryOperation> seen;
    BoardHooks hooks;
    hooks.operation = [&](const MemoryOperation& operation) {
        seen.push_back(operation);
        return operation.number == 3 ? Fate::cut_before : Fate::runs;
    };
    ProgrammingBoard bench(5, std::move(hooks));
    bench.board->power_on();
    bench.board->run(bench.board->now() + 100 * kMillisecond);
    REQUIRE(seen.size() == 4);
    CHECK(seen[3].kind == OperationKind::flash_program);
    CHECK(seen[3].address == kTarget + 12);
    CHECK(seen[3].size_bytes == 4);
    CHECK(seen[3].duration == 16 * kMicrosecond);
    CHECK(bench.word(2) == 0);
    CHECK(bench.word(3) == 0xFFFF'FFFF);
}

TEST_CASE("power goes at an instruction and at a time", "[board][power]") {
    ProgrammingBoard whole(5);
    whole.board->power_on();
    whole.board->run(whole.board->now() + 10 * kMillisecond);
    const std::uint64_t all = whole.board->instructions();

    ProgrammingBoard early(5);
    early.board->plan_cut({CutPlan::Unit::instruction, all / 2, CutMoment::inside});
    early.board->power_on();
    early.board->run(early.board->now() + 10 * kMillisecond);
    CHECK_FALSE(early.board->powered());
    CHECK(early.board->instructions() >= all / 2);
    CHECK(early.board->instructions() < all);

    ProgrammingBoard timed(5);
    timed.board->power_on();
    timed.board->plan_cut({CutPlan::Unit::time, timed.board->now() + 40 * kMicrosecond, CutMoment::inside});
    timed.board->run(timed.board->now() + 10 * kMillisecond);
    CHECK_FALSE(timed.board->powered());
    CHECK(timed.word(0) == 0);
    CHECK(timed.word(4) == 0xFFFF'FFFF);
}

TEST_CASE("RAM holds other garbage after each power-up, and a lost battery empties the backup registers",
          "[board][power]") {
    const bool vbat = GENERATE(false, true);
    ProgrammingBoard bench(1);
    bench.backup.registers[3] = 0x1234'5678;
    bench.board->set_cut_effects(Tear::mixed, vbat);
    bench.board->plan_cut({CutPlan::Unit::operation, 0, CutMoment::after});
    bench.board->power_on();
    const Bytes first(bench.board->sram().begin(), bench.board->sram().end());
    bench.board->run(bench.board->now() + 10 * kMillisecond);
    REQUIRE_FALSE(bench.board->powered());
    CHECK((bench.backup.registers[3] == 0x1234'5678) == vbat);
    bench.board->power_on();
    CHECK_FALSE(std::equal(first.begin(), first.end(), bench.board->sram().begin()));
}

TEST_CASE("torn cells stay within what the operation could have left", "[board][power]") {
    const Tear tear = GENERATE(Tear::mixed, Tear::partial, Tear::looks_done, Tear::looks_untouched);
    Random random{11};
    Bytes array(64, 0xF3);
    TornCells torn(array, random);
    const Bytes target(16, 0x31);
    torn.tear(8, target, tear);
    const auto within = [&] {
        for (std::size_t i = 0; i < array.size(); ++i) {
            const bool inside = i >= 8 && i < 24;
            if ((array[i] & 0x3D) != (0x31 & 0x3D) || (!inside && array[i] != 0xF3)) return false;
        }
        return true;
    };
    CHECK(within());
    const Bytes at_once = array;
    torn.started();
    CHECK(within());
    if (tear == Tear::looks_done) CHECK(array[8] == 0x31);
    if (tear == Tear::looks_untouched) CHECK(array[8] == 0xF3);
    if (tear == Tear::looks_done || tear == Tear::looks_untouched) CHECK(array == at_once);
    const Bytes before = array;
    bool read_differently = false;
    for (int start = 0; start < 20; ++start) {
        torn.started();
        CHECK(within());
        read_differently |= array != before;
    }
    CHECK(read_differently);
    // Zeros over anything settle it.
    torn.programmed(8, Bytes(16, 0x00));
    CHECK(torn.settled());
}

TEST_CASE("an erased sector that reads blank may be marginal until it is erased again", "[board][power]") {
    Random random{5};
    Bytes array(256, 0x00);
    TornCells torn(array, random);
    torn.tear_erase(0, 256, Tear::looks_done);
    torn.started();
    CHECK(std::count(array.begin(), array.end(), 0xFF) == 256);
    torn.started();
    CHECK(std::count(array.begin(), array.end(), 0xFF) < 256);
    CHECK_FALSE(torn.settled());
    std::fill(array.begin(), array.end(), std::uint8_t{0xFF});
    torn.erased(0, 256);
    CHECK(torn.settled());
    torn.started();
    CHECK(std::count(array.begin(), array.end(), 0xFF) == 256);
}

TEST_CASE("places and times of cuts are parsed, anything else is refused", "[board][power]") {
    const Outcome<CutPlan> inside = parse_cut_at("op:12");
    REQUIRE(inside);
    Outcome<CutPlan> before = parse_cut_at("op:7:before");
    REQUIRE(before);
    CHECK(before->at == 7);
    CHECK(before->moment == CutMoment::before);
    Outcome<CutPlan> instruction = parse_cut_at("insn:123456");
    REQUIRE(instruction);
    CHECK(instruction->unit == CutPlan::Unit::instruction);
    for (const char* bad : {"", "op:", "op:x", "op:1:", "op:1:never", "insn:", "insn:-1", "12"})
        CHECK_FALSE(parse_cut_at(bad));
    Outcome<Time> time = parse_time("1500us");
    REQUIRE(time);
    CHECK(*time == 1500 * kMicrosecond);
    for (const char* bad : {"", "15", "ms", "1.5ms", "99999999999999s", "5 ms"})
        CHECK_FALSE(parse_time(bad));
}
