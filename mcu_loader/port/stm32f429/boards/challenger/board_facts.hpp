#pragma once
// The Fire challenger board: STM32F429IGT6 (1 MiB of flash), W25Q128 or W25Q256.

#include <string_view>

#include "mcu_loader/port/stm32f429/storage.hpp"

namespace mcuota::stm32f429 {

constexpr std::string_view kHardware = "stm32f429-demo";

// Download and both banks of the backup begin on 64 KiB blocks, hold the largest application of a 2 MiB part,
// and stay inside the 16 MiB every fitted chip has.
constexpr RegionMap kRegionMap{
    .nor = {{
        {0, 0},                // running: internal flash
        {0x000000, 0x004000},  // flag_a: a sector of journal, one of manifest slot, two of keys
        {0x004000, 0x004000},  // flag_b
        {0x010000, 0x3C0000},  // backup
        {0x3D0000, 0x220000},  // download
    }},
    .nor_bytes = 16U << 20,
};
static_assert(kRegionMap.nor[3].bytes / 2 >= (2048 - 128) * 1024 &&
              kRegionMap.nor[4].bytes >= (2048 - 128 + 64) * 1024);

}  // namespace mcuota::stm32f429
