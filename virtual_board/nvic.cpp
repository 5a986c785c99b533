// SPDX-License-Identifier: GPL-2.0-or-later
// Priorities, pend bits and the system control block's registers.

#include "virtual_board/nvic.hpp"

namespace mcuota::board {
namespace {

constexpr int kThreadPriority = 256;
constexpr std::uint32_t kSyst = 0x010;

/// Gathers 32 bits of a set, IRQ numbering.
template <class Set>
[[nodiscard]] std::uint32_t word_of(const Set& set, unsigned word) {
    std::uint32_t value = 0;
    for (unsigned bit = 0; bit < 32; ++bit) {
        const unsigned irq = 32 * word + bit;
        if (irq < Nvic::kIrqs && set[kFirstIrq + irq]) value |= 1u << bit;
    }
    return value;
}

}  // namespace

void Nvic::reset() {
    pending_.reset();
    active_.reset();
    enabled_.reset();
    line_.reset();
    priority_.fill(0);
    pending_enabled_ = false;
    current_ = 0;
    vtor_ = scr_ = cpacr_ = prigroup_ = fault_enables_ = 0;
    ccr_ = 0x200;
    cfsr_ = hfsr_ = dfsr_ = mmfar_ = bfar_ = fpcar_ = fpdscr_ = 0;
    fpccr_ = 0xC000'0000;
}

void Nvic::set_pending(unsigned exception, bool value) {
    pending_[exception] = value;
    update();
}

void Nvic::update() {
    pending_enabled_ = pending_.any() && best().has_value();
}

void Nvic::set_line(unsigned irq, bool level) {
    const unsigned exception = kFirstIrq + irq;
    if (line_[exception] == level) return;
    line_[exception] = level;
    if (level && !active_[exception]) set_pending(exception, true);
}

int Nvic::priority(unsigned exception) const noexcept {
    if (exception == kNmi) return -2;
    if (exception == kHardFault) return -1;
    return priority_[exception];
}

int Nvic::group(int priority) const noexcept {
    if (priority < 0) return priority;
    return static_cast<int>(static_cast<unsigned>(priority) >> (prigroup_ + 1) << (prigroup_ + 1));
}

std::optional<unsigned> Nvic::best() const noexcept {
    std::optional<unsigned> found;
    for (unsigned exception = 2; exception < kExceptions; ++exception) {
        if (!pending_[exception] || !enabled(exception)) continue;
        if (!found || priority(exception) < priority(*found)) found = exception;
    }
    return found;
}

int Nvic::execution_priority(const Masks& masks) const noexcept {
    int lowest = kThreadPriority;
    if (active_.any())
        for (unsigned exception = 2; exception < kExceptions; ++exception)
            if (active_[exception] && group(priority(exception)) < lowest)
                lowest = group(priority(exception));
    if (masks.basepri != 0 && group(static_cast<int>(masks.basepri & 0xF0)) < lowest)
        lowest = group(static_cast<int>(masks.basepri & 0xF0));
    if ((masks.primask & 1) && lowest > 0) lowest = 0;
    if ((masks.faultmask & 1) && lowest > -1) lowest = -1;
    return lowest;
}

std::optional<unsigned> Nvic::next(const Masks& masks) const noexcept {
    if (!pending_enabled_) return std::nullopt;
    const std::optional<unsigned> candidate = best();
    if (!candidate || group(priority(*candidate)) >= execution_priority(masks)) return std::nullopt;
    return candidate;
}

bool Nvic::wakes(const Masks& masks) const noexcept {
    Masks open = masks;
    open.primask = 0;
    return next(open).has_value();
}

void Nvic::enter(unsigned exception) {
    active_[exception] = true;
    current_ = exception;
    set_pending(exception, false);
}

void Nvic::leave(unsigned exception) {
    active_[exception] = false;
    if (line_[exception]) set_pending(exception, true);
}

std::optional<unsigned> Nvic::fault(unsigned exception, std::uint32_t cfsr_bits, const Masks& masks,
                                    std::uint32_t hfsr_bits) {
    cfsr_ |= cfsr_bits;
    hfsr_ |= hfsr_bits;
    const int running = execution_priority(masks);
    const unsigned enable_bit =
        exception >= kMemManage && exception <= kUsageFault ? 16 + exception - kMemManage : 0;
    const bool configurable = enable_bit == 0 || (fault_enables_ >> enable_bit & 1);
    if (exception != kHardFault && configurable && group(priority(exception)) < running) return exception;
    if (running <= -1) return std::nullopt;
    if (exception != kHardFault) hfsr_ |= kHfsrForced;
    return kHardFault;
}

std::uint32_t Nvic::icsr() const noexcept {
    std::uint32_t value = current_ & 0x1FF;
    if (active_.count() <= 1) value |= 1u << 11;  // RETTOBASE
    const std::optional<unsigned> first = pending_.any() ? best() : std::nullopt;
    if (first) value |= *first << 12;
    for (unsigned irq = 0; irq < kIrqs; ++irq)
        if (pending_[kFirstIrq + irq]) {
            value |= 1u << 22;
            break;
        }
    if (pending_[kSysTickException]) value |= 1u << 26;
    if (pending_[kPendSv]) value |= 1u << 28;
    if (pending_[kNmi]) value |= 1u << 31;
    return value;
}

std::uint32_t Nvic::shcsr() const noexcept {
    std::uint32_t value = fault_enables_;
    const auto put = [&value](bool set, unsigned bit) { value |= static_cast<std::uint32_t>(set) << bit; };
    put(active_[kMemManage], 0);
    put(active_[kBusFault], 1);
    put(active_[kUsageFault], 3);
    put(active_[kSvc], 7);
    put(active_[kDebugMonitor], 8);
    put(active_[kPendSv], 10);
    put(active_[kSysTickException], 11);
    put(pending_[kUsageFault], 12);
    put(pending_[kMemManage], 13);
    put(pending_[kBusFault], 14);
    put(pending_[kSvc], 15);
    return value;
}

std::uint32_t Nvic::peek(std::uint32_t offset) const {
    if (offset == 0x004) return (kIrqs - 1) / 32;  // ICTR
    if (offset >= 0x100 && offset < 0x10C) return word_of(enabled_, (offset - 0x100) / 4);
    if (offset >= 0x180 && offset < 0x18C) return word_of(enabled_, (offset - 0x180) / 4);
    if (offset >= 0x200 && offset < 0x20C) return word_of(pending_, (offset - 0x200) / 4);
    if (offset >= 0x280 && offset < 0x28C) return word_of(pending_, (offset - 0x280) / 4);
    if (offset >= 0x300 && offset < 0x30C) return word_of(active_, (offset - 0x300) / 4);
    if (offset >= 0x400 && offset < 0x400 + 92) {
        std::uint32_t value = 0;
        for (unsigned i = 0; i < 4; ++i)
            value |= std::uint32_t{priority_[kFirstIrq + offset - 0x400 + i]} << (8 * i);
        return value;
    }
    switch (offset) {
        case kSyst:
            return 0;
        case 0xD00:
            return 0x410F'C241;
        case 0xD04:
            return icsr();
        case 0xD08:
            return vtor_;
        case 0xD0C:
            return 0xFA05'0000 | prigroup_ << 8;
        case 0xD10:
            return scr_;
        case 0xD14:
            return ccr_;
        case 0xD18:
        case 0xD1C:
        case 0xD20: {
            std::uint32_t value = 0;
            for (unsigned i = 0; i < 4; ++i)
                value |= std::uint32_t{priority_[4 + offset - 0xD18 + i]} << (8 * i);
            return value;
        }
        case 0xD24:
            return shcsr();
        case 0xD28:
            return cfsr_;
        case 0xD2C:
            return hfsr_;
        case 0xD30:
            return dfsr_;
        case 0xD34:
            return mmfar_;
        case 0xD38:
            return bfar_;
        case 0xD88:
            return cpacr_;
        case 0xF34:
            return fpccr_;
        case 0xF38:
            return fpcar_;
        case 0xF3C:
            return fpdscr_;
        case 0xF40:
            return 0x1011'0021;
        case 0xF44:
            return 0x1100'0011;
        default:
            return 0;
    }
}

void Nvic::write(std::uint32_t offset, std::uint32_t value) {
    const auto for_each_irq = [&](std::uint32_t base, auto&& act) {
        for (unsigned bit = 0; bit < 32; ++bit) {
            const unsigned irq = 8 * (offset - base) + bit;
            if ((value >> bit & 1) && irq < kIrqs) act(kFirstIrq + irq);
        }
        update();
    };
    if (offset >= 0x100 && offset < 0x10C)
        return for_each_irq(0x100, [&](unsigned e) { enabled_[e] = true; });
    if (offset >= 0x180 && offset < 0x18C)
        return for_each_irq(0x180, [&](unsigned e) { enabled_[e] = false; });
    if (offset >= 0x200 && offset < 0x20C)
        return for_each_irq(0x200, [&](unsigned e) { pending_[e] = true; });
    if (offset >= 0x280 && offset < 0x28C)
        return for_each_irq(0x280, [&](unsigned e) { pending_[e] = line_[e] && !active_[e]; });
    if (offset >= 0x400 && offset < 0x400 + 92) {
        for (unsigned i = 0; i < 4; ++i)
            priority_[kFirstIrq + offset - 0x400 + i] = static_cast<std::uint8_t>(value >> (8 * i) & 0xF0);
        return update();
    }
    switch (offset) {
        case 0xD04:
            if (value >> 31 & 1) set_pending(kNmi, true);
            if (value >> 28 & 1) set_pending(kPendSv, true);
            if (value >> 27 & 1) set_pending(kPendSv, false);
            if (value >> 26 & 1) set_pending(kSysTickException, true);
            if (value >> 25 & 1) set_pending(kSysTickException, false);
            break;
        case 0xD08:
            vtor_ = value & 0x3FFF'FE00;
            break;
        case 0xD0C:
            if (value >> 16 != 0x05FA) return;
            prigroup_ = value >> 8 & 7;
            if (value & 4) system_reset_();
            break;
        case 0xD10:
            scr_ = value & 0x16;
            break;
        case 0xD14:
            ccr_ = value & 0x31B;
            break;
        case 0xD18:
        case 0xD1C:
        case 0xD20:
            for (unsigned i = 0; i < 4; ++i)
                priority_[4 + offset - 0xD18 + i] = static_cast<std::uint8_t>(value >> (8 * i) & 0xF0);
            update();
            break;
        case 0xD24:
            fault_enables_ = value & 0x7'0000;
            break;
        case 0xD28:
            cfsr_ &= ~value;
            break;
        case 0xD2C:
            hfsr_ &= ~value;
            break;
        case 0xD30:
            dfsr_ &= ~value;
            break;
        case 0xD34:
            mmfar_ = value;
            break;
        case 0xD38:
            bfar_ = value;
            break;
        case 0xD88:
            cpacr_ = value & 0x00F0'0000;
            break;
        case 0xF00:
            if ((value & 0x1FF) < kIrqs) set_pending(kFirstIrq + (value & 0x1FF), true);
            break;
        case 0xF34:
            fpccr_ = value;
            break;
        case 0xF38:
            fpcar_ = value;
            break;
        case 0xF3C:
            fpdscr_ = value;
            break;
        default:
            break;
    }
}

}  // namespace mcuota::board
