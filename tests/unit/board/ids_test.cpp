// Identification registers and the cycle counter (fact sheet 1, 3).

#include <catch2/catch.hpp>
#include <vector>

#include "virtual_board/models/ids.hpp"

using namespace mcuota::board;

TEST_CASE("the information page holds unique ID, flash size and erased OTP", "[board][ids]") {
    struct Row {
        std::uint32_t flash_bytes;
        std::uint8_t low, high;
    };
    const Row row = GENERATE(Row{1u << 20, 0x00, 0x04}, Row{2u << 20, 0x00, 0x08});
    const ChipId id{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    std::vector<std::uint8_t> page(kInfoPageBytes);
    fill_info_page(page, id, row.flash_bytes);
    CHECK(std::equal(id.begin(), id.end(), page.begin() + 0xA10));
    CHECK(page[0xA22] == row.low);
    CHECK(page[0xA23] == row.high);
    CHECK(page[0x800] == 0xFF);
    CHECK((Dbgmcu().peek(0) & 0xFFF) == 0x419);
}

TEST_CASE("CYCCNT counts cycles while tracing is on", "[board][ids]") {
    Clock clock;
    Dwt dwt(clock);
    dwt.write(0, 1);
    clock.add_cycles(100);
    CHECK(dwt.peek(4) == 0);  // TRCENA is off
    dwt.set_demcr(1u << 24);
    clock.add_cycles(100);
    CHECK(dwt.peek(4) == 100);
    dwt.write(4, 0);
    clock.add_cycles(7);
    CHECK(dwt.peek(4) == 7);
    dwt.write(0, 0);
    clock.add_cycles(50);
    CHECK(dwt.peek(4) == 7);
}
