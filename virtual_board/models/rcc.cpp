// SPDX-License-Identifier: GPL-2.0-or-later
// Clock tree arithmetic and reset flags.

#include "virtual_board/models/rcc.hpp"

#include <algorithm>
#include <utility>

namespace mcuota::board {
namespace {

constexpr std::uint64_t kHsiHz = 16'000'000;
constexpr std::uint32_t kCauseBits = 0xFE00'0000;
constexpr std::uint32_t kRmvf = 1u << 24;
constexpr std::uint32_t kBdrst = 1u << 16;

[[nodiscard]] unsigned ahb_shift(std::uint32_t hpre) noexcept {
    if (hpre < 8) return 0;
    const unsigned shift = hpre - 7;  // 8 -> /2 ... 11 -> /16, 12 -> /64 (no /32)
    return shift >= 5 ? shift + 1 : shift;
}

[[nodiscard]] unsigned apb_shift(std::uint32_t ppre) noexcept {
    return ppre < 4 ? 0 : ppre - 3;
}

}  // namespace

const char* to_string(ResetCause cause) noexcept {
    switch (cause) {
        case ResetCause::pin:
            return "pin";
        case ResetCause::power:
            return "power";
        case ResetCause::software:
            return "software";
        case ResetCause::iwdg:
            return "iwdg";
    }
    return "unknown";
}

Rcc::Rcc(const Clock& clock, std::uint64_t hse_hz, std::uint64_t lsi_hz, Hooks hooks)
    : clock_(clock),
      hse_hz_(hse_hz),
      lsi_hz_(lsi_hz),
      hooks_(std::move(hooks)),
      oscillators_{{{kCr, 1u << 0, 1u << 1, 2 * kMicrosecond, kNever},       // HSI
                    {kCr, 1u << 16, 1u << 17, 2 * kMillisecond, kNever},     // HSE
                    {kCr, 1u << 24, 1u << 25, 100 * kMicrosecond, kNever},   // PLL
                    {kCr, 1u << 26, 1u << 27, 100 * kMicrosecond, kNever},   // PLLI2S
                    {kCr, 1u << 28, 1u << 29, 100 * kMicrosecond, kNever},   // PLLSAI
                    {kBdcr, 1u << 0, 1u << 1, 2 * kSecond, kNever},          // LSE
                    {kCsr, 1u << 0, 1u << 1, 40 * kMicrosecond, kNever}}} {  // LSI
    power_up();
}

void Rcc::power_up() {
    const std::uint32_t bdcr = regs_[kBdcr / 4];
    reset();
    regs_[kBdcr / 4] = bdcr;
    regs_[kCsr / 4] = (regs_[kCsr / 4] & ~kCauseBits) | 0x0E00'0000;
}

void Rcc::reset() {
    const std::uint32_t causes = regs_[kCsr / 4] & kCauseBits;
    const std::uint32_t bdcr = regs_[kBdcr / 4];
    regs_.fill(0);
    regs_[kCr / 4] = 0x83;
    regs_[kPllcfgr / 4] = 0x2400'3010;
    regs_[kAhb1enr / 4] = 0x0010'0000;
    regs_[kBdcr / 4] = bdcr;
    regs_[kCsr / 4] = causes;
    for (Oscillator& oscillator : oscillators_)
        if (oscillator.reg != kBdcr) oscillator.ready_at = kNever;
    update_tree();
}

void Rcc::note_reset(ResetCause cause) {
    regs_[kCsr / 4] |= 1u << static_cast<unsigned>(cause) | 1u << static_cast<unsigned>(ResetCause::pin);
}

std::uint32_t Rcc::peek(std::uint32_t offset) const {
    return offset / 4 < regs_.size() ? regs_[offset / 4] : 0;
}

void Rcc::write(std::uint32_t offset, std::uint32_t value) {
    if (offset / 4 >= regs_.size()) return;
    std::uint32_t& reg = regs_[offset / 4];
    const std::uint32_t old = reg;
    switch (offset) {
        case kCr: {
            constexpr std::uint32_t kReady = 1u << 1 | 1u << 17 | 1u << 25 | 1u << 27 | 1u << 29;
            reg = (value & ~(kReady | 0xFF00u)) | (old & (kReady | 0xFF00u));
            // The source of the system clock cannot be switched off.
            const std::uint32_t source = regs_[kCfgr / 4] >> 2 & 3;
            if (source == 0) reg |= 1u << 0;
            if (source == 1) reg |= 1u << 16;
            if (source == 2) reg |= 1u << 24 | (regs_[kPllcfgr / 4] >> 22 & 1 ? 1u << 16 : 1u << 0);
            break;
        }
        case kPllcfgr:
            if (regs_[kCr / 4] & 1u << 24) return;  // only while the PLL is off
            reg = value;
            break;
        case kCfgr:
            reg = (value & ~0xCu) | (old & 0xCu);
            break;
        case kBdcr:
            if (hooks_.backup_writable && !hooks_.backup_writable()) return;
            reg = (value & ~2u) | (old & 2u);
            if ((value & kBdrst) && !(old & kBdrst)) {
                reg = kBdrst;
                if (hooks_.backup_domain_reset) hooks_.backup_domain_reset();
            }
            break;
        case kCsr:
            reg = (old & (kCauseBits | 2u)) | (value & 1u);
            if (value & kRmvf) reg &= ~kCauseBits;
            break;
        case kAhb1rstr:
        case kApb1rstr:
        case kApb2rstr:
            reg = value;
            if (hooks_.peripheral_reset && (value & ~old)) hooks_.peripheral_reset(offset, value & ~old);
            break;
        default:
            reg = value;
            break;
    }
    update_oscillators();
    update_tree();
}

void Rcc::update_oscillators() {
    for (Oscillator& oscillator : oscillators_) {
        std::uint32_t& reg = regs_[oscillator.reg / 4];
        if (!(reg & oscillator.on)) {
            reg &= ~oscillator.ready;
            oscillator.ready_at = kNever;
        } else if (!(reg & oscillator.ready) && oscillator.ready_at == kNever) {
            const bool fitted = oscillator.on != 1u << 16 || oscillator.reg != kCr || hse_hz_ != 0;
            if (fitted) oscillator.ready_at = clock_.now() + oscillator.startup;
        }
    }
}

Time Rcc::deadline() const {
    Time first = kNever;
    for (const Oscillator& oscillator : oscillators_)
        first = std::min(first, oscillator.ready_at);
    return first;
}

void Rcc::advance() {
    for (Oscillator& oscillator : oscillators_) {
        if (oscillator.ready_at > clock_.now()) continue;
        oscillator.ready_at = kNever;
        regs_[oscillator.reg / 4] |= oscillator.ready;
    }
    update_tree();
}

std::uint64_t Rcc::pll_hz() const noexcept {
    const std::uint32_t cfg = regs_[kPllcfgr / 4];
    const std::uint64_t source = cfg >> 22 & 1 ? hse_hz_ : kHsiHz;
    const std::uint32_t m = cfg & 0x3F;
    const std::uint32_t n = cfg >> 6 & 0x1FF;
    const std::uint32_t p = ((cfg >> 16 & 3) + 1) * 2;
    return m == 0 ? 0 : source * n / m / p;
}

void Rcc::update_tree() {
    std::uint32_t& cfgr = regs_[kCfgr / 4];
    const std::uint32_t cr = regs_[kCr / 4];
    const std::uint32_t wanted = cfgr & 3;
    const bool ready = wanted == 0   ? cr & 1u << 1
                       : wanted == 1 ? cr & 1u << 17
                       : wanted == 2 ? cr & 1u << 25
                                     : false;
    if (ready) cfgr = (cfgr & ~0xCu) | wanted << 2;
    std::uint64_t sysclk = kHsiHz;
    if ((cfgr >> 2 & 3) == 1) sysclk = hse_hz_;
    if ((cfgr >> 2 & 3) == 2) sysclk = pll_hz();
    if (sysclk == 0) sysclk = kHsiHz;
    const std::uint64_t hclk = sysclk >> ahb_shift(cfgr >> 4 & 0xF);
    const std::uint64_t pclk1 = hclk >> apb_shift(cfgr >> 10 & 7);
    const std::uint64_t pclk2 = hclk >> apb_shift(cfgr >> 13 & 7);
    if (hclk == hclk_hz_ && pclk1 == pclk1_hz_ && pclk2 == pclk2_hz_) return;
    hclk_hz_ = hclk;
    pclk1_hz_ = pclk1;
    pclk2_hz_ = pclk2;
    if (hooks_.clocks_changed) hooks_.clocks_changed();
}

std::string Rcc::cause_text() const {
    static constexpr std::array<const char*, 7> kNames{"bor",  "pin",  "power",   "software",
                                                       "iwdg", "wwdg", "lowpower"};
    std::string text;
    for (unsigned i = 0; i < kNames.size(); ++i) {
        if (!(regs_[kCsr / 4] >> (25 + i) & 1)) continue;
        if (!text.empty()) text += '+';
        text += kNames[i];
    }
    return text.empty() ? "cleared" : text;
}

}  // namespace mcuota::board
