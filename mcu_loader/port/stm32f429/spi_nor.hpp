#pragma once
// The SPI NOR flash: W25Q128 or W25Q256 on SPI5, PF7/PF8/PF9, chip select PF6.

#include <cstdint>
#include <span>

#include "mcu_loader/core/status.hpp"
#include "mcu_loader/port/stm32f429/ticks.hpp"

namespace mcuota::stm32f429 {

constexpr std::uint32_t kNorSectorBytes = 4096;

/// Every call is bounded by data-sheet maxima. Errors: nor_id_wrong, nor_timeout, nor_verify_failed.
/// Code keeps running (with interrupts) while the NOR erases; the calls themselves wait.
class SpiNor {
  public:
    /// A chip of less than `least_bytes` is refused: nor_id_wrong.
    SpiNor(const Hooks& hooks, std::uint32_t least_bytes) noexcept
        : hooks_{hooks}, least_bytes_{least_bytes} {}

    /// Sets up the bus and brings the chip to a known state whatever it was doing when the MCU was reset: an
    /// erase may still run, it may sleep, or hold volatile settings.
    [[nodiscard]] Status start() noexcept {
        usable_ = bring_up();
        return usable_;
    }
    /// Manufacturer, type, capacity: 0xEF4018 for a W25Q128. As read by start().
    [[nodiscard]] std::uint32_t jedec_id() const noexcept { return jedec_id_; }

    [[nodiscard]] Status read(std::uint32_t address, std::span<std::uint8_t> out) noexcept;
    /// Programs any length, page by page, and reads each page back.
    [[nodiscard]] Status program(std::uint32_t address, std::span<const std::uint8_t> bytes) noexcept;
    /// Erases [address, address + length), multiples of 4 KiB, with the largest blocks that fit.
    [[nodiscard]] Status erase(std::uint32_t address, std::uint32_t length) noexcept;

  private:
    [[nodiscard]] Status bring_up() noexcept;
    /// ok, or why nothing can be done now.
    [[nodiscard]] Status usable() noexcept;
    void select(bool on) noexcept;
    void command(std::uint8_t opcode) noexcept;
    /// Selects the chip and sends the opcode with three address bytes, or `opcode_4` with four.
    void command_at(std::uint8_t opcode, std::uint8_t opcode_4, std::uint32_t address) noexcept;
    [[nodiscard]] std::uint8_t status_1() noexcept;
    [[nodiscard]] Status wait_ready(std::uint32_t most_ms, bool may_sleep) noexcept;
    [[nodiscard]] Status program_page(std::uint32_t address, std::span<const std::uint8_t> bytes) noexcept;
    void pause_us(std::uint32_t microseconds) noexcept;

    Hooks hooks_;
    std::uint32_t least_bytes_;
    bool large_{false};  ///< more than three address bytes can say
    bool hung_{false};   ///< an operation took longer than it may: the chip may still be busy with it
    std::uint32_t jedec_id_{0};
    Status usable_{Status::nor_id_wrong};  ///< ok once start() has found a working chip; else what was wrong
};

}  // namespace mcuota::stm32f429
