// The words: magic, content, complement of content, magic again. Power-up noise does not look like that.
#include "mcu_loader/port/stm32f429/mailbox.hpp"

namespace mcuota::stm32f429 {
namespace {

constexpr std::uint32_t kMagic = 0x6D63'4D42;

struct Words {
    std::uint32_t magic, content, complement, magic_again;
};

volatile Words& words() noexcept {
    return *reinterpret_cast<volatile Words*>(static_cast<std::uintptr_t>(kMailboxAddress));
}

}  // namespace

Mailbox mailbox_read() noexcept {
    const std::uint32_t content = words().content;
    if (words().magic != kMagic || words().magic_again != kMagic || words().complement != ~content) return {};
    return {(content & 0x100U) != 0, static_cast<std::uint8_t>(content)};
}

void mailbox_write(const Mailbox& mail) noexcept {
    const std::uint32_t content = mail.reset_cause | (mail.stay_in_loader ? 0x100U : 0U);
    words().magic = 0;  // a reset in the middle leaves no half-written mail
    words().content = content;
    words().complement = ~content;
    words().magic_again = kMagic;
    words().magic = kMagic;
}

}  // namespace mcuota::stm32f429
