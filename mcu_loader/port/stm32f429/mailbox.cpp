// Backup registers: RM0090 26.6.20 (RTC_BKPxR), 5.4.1 (PWR_CR.DBP guards them against writes).
#include "mcu_loader/port/stm32f429/mailbox.hpp"

#include "mcu_loader/port/stm32f429/registers.hpp"

namespace mcuota::stm32f429 {
namespace {

// Register 18: magic in the upper half, bit 8 the stay request, bits 7:0 the reset cause. Register 19: its
// complement.
constexpr unsigned kContent = 18, kComplement = 19;
constexpr std::uint32_t kMagic = 0x4D43'0000, kMagicMask = 0xFFFF'0000, kStay = bit(8);
constexpr std::uint32_t kBackupWrites = bit(8);

void clock_power_interface() noexcept {
    rcc().apb1enr.set(kApb1Pwr);
    (void)rcc().apb1enr.read();
}

}  // namespace

Mailbox mailbox_read() noexcept {
    clock_power_interface();
    const std::uint32_t content = rtc_backup(kContent).read();
    if ((content & kMagicMask) != kMagic || rtc_backup(kComplement).read() != ~content) return {};
    return {(content & kStay) != 0, static_cast<std::uint8_t>(content)};
}

void mailbox_write(const Mailbox& mail) noexcept {
    clock_power_interface();
    const bool open = pwr().cr.any(kBackupWrites);  // an application may keep its RTC writable
    pwr().cr.set(kBackupWrites);
    const std::uint32_t content = kMagic | (mail.stay_in_loader ? kStay : 0) | mail.reset_cause;
    // A reset between the two leaves a pair that does not match: an empty mailbox.
    rtc_backup(kContent).write(content);
    rtc_backup(kComplement).write(~content);
    if (!open) pwr().cr.clear(kBackupWrites);
}

}  // namespace mcuota::stm32f429
