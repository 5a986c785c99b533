// SPDX-License-Identifier: GPL-2.0-or-later
// Pin levels.

#include "virtual_board/models/gpio.hpp"

#include <utility>

namespace mcuota::board {

Gpio::Gpio(char port, std::function<void()> outputs_changed)
    : port_(port), outputs_changed_(std::move(outputs_changed)) {
    Gpio::reset();
}

void Gpio::reset() {
    // Ports A and B come up with the debug pins as alternate functions.
    moder_ = port_ == 'A' ? 0xA800'0000 : port_ == 'B' ? 0x0000'0280 : 0;
    ospeedr_ = port_ == 'A' ? 0x0C00'0000 : port_ == 'B' ? 0x0000'00C0 : 0;
    pupdr_ = port_ == 'A' ? 0x6400'0000 : port_ == 'B' ? 0x0000'0100 : 0;
    otyper_ = 0;
    odr_ = 0;
    afr_ = 0;
    if (outputs_changed_) outputs_changed_();
}

bool Gpio::level(unsigned pin, bool floating) const noexcept {
    if (output(pin)) {
        const bool high = odr_ >> pin & 1;
        const bool open_drain = otyper_ >> pin & 1;
        if (!high || !open_drain) return high;
    }
    if (driven_ >> pin & 1) return driven_level_ >> pin & 1;
    const std::uint32_t pull = pupdr_ >> (2 * pin) & 3;
    return pull == 1 ? true : pull == 2 ? false : floating;
}

bool Gpio::alternate(unsigned pin, unsigned function) const noexcept {
    return (moder_ >> (2 * pin) & 3) == 2 && (afr_ >> (4 * pin) & 0xF) == function;
}

void Gpio::drive(unsigned pin, bool high) noexcept {
    driven_ |= 1u << pin;
    driven_level_ = (driven_level_ & ~(1u << pin)) | static_cast<std::uint32_t>(high) << pin;
}

void Gpio::release(unsigned pin) noexcept {
    driven_ &= ~(1u << pin);
}

std::uint32_t Gpio::peek(std::uint32_t offset) const {
    switch (offset) {
        case kModer:
            return moder_;
        case kOtyper:
            return otyper_;
        case kOspeedr:
            return ospeedr_;
        case kPupdr:
            return pupdr_;
        case kIdr: {
            std::uint32_t value = 0;
            for (unsigned pin = 0; pin < 16; ++pin)
                if (level(pin)) value |= 1u << pin;
            return value;
        }
        case kOdr:
            return odr_;
        case kAfrl:
            return static_cast<std::uint32_t>(afr_);
        case kAfrh:
            return static_cast<std::uint32_t>(afr_ >> 32);
        default:
            return 0;
    }
}

void Gpio::write(std::uint32_t offset, std::uint32_t value) {
    switch (offset) {
        case kModer:
            moder_ = value;
            break;
        case kOtyper:
            otyper_ = value & 0xFFFF;
            break;
        case kOspeedr:
            ospeedr_ = value;
            break;
        case kPupdr:
            pupdr_ = value;
            break;
        case kOdr:
            odr_ = value & 0xFFFF;
            break;
        case kBsrr:
            odr_ = (odr_ & ~(value >> 16)) | (value & 0xFFFF);
            break;  // set wins over reset
        case kAfrl:
            afr_ = (afr_ & ~std::uint64_t{0xFFFF'FFFF}) | value;
            break;
        case kAfrh:
            afr_ = (afr_ & 0xFFFF'FFFF) | std::uint64_t{value} << 32;
            break;
        default:
            return;
    }
    if (outputs_changed_) outputs_changed_();
}

}  // namespace mcuota::board
