// Backup registers: RM0090 26.6.20 (RTC_BKPxR), 5.4.1 (PWR_CR.DBP guards them against writes).
#include "mcu_loader/port/stm32f429/mailbox.hpp"

#include "mcu_loader/port/stm32f429/registers.hpp"

namespace mcuota::stm32f429 {
namespace {

// Register 18: magic in the upper half, bit 8 the stay request, bits 7:0 the reset cause. Register 19: its
// complement.
constexpr unsigned kStackMark = 17, kContent = 18, kComplement = 19;
constexpr std::uint32_t kStackMagic = 0x5354'0000, kMagic = 0x4D43'0000, kMagicMask = 0xFFFF'0000,
                        kStay = bit(8);
constexpr std::uint32_t kBackupWrites = bit(8);

void clock_power_interface() noexcept {
    rcc().apb1enr.set(kApb1Pwr);
    (void)rcc().apb1enr.read();
}

/// The backup registers take writes while it lives. An application may keep them (its RTC) writable all the
/// time.
class BackupWrites {
  public:
    BackupWrites() noexcept {
        clock_power_interface();
        was_open_ = pwr().cr.any(kBackupWrites);
        pwr().cr.set(kBackupWrites);
    }
    ~BackupWrites() {
        if (!was_open_) pwr().cr.clear(kBackupWrites);
    }
    BackupWrites(const BackupWrites&) = delete;
    BackupWrites& operator=(const BackupWrites&) = delete;

  private:
    bool was_open_;
};

}  // namespace

Mailbox mailbox_read() noexcept {
    clock_power_interface();
    const std::uint32_t content = rtc_backup(kContent).read();
    if ((content & kMagicMask) != kMagic || rtc_backup(kComplement).read() != ~content) return {};
    return {(content & kStay) != 0, static_cast<std::uint8_t>(content)};
}

void mailbox_write(const Mailbox& mail) noexcept {
    const BackupWrites open;
    const std::uint32_t content = kMagic | (mail.stay_in_loader ? kStay : 0) | mail.reset_cause;
    // A reset between the two leaves a pair that does not match: an empty mailbox.
    rtc_backup(kContent).write(content);
    rtc_backup(kComplement).write(~content);
}

void keep_stack_mark(std::uint32_t used_bytes) noexcept {
    const BackupWrites open;
    const std::uint32_t kept = rtc_backup(kStackMark).read();
    if ((kept & kMagicMask) == kStackMagic && (kept & 0xFFFF) >= used_bytes) return;
    rtc_backup(kStackMark).write(kStackMagic | (used_bytes & 0xFFFF));
}

}  // namespace mcuota::stm32f429
