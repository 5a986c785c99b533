#pragma once
// What loader and application tell each other across a reset: two backup registers (RTC_BKP18R, RTC_BKP19R),
// which no start-up code clears and no stack grows into. A hint only; the journal never depends on it.

#include <cstdint>

namespace mcuota::stm32f429 {

/// The sealed content; a damaged or never written mailbox reads as {false, 0}.
struct Mailbox {
    bool stay_in_loader{false};
    std::uint8_t reset_cause{0};  ///< RCC_CSR bits 31:24 as the loader found them
};

[[nodiscard]] Mailbox mailbox_read() noexcept;
void mailbox_write(const Mailbox& mail) noexcept;

/// Keeps the most stack the loader has ever used in RTC_BKP17R (magic 0x5354 in the upper half, bytes in the
/// lower), where a debugger, or the virtual board's backup file, shows it.
void keep_stack_mark(std::uint32_t used_bytes) noexcept;

}  // namespace mcuota::stm32f429
