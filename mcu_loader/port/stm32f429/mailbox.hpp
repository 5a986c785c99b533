#pragma once
// 16 bytes at the end of SRAM3 that neither loader nor application initialise: what one tells the other
// across a reset. A hint only: power loss clears it, and the journal never depends on it.

#include <cstdint>

namespace mcuota::stm32f429 {

/// Highest RAM address linker scripts may hand out; the mailbox lies above.
constexpr std::uint32_t kMailboxAddress = 0x2002'FFF0;

/// The sealed content; a damaged or never written mailbox reads as {false, 0}.
struct Mailbox {
    bool stay_in_loader{false};
    std::uint8_t reset_cause{0};  ///< RCC_CSR bits 31:24 as the loader found them
};

[[nodiscard]] Mailbox mailbox_read() noexcept;
void mailbox_write(const Mailbox& mail) noexcept;

}  // namespace mcuota::stm32f429
