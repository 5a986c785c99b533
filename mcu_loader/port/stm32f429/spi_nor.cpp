// W25Q128 and W25Q256 driver: commands and times from Winbond's W25Q128JV and W25Q256JV data sheets, chapters
// 8 and 9.6.
#include "mcu_loader/port/stm32f429/spi_nor.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "mcu_loader/port/stm32f429/cpu.hpp"
#include "mcu_loader/port/stm32f429/registers.hpp"
#include "mcu_loader/port/stm32f429/spi_bus.hpp"

namespace mcuota::stm32f429 {
namespace {

constexpr std::uint8_t kReadStatus1 = 0x05, kWriteEnable = 0x06, kWriteStatus1 = 0x01,
                       kVolatileWriteEnable = 0x50;
constexpr std::uint8_t kRead = 0x03, kPageProgram = 0x02, kErase4K = 0x20, kErase32K = 0x52, kErase64K = 0xD8;
constexpr std::uint8_t kJedecId = 0x9F, kWakeUp = 0xAB, kResetEnable = 0x66, kReset = 0x99;
// The same with four address bytes, whatever mode the chip is in; there is none for 32 KiB.
constexpr std::uint8_t kRead4 = 0x13, kPageProgram4 = 0x12, kErase4K4 = 0x21, kErase64K4 = 0xDC;
constexpr std::uint8_t kBusy = 0x01, kProtected = 0x7C;

// Data-sheet maxima, rounded up for the tick's grain.
constexpr std::uint32_t kPowerUpMs = 6, kPageMs = 5, kStatusMs = 20, kErase4KMs = 420, kErase32KMs = 1650,
                        kErase64KMs = 2050;

constexpr std::uint32_t kPageBytes = 256, kBlock32K = 32 * 1024, kBlock64K = 64 * 1024;
constexpr unsigned kSelectPin = 6;
constexpr std::uint32_t kManufacturerWinbond = 0xEF, kCapacity128Mbit = 0x18, kCapacity256Mbit = 0x19;

void set_up_select_pin() noexcept {
    auto& port = gpio_f();
    port.bsrr.write(bit(kSelectPin));  // high before it becomes an output
    port.ospeedr.set(3U << (2 * kSelectPin));
    port.moder.change(3U << (2 * kSelectPin), 1U << (2 * kSelectPin));
}

}  // namespace

void SpiNor::select(bool on) noexcept {
    gpio_f().bsrr.write(on ? bit(kSelectPin + 16) : bit(kSelectPin));
}

void SpiNor::command(std::uint8_t opcode) noexcept {
    select(true);
    spi5_write({&opcode, 1});
    select(false);
}

void SpiNor::command_at(std::uint8_t opcode, std::uint8_t opcode_4, std::uint32_t address) noexcept {
    const std::array<std::uint8_t, 5> bytes{
        opcode_4, static_cast<std::uint8_t>(address >> 24), static_cast<std::uint8_t>(address >> 16),
        static_cast<std::uint8_t>(address >> 8), static_cast<std::uint8_t>(address)};
    select(true);
    if (large_) {
        spi5_write(bytes);
    } else {
        spi5_write({&opcode, 1});
        spi5_write(std::span{bytes}.subspan(2));
    }
}

std::uint8_t SpiNor::status_1() noexcept {
    std::uint8_t value = 0;
    const std::uint8_t opcode = kReadStatus1;
    select(true);
    spi5_write({&opcode, 1});
    spi5_read({&value, 1});
    select(false);
    return value;
}

Status SpiNor::wait_ready(std::uint32_t most_ms, bool may_sleep) noexcept {
    const std::uint32_t begin_ms = hooks_.now_ms();
    while ((status_1() & kBusy) != 0) {
        hung_ = hooks_.now_ms() - begin_ms > most_ms;
        if (hung_) return Status::nor_timeout;
        // Erases last many ticks: each tick's interrupt ends the sleep.
        if (may_sleep) wait_for_interrupt();
    }
    return Status::ok;
}

Status SpiNor::usable() noexcept {
    // A busy chip answers reads with anything: after a timeout it is asked before each use.
    if (usable_ == Status::ok && hung_ && (status_1() & kBusy) != 0) return Status::nor_timeout;
    hung_ = false;
    return usable_;
}

void SpiNor::pause_us(std::uint32_t microseconds) noexcept {
    // At least 3 cycles a turn at no more than 168 MHz.
    for (std::uint32_t turn = 0; turn < microseconds * 56; ++turn)
        memory_clobber();
}

Status SpiNor::bring_up() noexcept {
    spi5_start();
    set_up_select_pin();
    // After power-up it ignores writes for up to 5 ms.
    const std::uint32_t begin_ms = hooks_.now_ms();
    while (hooks_.now_ms() - begin_ms < kPowerUpMs)
        wait_for_interrupt();
    command(kWakeUp);  // answered only by a sleeping chip; a busy one ignores it
    pause_us(5);
    if (const Status status = wait_ready(kErase64KMs, true); status != Status::ok) {
        // Not an erase that runs on: reset it, whatever it does. Data in flight was lost before.
        command(kResetEnable);
        command(kReset);
        pause_us(50);
        if (const Status again = wait_ready(kStatusMs, false); again != Status::ok) return again;
    }
    command(kResetEnable);
    command(kReset);
    pause_us(50);

    std::array<std::uint8_t, 3> id{};
    const std::uint8_t opcode = kJedecId;
    select(true);
    spi5_write({&opcode, 1});
    spi5_read(id);
    select(false);
    jedec_id_ = (std::uint32_t{id[0]} << 16) | (std::uint32_t{id[1]} << 8) | id[2];
    if (id[0] != kManufacturerWinbond || (id[2] != kCapacity128Mbit && id[2] != kCapacity256Mbit)) {
        return Status::nor_id_wrong;
    }
    large_ = id[2] == kCapacity256Mbit;
    if ((1U << id[2]) < least_bytes_) return Status::nor_id_wrong;
    if ((status_1() & kProtected) != 0) {
        // Somebody protected blocks: unprotect until the next power-up only.
        const std::array<std::uint8_t, 2> unprotect{kWriteStatus1, 0};
        command(kVolatileWriteEnable);
        select(true);
        spi5_write(unprotect);
        select(false);
        if (const Status status = wait_ready(kStatusMs, false); status != Status::ok) return status;
    }
    return Status::ok;
}

Status SpiNor::read(std::uint32_t address, std::span<std::uint8_t> out) noexcept {
    if (const Status status = usable(); status != Status::ok) return status;
    command_at(kRead, kRead4, address);
    spi5_read(out);
    select(false);
    return Status::ok;
}

Status SpiNor::program_page(std::uint32_t address, std::span<const std::uint8_t> bytes) noexcept {
    command(kWriteEnable);
    command_at(kPageProgram, kPageProgram4, address);
    spi5_write(bytes);
    select(false);
    if (const Status status = wait_ready(kPageMs, false); status != Status::ok) return status;
    std::array<std::uint8_t, kPageBytes> back;
    if (const Status status = read(address, std::span{back}.first(bytes.size())); status != Status::ok)
        return status;
    return std::memcmp(back.data(), bytes.data(), bytes.size()) == 0 ? Status::ok : Status::nor_verify_failed;
}

Status SpiNor::program(std::uint32_t address, std::span<const std::uint8_t> bytes) noexcept {
    if (const Status status = usable(); status != Status::ok) return status;
    while (!bytes.empty()) {
        // A program command wraps inside its page: never cross the edge.
        const std::size_t room = kPageBytes - address % kPageBytes;
        const std::size_t count = std::min(room, bytes.size());
        if (const Status status = program_page(address, bytes.first(count)); status != Status::ok)
            return status;
        address += static_cast<std::uint32_t>(count);
        bytes = bytes.subspan(count);
    }
    return Status::ok;
}

Status SpiNor::erase(std::uint32_t address, std::uint32_t length) noexcept {
    if (const Status status = usable(); status != Status::ok) return status;
    if (address % kNorSectorBytes != 0 || length % kNorSectorBytes != 0) return Status::out_of_range;
    while (length != 0) {
        std::uint8_t opcode = kErase4K, opcode_4 = kErase4K4;
        std::uint32_t step = kNorSectorBytes, most_ms = kErase4KMs;
        if (address % kBlock64K == 0 && length >= kBlock64K) {
            opcode = kErase64K, opcode_4 = kErase64K4, step = kBlock64K, most_ms = kErase64KMs;
        } else if (!large_ && address % kBlock32K == 0 && length >= kBlock32K) {
            opcode = kErase32K, step = kBlock32K, most_ms = kErase32KMs;
        }
        hooks_.feed_watchdog();
        command(kWriteEnable);
        command_at(opcode, opcode_4, address);
        select(false);
        if (const Status status = wait_ready(most_ms, true); status != Status::ok) return status;
        address += step;
        length -= step;
    }
    return Status::ok;
}

}  // namespace mcuota::stm32f429
