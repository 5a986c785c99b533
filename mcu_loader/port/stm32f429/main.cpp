// The loader's wiring: drivers, decisions, link. What it decides stands in mcu_loader/core/device.
#include <array>
#include <cstdint>

#include "mcu_loader/core/device/loader_flow.hpp"
#include "mcu_loader/port/stm32f429/board.hpp"
#include "mcu_loader/port/stm32f429/clock.hpp"
#include "mcu_loader/port/stm32f429/handover.hpp"
#include "mcu_loader/port/stm32f429/loader_info.hpp"
#include "mcu_loader/port/stm32f429/loader_service.hpp"
#include "mcu_loader/port/stm32f429/mailbox.hpp"
#include "mcu_loader/port/stm32f429/product.hpp"
#include "mcu_loader/port/stm32f429/stack.hpp"
#include "mcu_loader/port/stm32f429/storage.hpp"
#include "mcu_loader/port/stm32f429/watchdog.hpp"
#include "trusted_keys.hpp"

namespace mcuota::stm32f429 {

extern const LoaderInfo loader_facts;
[[gnu::section(".loader_info"), gnu::used]] constinit const LoaderInfo loader_facts =
    make_loader_info(kDecoderMemoryBytes, kPayloadKinds, MCUOTA_LOADER_VERSION);

extern const LoaderKeys loader_keys;
[[gnu::section(".loader_keys"), gnu::used]] constinit const LoaderKeys loader_keys =
    make_loader_keys(keys::kTrusted);

namespace {

constexpr device::Product loader_product() noexcept {
    device::Product product = kProduct;
    product.loader_version = MCUOTA_LOADER_VERSION;
    return product;
}
constexpr device::Product kLoaderProduct = loader_product();
constexpr Hooks kHooks{now_ms, watchdog_feed};

std::array<std::uint8_t, 512> transmit_ring;
alignas(8) std::array<std::uint8_t, kDecoderMemoryBytes> shared_memory;

[[noreturn]] void run() noexcept {
    const std::uint8_t reset_cause = take_reset_cause();
    watchdog_start();
    const Clocks clocks = clock_start();
    ticks_start(clocks.hclk_hz);

    static UartLine line{transmit_ring};
    line.start(clocks.pclk2_hz, kBaudBase);
    static SpiNor nor{kHooks, kRegionMap.nor_bytes};
    // A NOR that fails shows itself in the first read of the journal: the loader then serves and says so.
    (void)nor.start();
    static InternalFlash flash;
    static Storage storage{kRegionMap, flash, nor, kHooks};
    static Board board{kHooks, reset_cause, nor.jedec_id(), clocks.pclk2_hz};
    static LoaderService service{line, shared_memory};
    static const BuiltInKeys built_in;
    static const device::LoaderParts parts{storage,         board,         kLoaderProduct,
                                           built_in.keys(), shared_memory, service};
    static device::LoaderFlow flow{parts};
    service.connect(parts, flow);

    const device::LoaderEnd end = flow.run();
    keep_stack_mark(stack_used_bytes());
    if (end.kind == device::LoaderEnd::Kind::serve) service.serve(end);
    service.drain();
    board.feed_watchdog();
    hand_over(kLoaderProduct.load_address);
}

}  // namespace
}  // namespace mcuota::stm32f429

extern "C" void firmware_main();
extern "C" void firmware_main() {
    mcuota::stm32f429::run();
}
