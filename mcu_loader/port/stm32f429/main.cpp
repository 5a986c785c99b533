// Bring-up program of the port: exercises every driver and echoes the line. The loader takes its place.
#include <array>
#include <cstdint>
#include <string_view>
#include "mcu_loader/core/sha256.hpp"
#include "mcu_loader/port/stm32f429/board.hpp"
#include "mcu_loader/port/stm32f429/clock.hpp"
#include "mcu_loader/port/stm32f429/storage.hpp"
#include "mcu_loader/port/stm32f429/uart_line.hpp"
#include "mcu_loader/port/stm32f429/watchdog.hpp"
#include "trusted_keys.hpp"
using namespace mcuota;
using namespace mcuota::stm32f429;
namespace {
std::array<std::uint8_t, 2048> tx;
std::array<std::uint8_t, 32768> rx;
std::array<std::uint8_t, 4096> buf, buf2;
UartLine line{tx};
void say(std::string_view s) {
    while (!s.empty()) {
        auto n = line.send({reinterpret_cast<const std::uint8_t*>(s.data()), s.size()});
        s.remove_prefix(n);
    }
}
void say_hex(std::uint32_t v) {
    char t[9]{};
    for (int i = 0; i < 8; ++i)
        t[i] = "0123456789abcdef"[(v >> (28 - 4 * i)) & 15];
    say({t, 8});
    say(" ");
}
}  // namespace
extern "C" void firmware_main();
extern "C" void firmware_main() {
    const auto cause = take_reset_cause();
    watchdog_start();
    const Clocks clocks = clock_start();
    ticks_start(clocks.hclk_hz);
    line.start(clocks.pclk2_hz, 115200);
    line.listen_start(rx);
    const Hooks hooks{now_ms, watchdog_feed};
    SpiNor nor{hooks};
    InternalFlash flash;
    stm32f429::Storage storage{flash, nor, hooks};
    say("hello ");
    say_hex(cause);
    say_hex(clocks.hclk_hz);
    say_hex(flash.flash_kib());
    say_hex(static_cast<std::uint32_t>(nor.start()));
    say_hex(nor.jedec_id());
    say_hex(kTrustedKeys[0].bytes[1]);
    for (std::size_t i = 0; i < buf.size(); ++i)
        buf[i] = static_cast<std::uint8_t>(i * 7);
    auto t0 = now_ms();
    using device::Region;
    say("\nnor ");
    say_hex(static_cast<std::uint32_t>(storage.erase(Region::download, 0, 0x20000)));
    say_hex(now_ms() - t0);
    say_hex(static_cast<std::uint32_t>(storage.program(Region::download, 100, buf)));
    say_hex(static_cast<std::uint32_t>(storage.read(Region::download, 100, buf2)));
    say_hex(buf == buf2);
    say_hex(now_ms() - t0);
    say("\nflash ");
    say_hex(static_cast<std::uint32_t>(storage.erase(Region::running, 0, 0x40000)));
    say_hex(static_cast<std::uint32_t>(storage.program(Region::running, 0x1F000, buf)));
    say_hex(static_cast<std::uint32_t>(storage.read(Region::running, 0x1F000, buf2)));
    say_hex(buf == buf2);
    say("\n");
    for (;;) {
        std::array<std::uint8_t, 64> b;
        auto n = line.receive(b);
        std::size_t done = 0;
        while (done < n)
            done += line.send(std::span{b}.subspan(done, n - done));
        if (n && b[0] == '!') stm32f429::Board{hooks, cause, 0, 0}.reset();
        watchdog_feed();
        if (n == 0) line.wait();
    }
}
