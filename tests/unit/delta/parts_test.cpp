// Cover map, Thumb operands and range coder, each for itself.

#include <array>
#include <catch2/catch.hpp>

#include "mcu_flasher/package/delta/range_encoder.hpp"
#include "mcu_loader/core/delta/cover.hpp"
#include "mcu_loader/core/delta/range_decoder.hpp"
#include "tests/unit/delta/samples.hpp"

namespace mcuota::delta::test {

TEST_CASE("a place goes where the longest cover around it went, else where the nearest went", "[delta]") {
    //                       old   new  length
    const std::array<Cover, 5> covers{
        {{100, 0, 50}, {300, 50, 20}, {120, 70, 10}, {500, 80, 100}, {290, 180, 60}}};
    std::array<std::uint16_t, 5> order{};
    const CoverMap where(covers, order, 1000);
    struct Row {
        std::uint32_t old_pos, new_pos;
    };
    for (const Row row : {Row{100, 0}, Row{149, 49}, Row{125, 25}, Row{305, 195}, Row{292, 182},
                          Row{349, 239}, Row{550, 130}, Row{150, 100}, Row{700, 280}, Row{10, 10U - 100U}}) {
        INFO("old " << row.old_pos);
        CHECK(where.map(row.old_pos) == row.new_pos);
    }
    CHECK(CoverMap({}, {}, 100).map(77) == 77);
}

TEST_CASE("the cover map agrees with looking at every cover", "[delta]") {
    Random random(5);
    for (unsigned round = 0; round < 200; ++round) {
        std::vector<Cover> covers(1 + random() % 40);
        for (Cover& cover : covers)
            cover = {random() % 1000, random() % 1000, 1 + random() % 60};
        std::vector<std::uint16_t> order(covers.size());
        const CoverMap where(covers, order, 1000);
        for (unsigned n = 0; n < 50; ++n) {
            const std::uint32_t x = random() % 1100;
            const std::uint32_t moved = where.map(x) - x;
            const auto by = [&](const Cover& cover) { return cover.new_pos - cover.old_pos == moved; };
            CHECK(std::any_of(covers.begin(), covers.end(), by));
        }
    }
}

TEST_CASE("operands are taken apart as the ARM manual says", "[delta]") {
    using thumb::Form;
    struct Row {
        const char* text;
        std::uint32_t first, second;
        Form form;
        std::uint32_t target;  // from place 0x1002
    };
    // Encodings by arm-none-eabi-as, at 0x1002.
    for (const Row& row : {
             Row{"bl 0x1002", 0xF7FF, 0xFFFE, Form::call, 0x1002},
             Row{"bl 0x2006", 0xF001, 0xF800, Form::call, 0x2006},
             Row{"b.w 0x1102", 0xF000, 0xB87E, Form::call, 0x1102},
             Row{"beq.w 0x1102", 0xF000, 0x807E, Form::branch_wide, 0x1102},
             Row{"ldr.w r0, [pc, #16]", 0xF8DF, 0x0010, Form::load_wide, 0x1014},
             Row{"ldr r1, [pc, #8]", 0x4902, 0, Form::load, 0x100C},
             Row{"beq 0x1000", 0xD0FD, 0, Form::branch_short, 0x1000},
             Row{"b 0x1010", 0xE005, 0, Form::branch, 0x1010},
             Row{"cbz r3, 0x1046", 0xB303, 0, Form::compare_branch, 0x1046},
             Row{"svc 1", 0xDF01, 0, Form::none, 0},
             Row{"push {lr}", 0xB500, 0, Form::none, 0},
             Row{"mrs r0, primask", 0xF3EF, 0x8010, Form::none, 0},
             Row{"ldr.w r0, [r1]", 0xF8D1, 0x0000, Form::none, 0},
         }) {
        INFO(row.text);
        const Form form = thumb::classify(row.first, row.second, true);
        CHECK(form == row.form);
        if (form == Form::none) continue;
        CHECK(thumb::target(form, 0x1002, row.first, row.second) == row.target);
        // Put together again at another place it points where it is told to.
        std::uint32_t first = row.first, second = row.second;
        const std::uint32_t target = row.target + 0x20000;
        REQUIRE(thumb::retarget(form, 0x21002, target, first, second));
        CHECK(first == row.first);
        CHECK(second == row.second);
        REQUIRE(thumb::retarget(form, 0x21002 - 4, target, first, second));
        CHECK(thumb::target(form, 0x21002 - 4, first, second) == target);
        CHECK(thumb::classify(first, second, true) == form);
    }
}

TEST_CASE("an operand out of reach is left alone", "[delta]") {
    using thumb::Form;
    for (const auto& [form, first_in, second_in] :
         {std::tuple(Form::branch_wide, 0xF000U, 0x807EU), std::tuple(Form::load_wide, 0xF8DFU, 0x0010U),
          std::tuple(Form::load, 0x4902U, 0U), std::tuple(Form::branch_short, 0xD0FDU, 0U),
          std::tuple(Form::branch, 0xE005U, 0U), std::tuple(Form::compare_branch, 0xB303U, 0U)}) {
        std::uint32_t first = first_in, second = second_in;
        CHECK_FALSE(thumb::retarget(form, 0x1000, 0x4000000, first, second));
        CHECK(first == first_in);
        CHECK(second == second_in);
    }
}

TEST_CASE("calls reach every even offset of 25 bits", "[delta]") {
    Random random(8);
    for (unsigned n = 0; n < 2000; ++n) {
        const std::uint32_t place = 0x2000000 + (random() & 0xFFFFFEU);
        const std::uint32_t target = place + 4 - 0x1000000 + (random() & 0x1FFFFFEU);
        std::uint32_t first = 0xF000, second = 0xF800;
        REQUIRE(thumb::retarget(thumb::Form::call, place, target, first, second));
        CHECK(thumb::target(thumb::Form::call, place, first, second) == target);
        CHECK(thumb::is_call(first | second << 16));
    }
}

TEST_CASE("what the range encoder wrote the decoder reads, whatever the chances", "[delta]") {
    Random random(6);
    for (const std::uint32_t likely : {32U, 500U, 32768U, 65000U, 65504U}) {
        RangeEncoder encoder;
        std::vector<std::pair<Chance, bool>> told;
        for (unsigned n = 0; n < 20000; ++n) {
            const Chance chance = n % 3 == 0 ? 1 + random() % 65535 : likely;
            told.emplace_back(chance, (random() & 0xFFFFU) < chance);
            encoder.code(chance, told.back().second);
        }
        const Bytes stream = encoder.finish();
        package::MemorySource source(stream);
        RangeDecoder decoder(source, 0);
        bool same = true;
        for (const auto& [chance, bit] : told)
            same = same && decoder.code(chance, false) == bit;
        CHECK(same);
        CHECK(decoder.finished());

        Bytes shorter(stream.begin(), stream.end() - 1), longer = stream;
        longer.push_back(0);
        for (const Bytes& other : {shorter, longer}) {
            package::MemorySource other_source(other);
            RangeDecoder other_decoder(other_source, 0);
            for (const auto& [chance, bit] : told)
                static_cast<void>(other_decoder.code(chance, false));
            CHECK_FALSE(other_decoder.finished());
        }
    }
}

TEST_CASE("a bit that is always the same costs next to nothing, a fair one a bit", "[delta]") {
    RangeEncoder sure, fair;
    Bit always, tossed;
    Random random(2);
    for (unsigned n = 0; n < 100'000; ++n) {
        always.learn(sure.code(always.chance(), true));
        tossed.learn(fair.code(tossed.chance(), (random() & 1U) != 0));
    }
    CHECK(sure.finish().size() < 60);
    const std::size_t fair_bytes = fair.finish().size();
    CHECK(fair_bytes > 12400);
    CHECK(fair_bytes < 12900);
}

}  // namespace mcuota::delta::test
