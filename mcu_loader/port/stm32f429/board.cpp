// Reset, reset cause, identity: RM0090 6.3.21 (RCC_CSR), 39.1 (unique id), 39.2 (flash size); ARMv7-M B3.2.6
// (AIRCR).
#include "mcu_loader/port/stm32f429/board.hpp"

#include <cstring>

#include "mcu_loader/port/stm32f429/cpu.hpp"
#include "mcu_loader/port/stm32f429/mailbox.hpp"
#include "mcu_loader/port/stm32f429/registers.hpp"
#include "mcu_loader/port/stm32f429/uart_line.hpp"

namespace mcuota::stm32f429 {

std::uint8_t take_reset_cause() noexcept {
    const device::ResetCause cause{static_cast<std::uint8_t>(rcc().csr.read() >> 24)};
    rcc().csr.set(bit(24));
    const bool stay = !cause.power_loss() && mailbox_read().stay_in_loader;
    mailbox_write({stay, cause.flags});
    return cause.flags;
}

void system_reset() noexcept {
    data_barrier();
    scb().aircr.write(0x05FA'0004);
    data_barrier();
    for (;;)
        memory_clobber();
}

void Board::reset() noexcept {
    system_reset();
}

std::array<std::uint8_t, 12> Board::unique_id() noexcept {
    std::array<std::uint8_t, 12> id{};
    std::memcpy(id.data(), reinterpret_cast<const void*>(static_cast<std::uintptr_t>(kUniqueIdAddress)),
                id.size());
    return id;
}

std::uint16_t Board::flash_kib() noexcept {
    return *reinterpret_cast<const volatile std::uint16_t*>(static_cast<std::uintptr_t>(kFlashSizeAddress));
}

void Board::set_stay_request(bool stay) noexcept {
    mailbox_write({stay, reset_cause_});
}

bool Board::take_stay_request() noexcept {
    const Mailbox mail = mailbox_read();
    mailbox_write({false, reset_cause_});
    return mail.stay_in_loader;
}

bool Board::speed_supported(std::uint32_t baud) noexcept {
    return baud_reachable(pclk2_hz_, baud);
}

}  // namespace mcuota::stm32f429
