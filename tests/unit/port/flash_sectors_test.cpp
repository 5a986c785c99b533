// The sector maps of the STM32F429 against the tables of RM0090 3.3.
#include <catch2/catch.hpp>
#include <vector>

#include "mcu_loader/port/stm32f429/internal_flash.hpp"

using namespace mcuota::stm32f429;

namespace {

struct Row {
    unsigned number;
    std::uint32_t address;
    std::uint32_t kib;
};

struct Part {
    const char* name;
    std::uint32_t flash_kib;
    bool split;
    std::vector<Row> sectors;
};

const std::vector<Part>& parts() {
    static const std::vector<Part> list{
        {"1 MiB, single bank (table 5)",
         1024,
         false,
         {{0, 0x08000000, 16},
          {1, 0x08004000, 16},
          {2, 0x08008000, 16},
          {3, 0x0800C000, 16},
          {4, 0x08010000, 64},
          {5, 0x08020000, 128},
          {6, 0x08040000, 128},
          {7, 0x08060000, 128},
          {8, 0x08080000, 128},
          {9, 0x080A0000, 128},
          {10, 0x080C0000, 128},
          {11, 0x080E0000, 128}}},
        {"1 MiB, dual bank (table 7)",
         1024,
         true,
         {{0, 0x08000000, 16},
          {1, 0x08004000, 16},
          {2, 0x08008000, 16},
          {3, 0x0800C000, 16},
          {4, 0x08010000, 64},
          {5, 0x08020000, 128},
          {6, 0x08040000, 128},
          {7, 0x08060000, 128},
          {12, 0x08080000, 16},
          {13, 0x08084000, 16},
          {14, 0x08088000, 16},
          {15, 0x0808C000, 16},
          {16, 0x08090000, 64},
          {17, 0x080A0000, 128},
          {18, 0x080C0000, 128},
          {19, 0x080E0000, 128}}},
        {"2 MiB (table 6)",
         2048,
         false,
         {{0, 0x08000000, 16},
          {4, 0x08010000, 64},
          {5, 0x08020000, 128},
          {11, 0x080E0000, 128},
          {12, 0x08100000, 16},
          {15, 0x0810C000, 16},
          {16, 0x08110000, 64},
          {17, 0x08120000, 128},
          {23, 0x081E0000, 128}}},
        {"512 KiB", 512, false, {{4, 0x08010000, 64}, {5, 0x08020000, 128}, {7, 0x08060000, 128}}},
    };
    return list;
}

}  // namespace

TEST_CASE("every address of the flash belongs to the sector the reference manual says") {
    for (const Part& part : parts()) {
        for (const Row& row : part.sectors) {
            INFO(part.name << ", sector " << row.number);
            const std::uint32_t begin = row.address - kFlashBegin;
            for (const std::uint32_t offset : {begin, begin + row.kib * 512, begin + row.kib * 1024 - 1}) {
                const FlashSector sector = flash_sector_at(offset, part.flash_kib, part.split);
                CHECK(sector.number == row.number);
                CHECK(sector.begin == begin);
                CHECK(sector.bytes == row.kib * 1024);
            }
        }
    }
}

TEST_CASE("the sectors of a part cover its flash without a gap") {
    for (const Part& part : parts()) {
        INFO(part.name);
        std::uint32_t offset = 0;
        while (offset < part.flash_kib * 1024) {
            const FlashSector sector = flash_sector_at(offset, part.flash_kib, part.split);
            REQUIRE(sector.begin == offset);
            REQUIRE(sector.bytes >= 16 * 1024);
            offset += sector.bytes;
        }
        CHECK(offset == part.flash_kib * 1024);
    }
}

TEST_CASE("sector codes skip 0x0C to 0x0F") {
    CHECK(sector_code(0) == 0x00);
    CHECK(sector_code(11) == 0x0B);
    CHECK(sector_code(12) == 0x10);
    CHECK(sector_code(23) == 0x1B);
}
