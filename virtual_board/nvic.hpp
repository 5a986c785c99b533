// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// Interrupt controller and system control block (ARMv7-M B1.5, B3.2, B3.4): which exception is taken next,
// and the registers around it. Stacking and vector fetch are the CPU shell's (exceptions.cpp).

#include <array>
#include <bitset>
#include <cstdint>
#include <functional>
#include <optional>

#include "virtual_board/device.hpp"

namespace mcuota::board {

/// Exception numbers; IRQ n is 16 + n.
enum Exception : unsigned {
    kNmi = 2,
    kHardFault = 3,
    kMemManage = 4,
    kBusFault = 5,
    kUsageFault = 6,
    kSvc = 11,
    kDebugMonitor = 12,
    kPendSv = 14,
    kSysTickException = 15,
    kFirstIrq = 16
};

/// The CPU's mask registers, as they stand when a decision is made.
struct Masks {
    std::uint32_t primask{0}, basepri{0}, faultmask{0};
};

class Nvic final : public Device {
  public:
    static constexpr unsigned kIrqs = 91;
    static constexpr unsigned kExceptions = kFirstIrq + kIrqs;
    // CFSR bits
    static constexpr std::uint32_t kIaccviol = 1u << 0, kMstkerr = 1u << 4, kIbuserr = 1u << 8,
                                   kPreciserr = 1u << 9, kImpreciserr = 1u << 10, kUnstkerr = 1u << 11,
                                   kStkerr = 1u << 12, kBfarvalid = 1u << 15, kUndefinstr = 1u << 16,
                                   kInvstate = 1u << 17, kInvpc = 1u << 18, kNocp = 1u << 19,
                                   kUnaligned = 1u << 24, kDivbyzero = 1u << 25;
    static constexpr std::uint32_t kHfsrVecttbl = 1u << 1, kHfsrForced = 1u << 30, kHfsrDebug = 1u << 31;

    /// `system_reset` is called on AIRCR.SYSRESETREQ.
    explicit Nvic(std::function<void()> system_reset) : system_reset_(std::move(system_reset)) { reset(); }

    /// Offsets from 0xE000E000.
    [[nodiscard]] std::uint32_t peek(std::uint32_t offset) const override;
    void write(std::uint32_t offset, std::uint32_t value) override;
    [[nodiscard]] std::uint32_t merge_base(std::uint32_t offset) const override {
        const bool write_one = (offset >= 0x100 && offset < 0x300) || (offset >= 0xD28 && offset <= 0xD30);
        return write_one ? 0 : peek(offset);
    }
    void reset() override;

    /// Level of an interrupt line; a rising level pends it, a line still high after the handler pends it
    /// again.
    void set_line(unsigned irq, bool level);
    void pend(unsigned exception) { set_pending(exception, true); }

    /// The exception to take now, if one may preempt what runs.
    [[nodiscard]] std::optional<unsigned> next(const Masks& masks) const noexcept;
    /// True when something enabled is pending, whatever the masks and the running handler say.
    [[nodiscard]] bool anything_pending() const noexcept { return pending_enabled_; }
    /// True when WFI ends: an exception that would be taken if PRIMASK were clear.
    [[nodiscard]] bool wakes(const Masks& masks) const noexcept;
    /// Priority the CPU executes at: lower is more urgent, 256 for thread mode without masks.
    [[nodiscard]] int execution_priority(const Masks& masks) const noexcept;

    void enter(unsigned exception);  ///< pending -> active
    void leave(unsigned exception);  ///< active -> inactive; pends again when the line is still high
    [[nodiscard]] bool active(unsigned exception) const noexcept { return active_[exception]; }
    [[nodiscard]] unsigned active_count() const noexcept { return static_cast<unsigned>(active_.count()); }

    /// Notes a synchronous fault and returns the exception that takes it (escalated when disabled or masked),
    /// or nothing when the CPU must lock up.
    [[nodiscard]] std::optional<unsigned> fault(unsigned exception, std::uint32_t cfsr_bits,
                                                const Masks& masks, std::uint32_t hfsr_bits = 0);
    void set_bfar(std::uint32_t address) noexcept { bfar_ = address; }

    [[nodiscard]] std::uint32_t vtor() const noexcept { return vtor_; }
    [[nodiscard]] bool sleep_on_exit() const noexcept { return scr_ & 2; }
    [[nodiscard]] bool fpu_enabled() const noexcept { return (cpacr_ >> 20 & 0xF) == 0xF; }
    [[nodiscard]] std::uint32_t cfsr() const noexcept { return cfsr_; }
    [[nodiscard]] std::uint32_t hfsr() const noexcept { return hfsr_; }
    /// IPSR as of the CPU, for ICSR.VECTACTIVE.
    void set_current(unsigned exception) noexcept { current_ = exception; }

  private:
    void set_pending(unsigned exception, bool value);
    void update();
    [[nodiscard]] int priority(unsigned exception) const noexcept;
    [[nodiscard]] int group(int priority) const noexcept;
    [[nodiscard]] bool enabled(unsigned exception) const noexcept {
        return exception < kFirstIrq || enabled_[exception];
    }
    [[nodiscard]] std::optional<unsigned> best() const noexcept;
    [[nodiscard]] std::uint32_t icsr() const noexcept;
    [[nodiscard]] std::uint32_t shcsr() const noexcept;

    std::function<void()> system_reset_;
    std::bitset<kExceptions + 32> pending_, active_, enabled_, line_;
    std::array<std::uint8_t, kExceptions + 32> priority_{};
    bool pending_enabled_{false};
    unsigned current_{0};
    std::uint32_t vtor_{0}, scr_{0}, ccr_{0x200}, cpacr_{0}, prigroup_{0}, fault_enables_{0};
    std::uint32_t cfsr_{0}, hfsr_{0}, dfsr_{0}, mmfar_{0}, bfar_{0}, fpccr_{0xC000'0000}, fpcar_{0},
        fpdscr_{0};
};

}  // namespace mcuota::board
