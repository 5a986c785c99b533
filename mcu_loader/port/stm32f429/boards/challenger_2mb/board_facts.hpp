#pragma once
// The same board with an STM32F429IIT6 (2 MiB of flash in two banks) and a W25Q256 (32 MiB).

#include <string_view>

#include "mcu_loader/port/stm32f429/storage.hpp"

namespace mcuota::stm32f429 {

constexpr std::string_view kHardware = "stm32f429-2mb";

// The application is one piece from 0x08020000 to the end of the second bank: 1920 KiB. The download region
// lies in the upper half of the chip, which only commands with four address bytes reach; one byte less would
// hit the flags, and the self test would say so. What lies between is the application's.
constexpr RegionMap kRegionMap{
    .nor = {{
        {0, 0},                  // running: internal flash, both banks
        {0x0000000, 0x0004000},  // flag_a: a sector of journal, one of manifest slot, two of keys
        {0x0004000, 0x0004000},  // flag_b
        {0x0010000, 0x03C0000},  // backup: two banks of 1920 KiB
        {0x1000000, 0x0220000},  // download
    }},
    .nor_bytes = 32U << 20,
};
static_assert(kRegionMap.nor[3].bytes / 2 >= (2048 - 128) * 1024 &&
              kRegionMap.nor[4].bytes >= (2048 - 128 + 64) * 1024);

}  // namespace mcuota::stm32f429
