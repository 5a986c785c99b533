// Memories as the core sees them: flash programming from code, stalls, aliases, bit-bands.

#include <catch2/catch.hpp>

#include "tests/unit/board/thumb.hpp"

using namespace mcuota::board;
using namespace mcuota::board::test;

namespace {

constexpr std::uint32_t kKeyr = 0x4002'3C04, kSr = 0x4002'3C0C, kCr = 0x4002'3C10;

Thumb unlocked() {
    Thumb program;
    return program.poke(kKeyr, 0x4567'0123).poke(kKeyr, 0xCDEF'89AB);
}

}  // namespace

TEST_CASE("code programs words into flash and reads them back", "[board][cpu][flash]") {
    TestBoard bench;
    Thumb program = unlocked();
    program.poke(kCr, 0x201)
        .poke(0x0802'0000, 0xCAFE'F00D)
        .poke(0x0802'0004, 0x1234'5678)
        .wait_clear(kSr, 1u << 16);
    program.mov(0, 0x0802'0000).ldr(1, 0).ldr(2, 0, 4).mov(3, kScratch).str(1, 3).str(2, 3, 4);
    program.mov(0, kSr).ldr(1, 0).str(1, 3, 8).stop();
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(0) == 0xCAFE'F00D);
    CHECK(bench.result(1) == 0x1234'5678);
    CHECK(bench.result(2) == 0);
    CHECK(bench.word(0x0802'0004) == 0x1234'5678);
    CHECK(bench.board->flash().words_programmed() == 2);
}

TEST_CASE("stores against the rules leave their flag and the flash alone", "[board][cpu][flash]") {
    struct Row {
        const char* name;
        std::uint32_t cr;
        Thumb store;
        std::uint32_t flag;
    };
    Thumb byte, misaligned, plain;
    byte.mov(7, 0x0802'0000).mov(6, 0).strb(6, 7);
    misaligned.mov(7, 0x0802'0001).mov(6, 0).str(6, 7);
    plain.mov(7, 0x0802'0000).mov(6, 0).str(6, 7);
    const Row row = GENERATE_COPY(Row{"byte store at x32", 0x201, byte, 1u << 6},
                                  Row{"misaligned word", 0x201, misaligned, 1u << 5},
                                  Row{"no PG", 0x200, plain, 1u << 7});
    CAPTURE(row.name);
    TestBoard bench;
    Thumb program = unlocked();
    program.poke(kCr, row.cr);
    for (const std::uint16_t halfword : row.store.code())
        program.raw({halfword});
    program.nop().mov(0, kSr).ldr(1, 0).mov(3, kScratch).str(1, 3).stop();
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(0) == row.flag);
    CHECK(bench.word(0x0802'0000) == 0xFFFF'FFFF);
    CHECK(bench.word(0x0802'0004) == 0xFFFF'FFFF);
}

TEST_CASE("an erase from flash code stops the core for its whole length", "[board][cpu][flash]") {
    TestBoard bench;
    bench.flash_bytes[0x2'0000] = 0;
    bench.handler(15, Thumb().bump(kScratch).ret());
    Thumb program = unlocked();
    program.poke(kScratch, 0).poke(0xE000'E014, 15'999).poke(0xE000'E010, 7);
    program.poke(kCr, 0x202 | 5u << 3).poke(kCr, 0x10202 | 5u << 3).poke(kScratch + 4, 1).stop();
    bench.start(program);
    bench.run_for(995 * kMillisecond);
    CHECK(bench.result(0) <= 1);  // no SysTick handler during the stall
    CHECK(bench.board->idle());
    CHECK(bench.flash_bytes[0x2'0000] == 0);
    bench.run_for(10 * kMillisecond);
    CHECK(bench.result(1) == 1);
    CHECK(bench.flash_bytes[0x2'0000] == 0xFF);
    CHECK(bench.result(0) >= 1);
    CHECK(bench.board->flash().erases().at(5) == 1);
}

TEST_CASE("code in RAM keeps running while flash is erased", "[board][cpu][flash]") {
    TestBoard bench;
    Thumb ram;  // counts while BSY
    ram.mov(0, kSr).mov(1, 1u << 16).mov(3, kScratch).mov(2, 0);
    const auto loop = ram.here();
    ram.add(2, 1).ldr(5, 0).tst(5, 1).bne(loop);
    ram.str(2, 3).ret();
    Thumb program = unlocked();
    std::vector<std::uint16_t> code = ram.code();
    code.resize((code.size() + 1) / 2 * 2, 0xBF00);
    for (std::size_t i = 0; i < code.size(); i += 2)
        program.poke(0x2000'2000 + static_cast<std::uint32_t>(2 * i),
                     code[i] | std::uint32_t{code[i + 1]} << 16);
    program.poke(kScratch, 0).poke(kScratch + 4, 0);
    program.poke(kCr, 0x202 | 11u << 3);
    // The routine in RAM is entered in the same block as the start of the erase.
    program.mov(4, 0x2000'2001)
        .mov(7, kCr)
        .mov(6, 0x10202 | 11u << 3)
        .str(6, 7)
        .raw({0x47A0})
        .poke(kScratch + 4, 1)
        .stop();
    bench.start(program);
    bench.run_for(900 * kMillisecond);
    CHECK(bench.board->flash().busy());
    CHECK(bench.board->pc() >= 0x2000'2000);
    bench.run_for(200 * kMillisecond);
    CHECK(bench.result(1) == 1);
    CHECK(bench.result(0) > 3);
}

TEST_CASE("code that was programmed over is executed in its new form", "[board][cpu][flash]") {
    TestBoard bench;
    // The routine returns 0xFF; then its constant is cleared to 0x0F.
    bench.put(0x0802'0000, Thumb().raw({0x20FF, 0x4770}));  // MOVS r0, #0xFF; BX LR
    Thumb program = unlocked();
    program.mov(4, 0x0802'0001).raw({0x47A0}).mov(3, kScratch).str(0, 3);  // BLX r4
    program.poke(kCr, 0x201).poke(0x0802'0000, 0x4770'200F).wait_clear(kSr, 1u << 16);
    program.mov(4, 0x0802'0001).raw({0x47A0}).mov(3, kScratch).str(0, 3, 4).stop();
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(0) == 0xFF);
    CHECK(bench.result(1) == 0x0F);
}

TEST_CASE("the second bank can be erased under the running first", "[board][cpu][flash]") {
    BoardConfig config;
    config.part = Part::dual_1mb;
    TestBoard bench(config);
    Thumb program = unlocked();
    program.poke(kCr, 0x202 | 0x17u << 3).poke(kCr, 0x10202 | 0x17u << 3).poke(kScratch, 1).stop();
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(0) == 1);
    CHECK(bench.board->flash().busy());
}

TEST_CASE("a wrong flash key is a bus error", "[board][cpu][flash]") {
    TestBoard bench;
    bench.handler(3, Thumb().poke(kScratch, 3).stop());
    bench.start(Thumb().poke(kScratch, 0).poke(kKeyr, 1).nop().stop());
    bench.run_for(kMillisecond);
    CHECK(bench.result(0) == 3);
}

TEST_CASE("bit-band aliases reach single bits of RAM and peripherals", "[board][cpu]") {
    TestBoard bench;
    Thumb program;
    program.poke(kScratch, 0x100);
    program.poke(0x2200'0000 + 0x1000 * 32 + 4 * 4, 1);                                 // bit 4 of kScratch
    program.mov(0, 0x2200'0000 + 0x1001 * 32).ldr(1, 0).mov(3, kScratch).str(1, 3, 4);  // bit 8
    program.poke(0x4200'0000 + 0x23830 * 32 + 5 * 4, 1);                                // AHB1ENR.GPIOF
    program.mov(0, 0x4002'3830).ldr(1, 0).str(1, 3, 8).stop();
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(0) == 0x110);
    CHECK(bench.result(1) == 1);
    CHECK(bench.result(2) == 0x0010'0020);
}

TEST_CASE("identification is where programs look for it", "[board][cpu]") {
    BoardConfig config;
    config.chip_id = {0x11, 0x22, 0x33, 0x44};
    TestBoard bench(config);
    Thumb program;
    program.mov(3, kScratch).mov(0, 0x1FFF'7A10).ldr(1, 0).str(1, 3);
    program.mov(0, 0x1FFF'7A20).ldr(1, 0).str(1, 3, 4);
    program.mov(0, 0xE004'2000).ldr(1, 0).str(1, 3, 8);
    program.mov(0, 0xE000'ED00).ldr(1, 0).str(1, 3, 12).stop();
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(0) == 0x4433'2211);
    CHECK(bench.result(1) >> 16 == 1024);
    CHECK((bench.result(2) & 0xFFF) == 0x419);
    CHECK(bench.result(3) == 0x410F'C241);
}

TEST_CASE("a peripheral without its clock reads zero, keeps nothing and is reported", "[board][cpu]") {
    TestBoard bench;
    Thumb program;
    program.mov(3, kScratch).poke(0x4002'1414, 0xFF).mov(0, 0x4002'1414).ldr(1, 0).str(1, 3);
    program.poke(0x4002'3830, 1u << 5 | 1u << 20).mov(0, 0x4002'1414).ldr(1, 0).str(1, 3, 4).stop();
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(0) == 0);
    CHECK(bench.result(1) == 0);
    REQUIRE(bench.warnings.size() == 1);
    CHECK(bench.warnings[0].find("0x40021400") != std::string::npos);
}
