// The USART against RM0090 §30 (fact sheet 5.1, 5.3).

#include <catch2/catch.hpp>
#include <vector>

#include "virtual_board/models/usart.hpp"

using namespace mcuota::board;
using U = Usart;

namespace {

struct Bench {
    explicit Bench(std::uint32_t brr = 729, std::uint32_t cr1 = U::kUe | U::kTe | U::kRe) {
        usart.write(U::kBrr, brr);
        usart.write(U::kCr1, cr1);
    }
    /// Lets everything happen that is due until `time`.
    void until(Time time) {
        while (usart.deadline() <= time) {
            clock.advance_to(usart.deadline());
            usart.advance();
        }
        clock.advance_to(time);
    }
    void after(Time time) { until(clock.now() + time); }
    std::uint32_t sr() const { return usart.peek(U::kSr); }

    Clock clock;
    std::vector<std::pair<std::uint8_t, Time>> sent;
    Usart usart{clock, [] { return std::uint64_t{84'000'000}; },
                [this](std::uint8_t byte) { sent.emplace_back(byte, clock.now()); }};
};

}  // namespace

TEST_CASE("a frame lasts as many bit times as its format has bits", "[board][usart]") {  // 5.1
    struct Row {
        const char* name;
        std::uint32_t brr, cr1, cr2;
        std::uint64_t baud;
        Time nanoseconds;
    };
    const Row row = GENERATE(
        Row{"115200 8N1", 729, 0, 0, 115'226, 86'785}, Row{"921600 8N1", 91, 0, 0, 923'076, 10'833},
        Row{"2M 8N1", 42, 0, 0, 2'000'000, 5'000}, Row{"2M 8E1", 42, U::kM | U::kPce, 0, 2'000'000, 5'500},
        Row{"2M 8N2", 42, 0, 2u << 12, 2'000'000, 5'500},
        Row{"2M OVER8", 42 * 2 & ~0xFu | 2, U::kOver8, 0, 2'000'000, 5'000});
    CAPTURE(row.name);
    Bench bench(row.brr, U::kUe | U::kTe | row.cr1);
    bench.usart.write(U::kCr2, row.cr2);
    CHECK(bench.usart.baud() == row.baud);
    CHECK(bench.usart.frame_time() / kNanosecond == row.nanoseconds);
}

TEST_CASE("bytes leave back to back; TXE means room, TC means all sent", "[board][usart]") {  // 5.1
    Bench bench;
    CHECK(bench.sr() == (U::kTxe | U::kTc));
    bench.usart.write(U::kDr, 'a');
    CHECK(bench.sr() == U::kTxe);  // moved to the shift register at once
    bench.usart.write(U::kDr, 'b');
    CHECK(bench.sr() == 0);
    const Time frame = bench.usart.frame_time();
    bench.until(frame);
    CHECK(bench.sr() == U::kTxe);
    bench.until(2 * frame);
    CHECK(bench.sr() == (U::kTxe | U::kTc));
    REQUIRE(bench.sent.size() == 2);
    CHECK(bench.sent[0] == std::pair<std::uint8_t, Time>{'a', frame});
    CHECK(bench.sent[1] == std::pair<std::uint8_t, Time>{'b', 2 * frame});
}

TEST_CASE("TC is cleared by reading SR and writing DR, or by writing 0", "[board][usart]") {  // RM0090 30.6.1
    Bench bench;
    bench.usart.write(U::kSr, ~U::kTc);
    CHECK(bench.sr() == U::kTxe);
    bench.usart.write(U::kDr, 1);
    bench.after(kMillisecond);
    CHECK((bench.usart.read(U::kSr) & U::kTc) != 0);
    bench.usart.write(U::kDr, 2);
    CHECK((bench.sr() & U::kTc) == 0);
}

TEST_CASE("nothing is sent while the transmitter is off", "[board][usart]") {
    const std::uint32_t cr1 = GENERATE(0u, U::kUe | U::kRe, U::kTe);
    Bench bench(729, cr1);
    bench.usart.write(U::kDr, 'x');
    bench.after(kMillisecond);
    CHECK(bench.sent.empty());
}

TEST_CASE("a byte arrives one frame time after it starts; reading DR takes it", "[board][usart]") {
    Bench bench;
    bench.usart.receive({'q'});
    const Time frame = bench.usart.frame_time();
    bench.until(frame - 1);
    CHECK((bench.sr() & U::kRxne) == 0);
    bench.until(frame);
    CHECK((bench.sr() & U::kRxne) != 0);
    CHECK(bench.usart.read(U::kDr) == 'q');
    CHECK((bench.sr() & U::kRxne) == 0);
}

TEST_CASE("a byte that finds the data register full is lost and counted", "[board][usart]") {  // 5.1: no FIFO
    Bench bench;
    for (const char c : {'1', '2', '3'})
        bench.usart.receive({static_cast<std::uint8_t>(c)});
    bench.after(kMillisecond);
    CHECK((bench.usart.read(U::kSr) & (U::kRxne | U::kOre)) == (U::kRxne | U::kOre));
    CHECK(bench.usart.read(U::kDr) == '1');
    CHECK((bench.sr() & (U::kRxne | U::kOre)) == 0);
    CHECK(bench.usart.counters().overruns == 2);
}

TEST_CASE("error flags go by SR then DR, not by DR alone", "[board][usart]") {  // 5.1
    Bench bench;
    bench.usart.receive({0x55, true});
    bench.after(kMillisecond);
    CHECK((bench.sr() & (U::kFe | U::kIdle)) == (U::kFe | U::kIdle));
    (void)bench.usart.read(U::kDr);
    CHECK((bench.sr() & (U::kFe | U::kIdle)) == (U::kFe | U::kIdle));
    (void)bench.usart.read(U::kSr);
    (void)bench.usart.read(U::kDr);
    CHECK((bench.sr() & (U::kFe | U::kIdle)) == 0);
}

TEST_CASE("IDLE comes once, one frame after the last byte", "[board][usart]") {  // 5.3
    Bench bench;
    const Time frame = bench.usart.frame_time();
    for (int i = 0; i < 4; ++i)
        bench.usart.receive({'x'});
    bench.until(5 * frame - 1);
    CHECK((bench.sr() & U::kIdle) == 0);
    bench.until(5 * frame);
    CHECK((bench.sr() & U::kIdle) != 0);
    (void)bench.usart.read(U::kSr);
    (void)bench.usart.read(U::kDr);
    bench.after(100 * frame);
    CHECK((bench.sr() & U::kIdle) == 0);
}

TEST_CASE("interrupts follow their enable bits", "[board][usart]") {
    struct Row {
        std::uint32_t cr1, cr3;
        bool before, after_byte;
    };
    const Row row =
        GENERATE(Row{0, 0, false, false}, Row{U::kRxneie, 0, false, true}, Row{U::kTxeie, 0, true, true},
                 Row{U::kTcie, 0, true, true}, Row{U::kIdleie, 0, false, true},
                 Row{0, U::kEie | U::kDmar, false, true}, Row{0, U::kEie, false, false});
    Bench bench(729, U::kUe | U::kTe | U::kRe | row.cr1);
    bench.usart.write(U::kCr3, row.cr3);
    CHECK(bench.usart.irq() == row.before);
    bench.usart.receive({'x', true});
    bench.after(kMillisecond);
    CHECK(bench.usart.irq() == row.after_byte);
}

TEST_CASE("a reset forgets the transmitter but not what is on the line", "[board][usart]") {
    Bench bench;
    bench.usart.write(U::kDr, 'x');
    bench.usart.receive({'y'});
    bench.usart.reset();
    CHECK(bench.sr() == 0xC0);
    bench.after(kMillisecond);
    CHECK(bench.sent.empty());
    CHECK(bench.usart.counters().lost_receiver_off == 1);
}
