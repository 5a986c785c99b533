// The independent watchdog against RM0090 §21 (fact sheet 7).

#include <catch2/catch.hpp>

#include "virtual_board/models/iwdg.hpp"

using namespace mcuota::board;

namespace {

struct Bench {
    void finish() {
        clock.advance_to(iwdg.deadline());
        iwdg.advance();
    }
    void configure(std::uint32_t pr, std::uint32_t rlr) {
        iwdg.write(Iwdg::kKr, 0xCCCC);
        iwdg.write(Iwdg::kKr, 0x5555);
        iwdg.write(Iwdg::kPr, pr);
        iwdg.write(Iwdg::kRlr, rlr);
        finish();
        iwdg.write(Iwdg::kKr, 0xAAAA);
    }
    Clock clock;
    bool lsi{false};
    int bites{0};
    std::uint64_t lsi_hz{32'000};
    Iwdg iwdg{clock, lsi_hz, [this] { return lsi; }, [this] { ++bites; }};
};

}  // namespace

TEST_CASE("the watchdog bites after 4 * 2^PR * (RLR + 1) LSI cycles", "[board][iwdg]") {
    struct Row {
        std::uint32_t pr, rlr;
        Time timeout;
    };
    const Row row =
        GENERATE(Row{0, 0xFFF, 512 * kMillisecond}, Row{6, 0xFFF, 32'768 * kMillisecond},
                 Row{7, 0xFFF, 32'768 * kMillisecond}, Row{4, 999, 2 * kSecond}, Row{3, 0, kMillisecond});
    Bench bench;
    bench.configure(row.pr, row.rlr);
    CHECK(bench.iwdg.deadline() == bench.clock.now() + row.timeout);
    CHECK(bench.bites == 0);
    bench.finish();
    CHECK(bench.bites == 1);
}

TEST_CASE("reloading in time keeps it quiet, other keys do not", "[board][iwdg]") {
    Bench bench;
    bench.configure(4, 999);
    bench.clock.advance_to(bench.clock.now() + kSecond);
    const Time before = bench.iwdg.deadline();
    bench.iwdg.write(Iwdg::kKr, 0x1234);
    CHECK(bench.iwdg.deadline() == before);
    bench.iwdg.write(Iwdg::kKr, 0xAAAA);
    CHECK(bench.iwdg.deadline() == bench.clock.now() + 2 * kSecond);
}

TEST_CASE("prescaler and reload value need the unlock key", "[board][iwdg]") {
    Bench bench;
    bench.iwdg.write(Iwdg::kPr, 5);
    bench.iwdg.write(Iwdg::kRlr, 5);
    CHECK(bench.iwdg.peek(Iwdg::kPr) == 0);
    CHECK(bench.iwdg.peek(Iwdg::kRlr) == 0xFFF);
    bench.iwdg.write(Iwdg::kKr, 0x5555);
    bench.iwdg.write(Iwdg::kPr, 5);
    CHECK(bench.iwdg.peek(Iwdg::kPr) == 5);
    bench.iwdg.write(Iwdg::kKr, 0xAAAA);  // locks again
    bench.iwdg.write(Iwdg::kRlr, 5);
    CHECK(bench.iwdg.peek(Iwdg::kRlr) == 0xFFF);
}

TEST_CASE("update flags stay until the LSI has clocked the value over", "[board][iwdg]") {
    Bench bench;
    bench.iwdg.write(Iwdg::kKr, 0x5555);
    bench.iwdg.write(Iwdg::kPr, 5);
    CHECK(bench.iwdg.peek(Iwdg::kSr) == Iwdg::kPvu);
    CHECK(bench.iwdg.deadline() == kNever);  // no LSI yet
    bench.iwdg.write(Iwdg::kKr, 0xCCCC);
    CHECK(bench.iwdg.deadline() == bench.clock.now() + 5 * kSecond / 32'000);
    bench.finish();
    CHECK(bench.iwdg.peek(Iwdg::kSr) == 0);
}

TEST_CASE("a reset stops it", "[board][iwdg]") {
    Bench bench;
    bench.configure(0, 100);
    bench.iwdg.reset();
    CHECK(bench.iwdg.deadline() == kNever);
    CHECK_FALSE(bench.iwdg.running());
}
