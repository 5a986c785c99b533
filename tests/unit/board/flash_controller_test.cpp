// The flash interface against RM0090 §3 (fact sheet 2.1-2.6).

#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <vector>

#include "virtual_board/models/flash_controller.hpp"

using namespace mcuota::board;
using F = FlashController;

namespace {

struct Bench {
    explicit Bench(Part part = Part::single_1mb) : geometry(part), array(geometry.size_bytes(), 0xFF) {
        F::Hooks hooks;
        hooks.bus_error = [this] { ++bus_errors; };
        hooks.content_changed = [this](std::uint32_t begin, std::uint32_t end) {
            changed.emplace_back(begin, end);
        };
        flash = std::make_unique<F>(clock, geometry, array, random, hooks);
    }
    void unlock() {
        flash->write(F::kKeyr, 0x4567'0123);
        flash->write(F::kKeyr, 0xCDEF'89AB);
    }
    void finish() {
        REQUIRE(flash->busy());
        clock.advance_to(flash->deadline());
        flash->advance();
    }
    std::uint32_t word(std::uint32_t address) const {
        std::uint32_t value = 0;
        std::memcpy(&value, array.data() + (address - kFlashBase), 4);
        return value;
    }
    std::uint32_t sr() const { return flash->peek(F::kSr); }

    FlashGeometry geometry;
    std::vector<std::uint8_t> array;
    Clock clock;
    Random random{7};
    std::unique_ptr<F> flash;
    int bus_errors{0};
    std::vector<std::pair<std::uint32_t, std::uint32_t>> changed;
};

constexpr std::uint32_t kX32 = 2u << 8;

}  // namespace

TEST_CASE("every part has the reference manual's sectors", "[board][flash]") {  // 2.1
    struct Row {
        Part part;
        unsigned snb;
        std::uint32_t begin, kib;
        unsigned bank;
    };
    const Row row = GENERATE(
        Row{Part::single_1mb, 0, 0x0800'0000, 16, 1}, Row{Part::single_1mb, 3, 0x0800'C000, 16, 1},
        Row{Part::single_1mb, 4, 0x0801'0000, 64, 1}, Row{Part::single_1mb, 5, 0x0802'0000, 128, 1},
        Row{Part::single_1mb, 11, 0x080E'0000, 128, 1}, Row{Part::dual_1mb, 7, 0x0806'0000, 128, 1},
        Row{Part::dual_1mb, 0x10, 0x0808'0000, 16, 2}, Row{Part::dual_1mb, 0x14, 0x0809'0000, 64, 2},
        Row{Part::dual_1mb, 0x17, 0x080E'0000, 128, 2}, Row{Part::dual_2mb, 11, 0x080E'0000, 128, 1},
        Row{Part::dual_2mb, 0x10, 0x0810'0000, 16, 2}, Row{Part::dual_2mb, 0x1B, 0x081E'0000, 128, 2});
    const FlashGeometry geometry(row.part);
    const Sector* sector = geometry.by_snb(row.snb);
    REQUIRE(sector);
    CHECK(sector->begin == row.begin);
    CHECK(sector->size_bytes == row.kib * 1024);
    CHECK(sector->bank == row.bank);
    CHECK(geometry.at(row.begin) == sector);
    CHECK(geometry.at(sector->end() - 1) == sector);
}

TEST_CASE("sector numbers a part does not have select nothing", "[board][flash]") {  // 2.1
    for (const unsigned snb : {0x0Cu, 0x0Fu, 0x10u, 0x1Bu})
        CHECK(FlashGeometry(Part::single_1mb).by_snb(snb) == nullptr);
    for (const unsigned snb : {8u, 11u, 0x18u})
        CHECK(FlashGeometry(Part::dual_1mb).by_snb(snb) == nullptr);
}

TEST_CASE("the control register opens with both keys in order, and only so", "[board][flash]") {  // 2.2
    Bench bench;
    CHECK(bench.flash->peek(F::kCr) == 0x8000'0000);
    bench.flash->write(F::kCr, F::kPg);
    CHECK(bench.flash->peek(F::kCr) == 0x8000'0000);
    bench.unlock();
    CHECK(bench.flash->peek(F::kCr) == 0);
    bench.flash->write(F::kCr, F::kLock);
    CHECK(bench.flash->peek(F::kCr) == F::kLock);
    bench.unlock();
    CHECK(bench.flash->peek(F::kCr) == 0);
}

TEST_CASE("a wrong key is a bus error and locks until the next reset", "[board][flash]") {  // 2.2
    const bool second = GENERATE(false, true);
    Bench bench;
    if (second) bench.flash->write(F::kKeyr, 0x4567'0123);
    bench.flash->write(F::kKeyr, 0xDEAD'BEEF);
    CHECK(bench.bus_errors == 1);
    bench.unlock();
    CHECK(bench.flash->peek(F::kCr) == F::kLock);
    bench.flash->reset();
    bench.unlock();
    CHECK(bench.flash->peek(F::kCr) == 0);
}

TEST_CASE("programming takes 16 microseconds and only clears bits", "[board][flash]") {  // 2.3, 2.4
    Bench bench;
    bench.unlock();
    bench.flash->write(F::kCr, F::kPg | kX32);
    bench.flash->store(0x0802'0000, 0xF0F0'1234, 4);
    CHECK((bench.sr() & F::kBsy) != 0);
    CHECK(bench.word(0x0802'0000) == 0xFFFF'FFFF);  // nothing before the end
    CHECK(bench.flash->deadline() == bench.clock.now() + 16 * kMicrosecond);
    bench.finish();
    CHECK(bench.sr() == 0);  // EOP only with EOPIE
    CHECK(bench.word(0x0802'0000) == 0xF0F0'1234);
    bench.flash->store(0x0802'0000, 0xFFFF'0030, 4);
    bench.finish();
    CHECK(bench.word(0x0802'0000) == 0xF0F0'0030);
    CHECK(bench.changed.size() == 2);
}

TEST_CASE("EOP is set, and interrupts, only when enabled", "[board][flash]") {  // 2.2
    Bench bench;
    bench.unlock();
    bench.flash->write(F::kCr, F::kPg | kX32 | F::kEopie);
    bench.flash->store(0x0802'0000, 0, 4);
    bench.finish();
    CHECK(bench.sr() == F::kEop);
    CHECK(bench.flash->irq());
    bench.flash->write(F::kSr, F::kEop);
    CHECK(bench.sr() == 0);
    CHECK_FALSE(bench.flash->irq());
}

TEST_CASE("a store against the rules raises its flag and writes nothing", "[board][flash]") {  // 2.3
    struct Row {
        const char* name;
        std::uint32_t cr;
        std::uint32_t address;
        unsigned size_bytes;
        std::uint32_t flag;
    };
    const Row row = GENERATE(Row{"no PG", kX32, 0x0802'0000, 4, F::kPgserr},
                             Row{"PG and SER", kX32 | F::kPg | F::kSer, 0x0802'0000, 4, F::kPgserr},
                             Row{"byte with x32", kX32 | F::kPg, 0x0802'0000, 1, F::kPgperr},
                             Row{"word with x8", F::kPg, 0x0802'0000, 4, F::kPgperr},
                             Row{"half-word with x32", kX32 | F::kPg, 0x0802'0000, 2, F::kPgperr},
                             Row{"x64 without VPP", 3u << 8 | F::kPg, 0x0802'0000, 4, F::kPgperr},
                             Row{"misaligned word", kX32 | F::kPg, 0x0802'0002, 4, F::kPgaerr},
                             Row{"misaligned half-word", 1u << 8 | F::kPg, 0x0802'0001, 2, F::kPgaerr});
    CAPTURE(row.name);
    Bench bench;
    bench.unlock();
    bench.flash->write(F::kCr, row.cr);
    bench.flash->store(row.address, 0, row.size_bytes);
    CHECK(bench.sr() == row.flag);
    CHECK_FALSE(bench.flash->busy());
    CHECK(bench.word(0x0802'0000) == 0xFFFF'FFFF);
    bench.flash->write(F::kSr, row.flag);
    CHECK(bench.sr() == 0);
}

TEST_CASE("a store while locked is a sequence error", "[board][flash]") {  // 2.3
    Bench bench;
    bench.flash->store(0x0802'0000, 0, 4);
    CHECK(bench.sr() == F::kPgserr);
}

TEST_CASE("erase times follow sector size and PSIZE", "[board][flash]") {  // 2.4
    struct Row {
        unsigned snb, psize, ms;
    };
    const Row row = GENERATE(Row{0, 0, 400}, Row{0, 1, 300}, Row{0, 2, 250}, Row{4, 0, 1200}, Row{4, 1, 700},
                             Row{4, 2, 550}, Row{5, 0, 2000}, Row{5, 1, 1300}, Row{11, 2, 1000});
    Bench bench;
    std::fill(bench.array.begin(), bench.array.end(), std::uint8_t{0});
    bench.unlock();
    bench.flash->write(F::kCr, F::kSer | row.snb << 3 | row.psize << 8);
    bench.flash->write(F::kCr, F::kSer | row.snb << 3 | row.psize << 8 | F::kStrt);
    CHECK(bench.flash->deadline() == row.ms * kMillisecond);
    bench.finish();
    const Sector* sector = bench.geometry.by_snb(row.snb);
    for (const Sector& other : bench.geometry.sectors()) {
        CHECK(bench.word(other.begin) == (&other == sector ? 0xFFFF'FFFF : 0));
        CHECK(bench.word(other.end() - 4) == (&other == sector ? 0xFFFF'FFFF : 0));
    }
    CHECK(bench.flash->erases().at(row.snb) == 1);
}

TEST_CASE("mass erase takes one bank or both", "[board][flash]") {  // 2.3
    struct Row {
        std::uint32_t bits;
        bool bank1, bank2;
    };
    const Row row =
        GENERATE(Row{F::kMer, true, false}, Row{F::kMer1, false, true}, Row{F::kMer | F::kMer1, true, true});
    Bench bench(Part::dual_2mb);
    std::fill(bench.array.begin(), bench.array.end(), std::uint8_t{0});
    bench.unlock();
    bench.flash->write(F::kCr, kX32 | row.bits | F::kStrt);
    CHECK(bench.flash->deadline() == 8 * kSecond);
    bench.finish();
    CHECK((bench.word(0x0800'0000) != 0) == row.bank1);
    CHECK((bench.word(0x0810'0000) != 0) == row.bank2);
}

TEST_CASE("contradicting and impossible erases change nothing", "[board][flash]") {  // 2.1, 2.3
    const std::uint32_t bits = GENERATE(F::kSer | F::kMer, F::kSer | 0x0Cu << 3, F::kSer | F::kPg);
    Bench bench;
    bench.array[0] = 0;
    bench.unlock();
    bench.flash->write(F::kCr, kX32 | bits | F::kStrt);
    CHECK_FALSE(bench.flash->busy());
    CHECK(bench.sr() == F::kPgserr);
}

TEST_CASE("the control register keeps its value while an operation runs", "[board][flash]") {  // 2.2
    Bench bench;
    bench.unlock();
    bench.flash->write(F::kCr, F::kPg | kX32);
    bench.flash->store(0x0802'0000, 0, 4);
    bench.flash->write(F::kCr, F::kSer | F::kStrt);
    CHECK(bench.flash->peek(F::kCr) == (F::kPg | kX32));
}

TEST_CASE("only the busy bank stalls", "[board][flash]") {  // 2.5
    struct Row {
        Part part;
        unsigned snb;
        std::uint32_t address;
        bool stalls;
    };
    const Row row =
        GENERATE(Row{Part::single_1mb, 11, 0x0800'0000, true}, Row{Part::dual_1mb, 0x17, 0x0800'0000, false},
                 Row{Part::dual_1mb, 0x17, 0x0808'0000, true}, Row{Part::dual_2mb, 5, 0x0810'0000, false},
                 Row{Part::dual_2mb, 5, 0x080E'0000, true}, Row{Part::single_1mb, 5, 0x2000'0000, false});
    Bench bench(row.part);
    bench.unlock();
    CHECK_FALSE(bench.flash->stalls(row.address));
    bench.flash->write(F::kCr, F::kSer | row.snb << 3 | kX32 | F::kStrt);
    CHECK(bench.flash->stalls(row.address) == row.stalls);
    bench.finish();
    CHECK_FALSE(bench.flash->stalls(row.address));
}

TEST_CASE("a cut program leaves something between old and new, a cut erase between old and erased",
          "[board][flash]") {  // 2.6
    Bench bench;
    bench.unlock();
    bench.flash->write(F::kCr, F::kPg | kX32);
    bench.flash->store(0x0802'0000, 0x0000'FFFF, 4);
    bench.flash->power_cut();
    CHECK_FALSE(bench.flash->busy());
    CHECK((bench.word(0x0802'0000) & 0xFFFF) == 0xFFFF);  // bits that stay 1 in old and new
    std::fill(bench.array.begin(), bench.array.end(), std::uint8_t{0x0F});
    bench.flash->write(F::kCr, F::kSer | 6u << 3 | kX32 | F::kStrt);
    bench.flash->reset();  // a reset cuts as well
    CHECK_FALSE(bench.flash->busy());
    bool mixed = false;
    for (std::uint32_t at = 0x4'0000; at < 0x6'0000; ++at) {
        REQUIRE((bench.array[at] & 0x0F) == 0x0F);
        mixed |= bench.array[at] != 0x0F && bench.array[at] != 0xFF;
    }
    CHECK(mixed);
    CHECK(bench.array[0x3'FFFF] == 0x0F);
    CHECK(bench.array[0x6'0000] == 0x0F);
}

TEST_CASE("option registers show the factory state and DB1M", "[board][flash]") {  // 3
    CHECK(Bench(Part::single_1mb).flash->peek(F::kOptcr) == 0x0FFF'AAED);
    CHECK(Bench(Part::dual_1mb).flash->peek(F::kOptcr) == 0x4FFF'AAED);
    CHECK(Bench(Part::dual_2mb).flash->peek(F::kOptcr1) == 0x0FFF'0000);
}
