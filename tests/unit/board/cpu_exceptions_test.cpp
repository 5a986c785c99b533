// Exceptions on the running core (ARMv7-M B1.5): entry, return, nesting, masks, faults, lockup, resets.

#include <catch2/catch.hpp>

#include "tests/unit/board/thumb.hpp"

using namespace mcuota::board;
using namespace mcuota::board::test;

namespace {

constexpr std::uint32_t kIser0 = 0xE000'E100, kIspr0 = 0xE000'E200, kIcsr = 0xE000'ED04, kShcsr = 0xE000'ED24;
constexpr std::uint32_t kIpr0 = 0xE000'E400;

/// Handler: result[index] becomes the old result[0], and result[0] grows by one: an order of events.
Thumb stamp(unsigned index) {
    Thumb program;
    program.mov(3, kScratch).ldr(2, 3).add(2, 1).str(2, 3).str(2, 3, 4 * index).ret();
    return program;
}

}  // namespace

TEST_CASE("the core starts from the vector table of the boot alias", "[board][cpu]") {
    TestBoard bench;
    Thumb program;
    program.mov(3, kScratch).raw({0x466A}).str(2, 3).mov(2, 0x1234'5678).str(2, 3, 4).stop();  // MOV r2, SP
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(0) == kStackTop);
    CHECK(bench.result(1) == 0x1234'5678);
    CHECK(bench.causes == std::vector<ResetCause>{ResetCause::power});
}

TEST_CASE("SysTick interrupts at its rate", "[board][cpu]") {
    TestBoard bench;
    bench.handler(15, Thumb().bump(kScratch).ret());
    Thumb program;
    program.poke(kScratch, 0).poke(0xE000'E014, 16'000 - 1).poke(0xE000'E018, 0).poke(0xE000'E010, 7);
    bench.start(program.stop());
    bench.run_for(100 * kMillisecond + 500 * kMicrosecond);
    CHECK(bench.result(0) == 100);
}

TEST_CASE("an interrupt leaves every register and flag of the thread as it was", "[board][cpu]") {
    TestBoard bench;
    // The handler ruins what it may ruin.
    bench.handler(15,
                  Thumb().mov(0, 0xAAAA).mov(1, 0xBBBB).mov(2, 0xCCCC).bump(kScratch + 60).cmp(0, 0).ret());
    Thumb program;
    program.poke(kScratch + 60, 0).poke(0xE000'E014, 999).poke(0xE000'E010, 7);
    program.mov(0, 1'000'000).mov(1, 0).mov(4, kScratch);
    const auto loop = program.here();
    program.add(1, 3).sub(1, 2).sub(0, 1).bne(loop);
    program.str(1, 4).str(0, 4, 4).stop();
    bench.start(program);
    bench.run_for(2 * kSecond);
    CHECK(bench.result(0) == 1'000'000);
    CHECK(bench.result(1) == 0);
    CHECK(bench.result(15) > 100);
}

TEST_CASE("a more urgent interrupt preempts, a less urgent one waits", "[board][cpu]") {
    TestBoard bench;
    Thumb low;  // IRQ 1: pends the urgent IRQ 2 and the lazy IRQ 3, then stamps
    low.poke(kIspr0, 1u << 2 | 1u << 3).raw({0xF3BF, 0x8F4F, 0xF3BF, 0x8F6F});  // DSB, ISB
    low.mov(3, kScratch).ldr(2, 3).add(2, 1).str(2, 3).str(2, 3, 4).ret();
    bench.handler(17, low);
    bench.handler(18, stamp(2));
    bench.handler(19, stamp(3));
    Thumb program;
    program.poke(kScratch, 0).poke(kIpr0, 0xC0'40'80'00).poke(kIser0, 1u << 1 | 1u << 2 | 1u << 3);
    program.poke(kIspr0, 1u << 1).stop();
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(2) == 1);
    CHECK(bench.result(1) == 2);
    CHECK(bench.result(3) == 3);
    CHECK(bench.board->nvic().active_count() == 0);
}

TEST_CASE("PRIMASK and BASEPRI hold interrupts back until they open", "[board][cpu]") {
    const bool primask = GENERATE(true, false);
    TestBoard bench;
    bench.handler(17, stamp(1));
    Thumb program;
    program.poke(kScratch, 0).poke(kScratch + 4, 0).poke(kIpr0, 0x80u << 8).poke(kIser0, 2);
    if (primask) {
        program.cpsid();
    } else {
        program.mov(0, 0x80).msr(17, 0);
    }
    program.poke(kIspr0, 2).nop().nop().mov(3, kScratch).ldr(2, 3).str(2, 3, 8);
    if (primask) {
        program.cpsie();
    } else {
        program.mov(0, 0).msr(17, 0);
    }
    program.nop().mov(3, kScratch).ldr(2, 3).str(2, 3, 12).stop();
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(2) == 0);
    CHECK(bench.result(3) == 1);
}

