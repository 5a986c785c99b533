// Whole device paths driven by code: console with DMA, NOR over SPI5, watchdog, backup registers, power.

#include <catch2/catch.hpp>

#include "tests/unit/board/thumb.hpp"

using namespace mcuota::board;
using namespace mcuota::board::test;

namespace {

constexpr std::uint32_t kUsart1 = 0x4001'1000, kSpi5 = 0x4001'5000, kGpioA = 0x4002'0000,
                        kGpioF = 0x4002'1400;

/// Clocks, pins and USART1 at 115200 from 16 MHz, 8N1.
Thumb with_console(std::uint32_t cr1_extra = 0, std::uint32_t cr3 = 0) {
    Thumb program;
    program.poke(0x4002'3830, 1u << 20 | 1u << 22 | 1u << 5 | 1).poke(0x4002'3844, 1u << 4 | 1u << 20);
    program.poke(kGpioA, 0xA800'0000 | 2u << 18 | 2u << 20).poke(kGpioA + 0x24, 7u << 4 | 7u << 8);
    program.poke(kUsart1 + 8, 139).poke(kUsart1 + 0x14, cr3).poke(kUsart1 + 0xC, 0x200C | cr1_extra);
    return program;
}

}  // namespace

TEST_CASE("polled echo answers every byte at line rate", "[board][cpu][usart]") {
    TestBoard bench;
    Thumb program = with_console();
    program.mov(0, kUsart1);
    const auto loop = program.here();
    program.wait_set(kUsart1, 1u << 5).ldr(1, 0, 4).str(1, 0, 4).b(loop);
    bench.start(program);
    bench.run_for(kMillisecond);
    const Time start = bench.board->now();
    for (const char c : std::string("hello, board"))
        bench.board->console_receive({static_cast<std::uint8_t>(c)});
    bench.run_for(20 * kMillisecond);
    CHECK(bench.sent == "hello, board");
    const Time frame = bench.board->console().frame_time();
    REQUIRE(bench.sent_at.size() == 12);
    CHECK(bench.sent_at.back() - start >= 13 * frame);
    CHECK(bench.sent_at.back() - start < 13 * frame + frame / 2);
}

TEST_CASE("an interrupt handler echoes while the thread sleeps", "[board][cpu][usart]") {
    TestBoard bench;
    Thumb handler;
    handler.mov(0, kUsart1).ldr(1, 0).ldr(1, 0, 4).str(1, 0, 4).ret();
    bench.handler(16 + 37, handler);
    Thumb program = with_console(1u << 5);
    program.poke(0xE000'E104, 1u << 5);
    const auto loop = program.here();
    program.wfi().b(loop);
    bench.start(program);
    bench.run_for(kMillisecond);
    const std::uint64_t before = bench.board->instructions();
    for (const char c : std::string("zzz"))
        bench.board->console_receive({static_cast<std::uint8_t>(c)});
    bench.run_for(kSecond);
    CHECK(bench.sent == "zzz");
    CHECK(bench.board->instructions() - before < 100);  // the rest of the second was slept
}

TEST_CASE("circular DMA collects bytes during a flash stall without loss", "[board][cpu][usart][dma]") {
    TestBoard bench;
    constexpr std::uint32_t kStream2 = 0x4002'6400 + 0x10 + 0x18 * 2;
    constexpr std::uint32_t kRing = 0x2000'3000;
    Thumb program = with_console(0, 1u << 6);
    program.poke(kStream2 + 8, kUsart1 + 4).poke(kStream2 + 0xC, kRing).poke(kStream2 + 4, 4096);
    program.poke(kStream2, 4u << 25 | 1u << 10 | 1u << 8 | 1);
    program.poke(0x4002'3C04, 0x4567'0123).poke(0x4002'3C04, 0xCDEF'89AB);
    program.poke(0x4002'3C10, 0x202 | 11u << 3)
        .poke(0x4002'3C10, 0x10202 | 11u << 3)
        .poke(kScratch, 1)
        .stop();
    bench.start(program);
    bench.run_for(10 * kMillisecond);
    REQUIRE(bench.board->flash().busy());
    for (unsigned i = 0; i < 2000; ++i)
        bench.board->console_receive({static_cast<std::uint8_t>(i * 7)});
    bench.run_for(kSecond);
    CHECK(bench.result(0) == 1);
    CHECK(bench.board->console().counters().overruns == 0);
    bool same = true;
    for (unsigned i = 0; i < 2000; ++i)
        same &= bench.board->sram()[kRing - 0x2000'0000 + i] == static_cast<std::uint8_t>(i * 7);
    CHECK(same);
}

TEST_CASE("the same bytes without DMA are overrun by the stall", "[board][cpu][usart]") {
    TestBoard bench;
    Thumb program = with_console();
    program.poke(0x4002'3C04, 0x4567'0123).poke(0x4002'3C04, 0xCDEF'89AB);
    program.poke(0x4002'3C10, 0x202 | 11u << 3).poke(0x4002'3C10, 0x10202 | 11u << 3).stop();
    bench.start(program);
    bench.run_for(10 * kMillisecond);
    for (unsigned i = 0; i < 100; ++i)
        bench.board->console_receive({static_cast<std::uint8_t>(i)});
    bench.run_for(100 * kMillisecond);
    CHECK(bench.board->console().counters().overruns == 99);
}

TEST_CASE("DMA sends a block and ends", "[board][cpu][usart][dma]") {
    TestBoard bench;
    constexpr std::uint32_t kStream7 = 0x4002'6400 + 0x10 + 0x18 * 7;
    Thumb program = with_console(0, 1u << 7);
    program.poke(0x2000'3000, 0x6C6C'6548).poke(0x2000'3004, 0x2121'216F);
    program.poke(kStream7 + 8, kUsart1 + 4).poke(kStream7 + 0xC, 0x2000'3000).poke(kStream7 + 4, 8);
    program.poke(kStream7, 4u << 25 | 1u << 10 | 1u << 6 | 1)
        .wait_set(0x4002'6404, 1u << 27)
        .wait_set(kUsart1, 1u << 6);
    program.poke(kScratch, 1).stop();
    bench.start(program);
    bench.run_for(5 * kMillisecond);
    CHECK(bench.sent == "Hello!!!");
    CHECK(bench.result(0) == 1);
}

TEST_CASE("without its pins a USART reaches nobody and the board says why", "[board][cpu][usart]") {
    TestBoard bench;
    Thumb program;
    program.poke(0x4002'3844, 1u << 4)
        .poke(kUsart1 + 8, 139)
        .poke(kUsart1 + 0xC, 0x200C)
        .poke(kUsart1 + 4, 'x')
        .stop();
    bench.start(program);
    bench.run_for(5 * kMillisecond);
    CHECK(bench.sent.empty());
    REQUIRE_FALSE(bench.warnings.empty());
    CHECK(bench.warnings[0].find("PA9") != std::string::npos);
}

namespace {

/// Pins and SPI5, then one command of the given bytes; the byte read with the last one is left in r4.
Thumb with_spi() {
    Thumb program = with_console();
    program.poke(kGpioF, 1u << 12 | 2u << 14 | 2u << 16 | 2u << 18).poke(kGpioF + 0x18, 1u << 6);
    program.poke(kGpioF + 0x20, 5u << 28).poke(kGpioF + 0x24, 0x55).poke(kSpi5, 1u << 2 | 3u << 8 | 1u << 6);
    return program;
}
Thumb& transfer(Thumb& program, std::initializer_list<unsigned> bytes) {
    program.poke(kGpioF + 0x18, 1u << 22);
    for (const unsigned byte : bytes) {
        program.wait_set(kSpi5 + 8, 2).mov(3, kSpi5).mov(2, byte).str(2, 3, 0xC).wait_set(kSpi5 + 8, 1);
        program.mov(3, kSpi5).ldr(4, 3, 0xC);
    }
    return program.poke(kGpioF + 0x18, 1u << 6);
}

}  // namespace

TEST_CASE("the NOR is read, programmed and erased over SPI5", "[board][cpu][nor]") {
    TestBoard bench;
    Thumb program = with_spi();
    transfer(program, {0x9F, 0}).mov(3, kScratch).str(4, 3);
    transfer(program, {0x06});
    transfer(program, {0x02, 0, 0x10, 0, 0x42});
    const auto wait = program.here();
    transfer(program, {0x05, 0}).mov(2, 1).tst(4, 2);
    // The branch back is out of reach of a conditional one.
    program.raw({0xD000}).b(wait);  // BEQ over the B
    transfer(program, {0x03, 0, 0x10, 0, 0}).mov(3, kScratch).str(4, 3, 4).stop();
    bench.start(program);
    bench.run_for(100 * kMillisecond);
    CHECK(bench.result(0) == 0xEF);
    CHECK(bench.result(1) == 0x42);
    CHECK(bench.nor_bytes[0x1000] == 0x42);
}

TEST_CASE("asking the busy NOR again and again is skipped, not executed, and ends on time",
          "[board][cpu][nor]") {
    const auto run = [](Time slice) {
        TestBoard bench;
        bench.handler(15, Thumb().bump(kScratch + 8).ret());
        Thumb program = with_spi();
        program.poke(kScratch, 0).poke(kScratch + 4, 0).poke(kScratch + 8, 0);
        program.poke(0xE000'E014, 1600 - 1).poke(0xE000'E018, 0).poke(0xE000'E010, 7);  // 0.1 ms at 16 MHz
        transfer(program, {0x06});
        transfer(program, {0x02, 0, 0x10, 0, 0x42});
        const auto wait = program.here();
        program.bump(kScratch);
        transfer(program, {0x05, 0}).mov(2, 1).tst(4, 2);
        program.raw({0xD000}).b(wait);
        program.bump(kScratch + 4).poke(0xE000'E010, 0).stop();
        bench.start(program);
        const Time begin = bench.board->now();
        while (bench.result(1) != 1 && bench.board->now() - begin < kSecond)
            bench.board->run(bench.board->now() + slice);
        bench.run_for(kMillisecond);
        return std::pair{bench.result(0), bench.result(2)};
    };
    const auto [polls, ticks] = run(10 * kMicrosecond);
    CHECK(polls < 20);  // more than a hundred would fit into the 0.7 ms
    CHECK(ticks >= 7);
    CHECK(ticks <= 8);
    CHECK(run(3 * kMillisecond) == std::pair{polls, ticks});
}

TEST_CASE("a wait for bytes that cross the SPI by DMA ends with the last of them, not at the next tick",
          "[board][cpu][nor][dma]") {
    const auto run = [](Time slice) {
        constexpr std::uint32_t kStream3 = 0x4002'6400 + 0x10 + 0x18 * 3, kStream4 = kStream3 + 0x18;
        constexpr std::uint32_t kBytes = 512;
        TestBoard bench;
        Thumb program = with_spi();
        program.poke(kScratch + 4, 0).poke(0xE000'EDFC, 1u << 24).poke(0xE000'1000, 1);
        program.poke(0xE000'E014, 16'000 - 1).poke(0xE000'E018, 0).poke(0xE000'E010, 5);  // 1 ms at 16 MHz
        program.poke(kStream3 + 8, kSpi5 + 0xC).poke(kStream3 + 0xC, 0x2000'3000).poke(kStream3 + 4, kBytes);
        program.poke(kStream4 + 8, kSpi5 + 0xC).poke(kStream4 + 0xC, 0x2000'4000).poke(kStream4 + 4, kBytes);
        program.poke(kStream3, 2u << 25 | 1u << 10 | 1).poke(kStream4, 2u << 25 | 1u << 10 | 1u << 6 | 1);
        program.mov(4, 0xE000'1004).mov(3, kScratch).ldr(1, 4);
        program.poke(kSpi5 + 4, 3).wait_set(0x4002'6400, 1u << 27);
        program.ldr(2, 4).str(1, 3, 8).str(2, 3, 12).poke(kScratch + 4, 1).stop();
        bench.start(program);
        const Time begin = bench.board->now();
        while (bench.result(1) != 1 && bench.board->now() - begin < kSecond)
            bench.board->run(bench.board->now() + slice);
        return bench.result(3) - bench.result(2);
    };
    const std::uint32_t cycles = run(10 * kMillisecond);
    CHECK(cycles >= 512 * 16);  // a byte takes 1 us at 8 MHz
    CHECK(cycles <= 512 * 16 + 100);
    CHECK(run(10 * kMicrosecond) == cycles);
}

TEST_CASE("an MCU reset does not stop the NOR's erase, a power cut tears it", "[board][cpu][nor]") {
    const bool cut = GENERATE(false, true);
    TestBoard bench;
    std::fill_n(bench.nor_bytes.begin(), 4096, std::uint8_t{0});
    Thumb program = with_spi();
    transfer(program, {0x06});
    transfer(program, {0x20, 0, 0, 0}).stop();
    bench.start(program);
    bench.run_for(5 * kMillisecond);
    REQUIRE(bench.board->nor().busy());
    bench.put(0x0800'0200, Thumb().stop());  // after the restart nothing is asked of the NOR
    const auto old_reset_handler = bench.word(0x0800'0004);
    (void)old_reset_handler;
    if (cut) {
        bench.board->power_off();
        CHECK_FALSE(bench.board->nor().busy());
    } else {
        bench.board->reset_pin();
        bench.run_for(kMillisecond);
        CHECK(bench.board->nor().busy());
        bench.run_for(50 * kMillisecond);
    }
    const auto erased = std::count(bench.nor_bytes.begin(), bench.nor_bytes.begin() + 4096, 0xFF);
    if (cut)
        CHECK(erased < 4096);
    else
        CHECK(erased == 4096);
}

TEST_CASE("the watchdog resets a hanging core, even in the middle of a flash stall", "[board][cpu][iwdg]") {
    const bool stall = GENERATE(false, true);
    TestBoard bench;
    Thumb program;
    program.mov(0, 0x4002'3874).ldr(1, 0).mov(3, kScratch).str(1, 3);
    program.poke(0x4000'3000, 0xCCCC)
        .poke(0x4000'3000, 0x5555)
        .poke(0x4000'3004, 0)
        .poke(0x4000'3008, 799);  // 100 ms
    program.wait_clear(0x4000'300C, 3).poke(0x4000'3000, 0xAAAA);
    if (stall) {
        program.poke(0x4002'3C04, 0x4567'0123).poke(0x4002'3C04, 0xCDEF'89AB);
        program.poke(0x4002'3C10, 0x202 | 11u << 3).poke(0x4002'3C10, 0x10202 | 11u << 3);
    }
    program.stop();
    bench.start(program);
    bench.run_for(90 * kMillisecond);
    CHECK(bench.causes.size() == 1);
    bench.run_for(15 * kMillisecond);
    REQUIRE(bench.causes.size() == 2);
    CHECK(bench.causes[1] == ResetCause::iwdg);
    CHECK(bench.result(0) == (0x0E00'0000u | 1u << 29));
}

TEST_CASE("backup registers outlive power with VBAT, and are lost without", "[board][cpu][backup]") {
    const bool vbat = GENERATE(true, false);
    TestBoard bench;
    Thumb program;
    program.mov(0, 0x4000'2850).ldr(1, 0).mov(3, kScratch).str(1, 3);
    program.poke(0x4002'3840, 1u << 28).poke(0x4000'7000, 0x100).poke(0x4000'2850, 0x600D'600D).stop();
    bench.start(program);
    bench.run_for(kMillisecond);
    CHECK(bench.result(0) == 0);
    bench.board->power_off(vbat);
    bench.board->power_on();
    bench.run_for(kMillisecond);
    CHECK(bench.result(0) == (vbat ? 0x600D'600D : 0));
}
