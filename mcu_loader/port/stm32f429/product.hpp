#pragma once
// The product, compiled into loader and agent. What differs from board to board is in boards/.

#include "board_facts.hpp"  // of the board this is built for: its folder is in the include path
#include "mcu_loader/core/device/board.hpp"
#include "mcu_loader/core/manifest.hpp"
#include "mcu_loader/port/stm32f429/internal_flash.hpp"
#include "mcu_loader/port/stm32f429/uart_line.hpp"

namespace mcuota::stm32f429 {

/// RAM the loader lends to the payload decoders.
constexpr std::uint32_t kDecoderMemoryBytes = 96 * 1024;

constexpr std::uint32_t kPayloadKinds = (1U << static_cast<unsigned>(PayloadKind::raw)) |
                                        (1U << static_cast<unsigned>(PayloadKind::lzma)) |
                                        (1U << static_cast<unsigned>(PayloadKind::lzma_thumb)) |
                                        (1U << static_cast<unsigned>(PayloadKind::hdiffsf20)) |
                                        (1U << static_cast<unsigned>(PayloadKind::hdiff13)) |
                                        (1U << static_cast<unsigned>(PayloadKind::relocated));

constexpr device::Product kProduct{
    .hardware = kHardware,
    .loader_version = {},  // filled in by loader and agent
    .agent_version = {},
    .load_address = kApplicationBegin,
    .ram_begin = 0x2000'0000,
    .ram_end = 0x2003'0000,
    .trial_boots_allowed = 3,
    .install_attempts_max = 3,
    .decoder_memory_bytes = kDecoderMemoryBytes,
    .payload_kinds = kPayloadKinds,
    .baud_max = kBaudMax,
};

}  // namespace mcuota::stm32f429