TEST_CASE("SVC runs at once, PendSV when nothing else does", "[board][cpu]") {
    TestBoard bench;
    bench.handler(11, Thumb()
                          .poke(kIcsr, 1u << 28)
                          .nop()
                          .mov(3, kScratch)
                          .ldr(2, 3)
                          .add(2, 1)
                          .str(2, 3)
                          .str(2, 3, 4)
                          .ret());
    bench.handler(14, stamp(2));
    Thumb program;
    program.poke(kScratch, 0).svc(5).mov(3, kScratch).ldr(2, 3).add(2, 1).str(2, 3).str(2, 3, 12).stop();
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(1) == 1);
    CHECK(bench.result(2) == 2);
    CHECK(bench.result(3) == 3);
}

TEST_CASE("a thread on the process stack keeps it over an interrupt", "[board][cpu]") {
    TestBoard bench;
    Thumb handler;
    handler.raw({0x466A}).mov(3, kScratch).str(2, 3, 4).mrs(2, 9).str(2, 3, 8).mrs(2, 5).str(2, 3, 12).ret();
    bench.handler(11, handler);
    Thumb program;
    program.mov(0, 0x2000'8000).msr(9, 0).mov(0, 2).msr(20, 0).svc(0);
    program.raw({0x466A}).mov(3, kScratch).str(2, 3).stop();
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(0) == 0x2000'8000);       // the thread's SP afterwards
    CHECK(bench.result(1) == kStackTop);         // the handler ran on MSP
    CHECK(bench.result(2) == 0x2000'8000 - 32);  // the frame went to PSP
    CHECK(bench.result(3) == 11);
}

TEST_CASE("an odd word stack is aligned for the frame and restored", "[board][cpu]") {
    TestBoard bench;
    bench.handler(11, Thumb().raw({0x466A}).mov(3, kScratch).str(2, 3, 4).ret());
    Thumb program;
    program.raw({0xB401}).svc(0).raw({0x466A}).mov(3, kScratch).str(2, 3).stop();  // PUSH {r0}
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(1) == kStackTop - 4 - 36);
    CHECK(bench.result(0) == kStackTop - 4);
}

TEST_CASE("what the core cannot execute or reach ends in HardFault with the reason", "[board][cpu]") {
    struct Row {
        const char* name;
        Thumb program;
        std::uint32_t cfsr;
    };
    Thumb even, unmapped_read, unmapped_write, ccm, erased;
    even.mov(0, 0x0800'0200).raw({0x4700});
    unmapped_read.mov(0, 0x6000'0000).ldr(1, 0).nop().stop();
    unmapped_write.mov(0, 0x6000'0000).str(1, 0).nop().stop();
    ccm.mov(0, 0x1000'0001).raw({0x4700});
    erased.mov(0, 0x0808'0001).raw({0x4700});
    const Row row = GENERATE_COPY(Row{"undefined", Thumb().udf(), Nvic::kUndefinstr},
                                  Row{"branch to an even address", even, Nvic::kInvstate},
                                  Row{"read of nothing", unmapped_read, Nvic::kPreciserr | Nvic::kBfarvalid},
                                  Row{"write to nothing", unmapped_write, Nvic::kImpreciserr},
                                  Row{"code in CCM RAM", ccm, Nvic::kIaccviol},
                                  Row{"erased flash", erased, Nvic::kUndefinstr});
    CAPTURE(row.name);
    TestBoard bench;
    bench.handler(3, Thumb().bump(kScratch).stop());
    Thumb program;
    program.poke(kScratch, 0);
    for (const std::uint16_t halfword : row.program.code())
        program.raw({halfword});
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(0) == 1);
    CHECK(bench.board->nvic().cfsr() == row.cfsr);
    CHECK((bench.board->nvic().hfsr() & Nvic::kHfsrForced) != 0);
}

TEST_CASE("an enabled UsageFault is taken as such and can step over the instruction", "[board][cpu]") {
    TestBoard bench;
    // Adds 2 to the stacked PC.
    bench.handler(6, Thumb().raw({0x466A}).ldr(3, 2, 24).add(3, 2).str(3, 2, 24).ret());
    Thumb program;
    program.poke(kShcsr, 1u << 18).udf().poke(kScratch, 77).stop();
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(0) == 77);
}

TEST_CASE("a fault inside HardFault locks the core up until a reset", "[board][cpu]") {
    TestBoard bench;
    bench.handler(3, Thumb().udf());
    bench.start(Thumb().udf());
    bench.run_for(kMillisecond);
    CHECK(bench.board->locked_up());
    const std::uint64_t instructions = bench.board->instructions();
    bench.run_for(kMillisecond);
    CHECK(bench.board->instructions() == instructions);
    bench.board->reset_pin();
    bench.run_for(10 * kMicrosecond);
    CHECK(bench.causes.back() == ResetCause::pin);
}

TEST_CASE("erased flash locks up instead of crashing the board", "[board][cpu]") {
    TestBoard bench;
    bench.set_vector(0, 0xFFFF'FFFF);
    bench.board->power_on();
    bench.run_for(kMillisecond);
    CHECK(bench.board->locked_up());
    CHECK_FALSE(bench.warnings.empty());
}

TEST_CASE("a stack outside the RAM locks up on the first exception", "[board][cpu]") {
    TestBoard bench;
    bench.set_vector(0, 0x4000'0000);
    bench.handler(11, Thumb().ret());
    bench.start(Thumb().svc(0));
    bench.run_for(kMillisecond);
    CHECK(bench.board->locked_up());
}

TEST_CASE("a software reset keeps RAM and says so in RCC_CSR; power-up does neither", "[board][cpu]") {
    TestBoard bench;
    Thumb program;
    program.mov(0, kScratch).mov(1, 0x4002'3874).ldr(2, 1);  // CSR
    program.ldr(3, 0).mov(4, 0xFEED'BEEF).raw({0x42A3});     // CMP r3, r4
    Thumb again;
    again.str(2, 0, 4).stop();
    const auto skip = static_cast<unsigned>(0);
    (void)skip;
    program.raw({0xD000u | static_cast<unsigned>(2 + 10 - 2)});  // BEQ over the next 12 halfwords
    program.str(4, 0).str(2, 0, 8);
    program.mov(5, 0xE000'ED0C);
    program.mov(6, 0x05FA'0004);
    program.str(6, 5).nop();
    program.str(2, 0, 4).stop();
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(0) == 0xFEED'BEEF);
    CHECK(bench.result(2) == 0x0E00'0000);
    CHECK(bench.result(1) == 0x1E00'0000);
    CHECK(bench.causes == std::vector<ResetCause>{ResetCause::power, ResetCause::software});
    bench.board->power_off();
    bench.board->power_on();
    CHECK(bench.result(0) != 0xFEED'BEEF);
}

TEST_CASE("vector table and handlers move with VTOR", "[board][cpu]") {
    TestBoard bench;
    bench.put(0x0802'0400, stamp(1));
    bench.set_vector(11, 0x0802'0401, 0x0802'0000);
    Thumb program;
    program.poke(kScratch, 0).poke(0xE000'ED08, 0x0802'0000).svc(0).stop();
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(1) == 1);
}
