// Priorities, pend bits and fault escalation against ARMv7-M B1.5 and B3.

#include <catch2/catch.hpp>

#include "virtual_board/nvic.hpp"

using namespace mcuota::board;

namespace {

struct Bench {
    void enable(unsigned irq, std::uint8_t priority) {
        nvic.write(0x100 + irq / 32 * 4, 1u << irq % 32);
        const std::uint32_t offset = 0x400 + irq / 4 * 4;
        const unsigned shift = 8 * (irq % 4);
        nvic.write(offset, (nvic.peek(offset) & ~(0xFFu << shift)) | std::uint32_t{priority} << shift);
    }
    int resets{0};
    Nvic nvic{[this] { ++resets; }};
};

}  // namespace

TEST_CASE("the most urgent enabled exception is next; equal ones by number", "[board][nvic]") {
    Bench bench;
    bench.enable(37, 0x40);
    bench.enable(58, 0x20);
    bench.enable(71, 0x20);
    bench.nvic.set_line(10, true);  // not enabled
    CHECK_FALSE(bench.nvic.next({}));
    bench.nvic.set_line(37, true);
    CHECK(bench.nvic.next({}) == 16u + 37);
    bench.nvic.set_line(71, true);
    bench.nvic.set_line(58, true);
    CHECK(bench.nvic.next({}) == 16u + 58);
}

TEST_CASE("only a more urgent group preempts", "[board][nvic]") {
    struct Row {
        std::uint32_t prigroup;
        std::uint8_t running, pending;
        bool preempts;
    };
    const Row row = GENERATE(Row{3, 0x40, 0x30, true}, Row{3, 0x40, 0x40, false}, Row{3, 0x40, 0x50, false},
                             Row{5, 0x40, 0x50, false}, Row{5, 0x70, 0x40, false}, Row{5, 0x80, 0x70, true},
                             Row{7, 0x80, 0x00, false});
    Bench bench;
    bench.nvic.write(0xD0C, 0x05FA'0000 | row.prigroup << 8);
    bench.enable(1, row.running);
    bench.enable(2, row.pending);
    bench.nvic.enter(17);
    bench.nvic.set_line(2, true);
    CHECK(bench.nvic.next({}).has_value() == row.preempts);
    bench.nvic.leave(17);
    CHECK(bench.nvic.next({}) == 18u);
}

TEST_CASE("mask registers hold back what they should", "[board][nvic]") {
    struct Row {
        Masks masks;
        bool irq, nmi, wakes;
    };
    const Row row = GENERATE(Row{{}, true, true, true}, Row{{1, 0, 0}, false, true, true},
                             Row{{0, 0x20, 0}, false, true, false}, Row{{0, 0x40, 0}, false, true, false},
                             Row{{0, 0x50, 0}, true, true, true}, Row{{0, 0, 1}, false, true, false});
    Bench bench;
    bench.enable(5, 0x40);
    bench.nvic.set_line(5, true);
    CHECK(bench.nvic.next(row.masks).has_value() == row.irq);
    CHECK(bench.nvic.wakes(row.masks) == row.wakes);
    bench.nvic.write(0xD04, 1u << 31);
    CHECK(bench.nvic.next(row.masks).has_value() == row.nmi);
}

TEST_CASE("a level still high after the handler pends again, a pulse does not", "[board][nvic]") {
    Bench bench;
    bench.enable(37, 0);
    bench.nvic.set_line(37, true);
    bench.nvic.enter(53);
    CHECK_FALSE(bench.nvic.next({}));
    bench.nvic.leave(53);
    CHECK(bench.nvic.next({}) == 53u);
    bench.nvic.enter(53);
    bench.nvic.set_line(37, false);
    bench.nvic.leave(53);
    CHECK_FALSE(bench.nvic.next({}));
}

TEST_CASE("pend and clear bits work through ISPR, ICPR, STIR and ICSR", "[board][nvic]") {
    Bench bench;
    bench.enable(40, 0);
    bench.nvic.write(0x204, 1u << 8);
    CHECK(bench.nvic.next({}) == 56u);
    CHECK(bench.nvic.peek(0x204) == 1u << 8);
    CHECK((bench.nvic.peek(0xD04) >> 12 & 0x1FF) == 56);
    bench.nvic.write(0x284, 1u << 8);
    CHECK_FALSE(bench.nvic.next({}));
    bench.nvic.write(0xF00, 40);
    CHECK(bench.nvic.next({}) == 56u);
    bench.nvic.write(0x184, 1u << 8);  // disabled: stays pending, not taken
    CHECK_FALSE(bench.nvic.next({}));
    bench.nvic.write(0xD04, 1u << 28);
    CHECK(bench.nvic.next({}) == unsigned{kPendSv});
    bench.nvic.write(0xD04, 1u << 27);
    CHECK_FALSE(bench.nvic.next({}));
    bench.nvic.write(0xD04, 1u << 26);
    CHECK(bench.nvic.next({}) == unsigned{kSysTickException});
}

TEST_CASE("disabled or masked faults become HardFault, faults inside it lock up", "[board][nvic]") {
    Bench bench;
    CHECK(bench.nvic.fault(kUsageFault, Nvic::kUndefinstr, {}) == unsigned{kHardFault});
    CHECK((bench.nvic.hfsr() & Nvic::kHfsrForced) != 0);
    CHECK((bench.nvic.cfsr() & Nvic::kUndefinstr) != 0);
    bench.nvic.write(0xD24, 1u << 18);
    CHECK(bench.nvic.fault(kUsageFault, Nvic::kUndefinstr, {}) == unsigned{kUsageFault});
    CHECK(bench.nvic.fault(kUsageFault, 0, {1, 0, 0}) == unsigned{kHardFault});  // PRIMASK
    bench.nvic.enter(kHardFault);
    CHECK_FALSE(bench.nvic.fault(kUsageFault, Nvic::kUndefinstr, {}).has_value());
    bench.nvic.write(0xD28, ~0u);
    CHECK(bench.nvic.cfsr() == 0);
}

TEST_CASE("SYSRESETREQ needs the key", "[board][nvic]") {
    Bench bench;
    bench.nvic.write(0xD0C, 0x0000'0004);
    CHECK(bench.resets == 0);
    bench.nvic.write(0xD0C, 0x05FA'0004);
    CHECK(bench.resets == 1);
}

TEST_CASE("VTOR, CPUID and four priority bits", "[board][nvic]") {
    Bench bench;
    bench.nvic.write(0xD08, 0x0802'0000);
    CHECK(bench.nvic.vtor() == 0x0802'0000);
    CHECK(bench.nvic.peek(0xD00) == 0x410F'C241);
    bench.nvic.write(0x400, 0xFFFF'FFFF);
    CHECK(bench.nvic.peek(0x400) == 0xF0F0'F0F0);
    bench.nvic.write(0xD20, 0xF0E0'0000);
    CHECK(bench.nvic.peek(0xD20) == 0xF0E0'0000);
}
