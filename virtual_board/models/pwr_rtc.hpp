// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// Power control and the backup domain (RM0090 §5, §26; fact sheet 7): DBP gate, backup registers, backup
// SRAM.

#include <array>
#include <cstdint>
#include <functional>
#include <span>

#include "virtual_board/device.hpp"

namespace mcuota::board {

/// PWR: the voltage regulator's ready bits and the write gate of the backup domain.
class Pwr final : public Device {
  public:
    enum Register : std::uint32_t { kCr = 0, kCsr = 4 };
    static constexpr std::uint32_t kDbp = 1u << 8;

    [[nodiscard]] std::uint32_t peek(std::uint32_t offset) const override;
    void write(std::uint32_t offset, std::uint32_t value) override;
    void reset() override;

    [[nodiscard]] bool backup_writable() const noexcept { return cr_ & kDbp; }

  private:
    std::uint32_t cr_{0xC000};
    std::uint32_t csr_{0};
};

/// What VBAT keeps alive. Plain bytes, so that a file can hold them.
struct BackupDomain {
    static constexpr std::size_t kRegisters = 20;
    static constexpr std::size_t kSramBytes = 4096;
    std::array<std::uint32_t, kRegisters> registers{};
    std::array<std::uint8_t, kSramBytes> sram{};
};

/// RTC: only the backup registers and the handshake bits of ISR; the calendar does not run.
class Rtc final : public Device {
  public:
    /// `domain` must outlive the model; `writable` tells whether PWR_CR.DBP is set.
    Rtc(BackupDomain& domain, std::function<bool()> writable);

    [[nodiscard]] std::uint32_t peek(std::uint32_t offset) const override;
    void write(std::uint32_t offset, std::uint32_t value) override;
    void reset() override {}  // the backup domain does not notice a system reset
    /// RCC_BDCR.BDRST, or power lost without VBAT: registers and clock setup are gone; backup SRAM keeps its
    /// content.
    void domain_reset();

  private:
    BackupDomain& domain_;
    std::function<bool()> writable_;
    std::array<std::uint32_t, 0x50 / 4> regs_{};
};

/// The 4 KiB backup SRAM; writable only with DBP set.
class BackupSram final : public Device {
  public:
    BackupSram(BackupDomain& domain, std::function<bool()> writable);

    [[nodiscard]] std::uint32_t peek(std::uint32_t offset) const override;
    void write(std::uint32_t offset, std::uint32_t value) override;
    void reset() override {}

  private:
    BackupDomain& domain_;
    std::function<bool()> writable_;
};

}  // namespace mcuota::board
