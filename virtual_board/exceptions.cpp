// SPDX-License-Identifier: GPL-2.0-or-later
// Resets, exception entry and return, faults (ARMv7-M B1.5). The engine has no interrupt controller: frames
// are pushed and popped here, between two blocks.

#include <array>
#include <cstring>

#include "virtual_board/board.hpp"

namespace mcuota::board {
namespace {

constexpr std::uint32_t kBasicFrameWords = 8;
constexpr std::uint32_t kExtendedFrameWords = 26;
constexpr std::uint32_t kFpca = 4;
constexpr std::uint32_t kSpsel = 2;
constexpr std::uint32_t kPadFlag = 1u << 9;
constexpr std::uint32_t kThumb = 1u << 24;
constexpr std::uint32_t kEntryCycles = 12;
constexpr std::uint32_t kReturnCycles = 10;

[[nodiscard]] bool read_words(const Cpu& cpu, std::uint32_t address, std::uint32_t* words,
                              std::uint32_t count) {
    const std::uint8_t* from = cpu.memory(address, 4 * count, false);
    if (!from || address % 4 != 0) return false;
    std::memcpy(words, from, 4 * count);
    return true;
}

}  // namespace

void Board::request_reset(ResetCause cause) {
    if (!powered_ || dying()) return;
    reset_request_ = cause;
    attention_ = true;
    masked_until_ = 0;
}

void Board::do_reset() {
    const ResetCause cause = *reset_request_;
    if (cause != ResetCause::power) {
        clock_.advance_to(clock_.now() +
                          20 * kMicrosecond);  // NRST is held low by the internal pulse generator
        rcc_->note_reset(cause);
    }
    pending_fault_.reset();
    sleeping_ = waiting_ = nor_wait_ = locked_up_ = fence_hit_ = false;
    watch_passed_ = 0;
    call_.reset();
    std::erase_if(watches_, [](const Watch& watch) { return watch.once; });
    wait_repeats_ = 0;
    lines_ = 0;
    for (const Slot& slot : bus_.slots())
        slot.device->reset();
    flash_->started();
    nor_->started();
    faults_.chip_reset();
    reset_request_.reset();
    clock_.set_hz(rcc_->hclk_hz());
    clock_.start_afresh();
    last_reset_ = cause;
    ++resets_;
    note("reset: begins to run, RCC_CSR", rcc_->peek(Rcc::kCsr));
    start_cpu();
    if (hooks_.reset) hooks_.reset(cause);
}

void Board::start_cpu() {
    // The engine gets the registers of a reset core; the memories keep their content.
    std::vector<MemoryRegion> regions{
        {0, flash_bytes_.data(), geometry_.size_bytes(), false, true},
        {kFlashBase, flash_bytes_.data(), geometry_.size_bytes(), false, true},
        {0x1000'0000, ccm_.data(), static_cast<std::uint32_t>(ccm_.size()), true, false},
        {kInfoPageBase, info_page_.data(), kInfoPageBytes, false, false},
        {kOptionPageBase, option_page_.data(), kInfoPageBytes, false, false},
        {0x2000'0000, sram_.data(), static_cast<std::uint32_t>(sram_.size()), true, true},
    };
    if (cpu_)
        cpu_->restart();
    else
        cpu_ = std::make_unique<Cpu>(static_cast<CpuBus&>(*this), regions);
    if (!cpu_->failed().empty()) return lock_up("the CPU engine cannot be opened");
    std::array<std::uint32_t, 2> vector{};
    (void)read_words(*cpu_, 0, vector.data(), 2);
    cpu_->set(Reg::msp, vector[0] & ~3u);
    cpu_->set(Reg::lr, 0xFFFF'FFFF);
    cpu_->set(Reg::pc, vector[1]);
    plan_stop();
    if (!(vector[1] & 1)) return raise_fault(kUsageFault, Nvic::kInvstate);
    if (!cpu_->memory(vector[1] & ~1u, 2, false)) return raise_fault(kBusFault, Nvic::kIbuserr);
}

Masks Board::masks() const {
    return {cpu_->get(Reg::primask), cpu_->get(Reg::basepri), cpu_->get(Reg::faultmask)};
}

bool Board::deliver_pending() {
    if (!nvic_->anything_pending()) return false;
    const std::optional<unsigned> exception = nvic_->next(masks());
    if (!exception) return false;
    enter_exception(*exception);
    return true;
}

void Board::lock_up(const char* why) {
    if (!locked_up_) {
        note(why, cpu_ ? cpu_->get(Reg::pc) : 0);
        note("cpu: lockup, waiting for a reset", 0);
        warn_once(std::string("CPU locked up: ") + why);
    }
    locked_up_ = true;
}

void Board::raise_fault(unsigned exception, std::uint32_t cfsr_bits, std::uint32_t hfsr_bits) {
    const std::optional<unsigned> taken = nvic_->fault(exception, cfsr_bits, masks(), hfsr_bits);
    note("cpu: fault, CFSR", nvic_->cfsr());
    if (!taken) return lock_up("fault inside a fault handler at");
    enter_exception(*taken);
}

void Board::enter_exception(unsigned exception) {
    Cpu& cpu = *cpu_;
    const std::uint32_t control = cpu.get(Reg::control);
    const std::uint32_t xpsr = cpu.get(Reg::xpsr);
    const bool thread = (xpsr & 0x1FF) == 0;
    const bool fp = control & kFpca;
    const std::uint32_t words = fp ? kExtendedFrameWords : kBasicFrameWords;
    const std::uint32_t sp = cpu.get(Reg::sp);
    const std::uint32_t pad = sp & 4;
    const std::uint32_t frame = (sp - 4 * words) & ~7u;
    std::array<std::uint32_t, kExtendedFrameWords> stacked{
        cpu.get(Reg::r0),  cpu.get(Reg::r1),
        cpu.get(Reg::r2),  cpu.get(Reg::r3),
        cpu.get(Reg::r12), cpu.get(Reg::lr),
        cpu.get(Reg::pc),  (xpsr & ~kPadFlag) | kThumb | (pad ? kPadFlag : 0)};
    if (fp)
        for (unsigned i = 0; i < 16; ++i)
            stacked[kBasicFrameWords + i] = cpu.fp_word(i);
    if (fp) stacked[kBasicFrameWords + 16] = cpu.fp_word(32);
    std::uint8_t* memory = cpu.memory(frame, 4 * words, true);
    if (!memory) {
        // The stack is gone. A fault that cannot be stacked ends in HardFault, and that in lockup.
        (void)nvic_->fault(kBusFault, Nvic::kStkerr, masks());
        return lock_up("no memory at the stack pointer for an exception frame");
    }
    std::memcpy(memory, stacked.data(), 4 * words);
    std::uint32_t vector = 0;
    const std::uint32_t table = nvic_->vtor();
    if (!read_words(cpu, table + 4 * exception, &vector, 1) || !(vector & 1) ||
        !cpu.memory(vector & ~1u, 2, false)) {
        (void)nvic_->fault(kHardFault, 0, masks(), Nvic::kHfsrVecttbl);
        if (exception == kHardFault) return lock_up("HardFault without a usable vector");
        if (nvic_->active(kHardFault)) return lock_up("no usable vector inside a HardFault");
        note("cpu: exception without a usable vector", exception);
        return enter_exception(kHardFault);
    }
    cpu.set(Reg::sp, frame);
    cpu.set(Reg::control, control & ~(kFpca | kSpsel));
    cpu.set(Reg::xpsr, (xpsr & 0xF80F'0000) | kThumb | exception);  // IPSR, IT bits cleared
    cpu.refresh_mode();
    cpu.set(Reg::lr,
            0xFFFF'FFE1 | (thread ? 8u : 0u) | (thread && (control & kSpsel) ? 4u : 0u) | (fp ? 0u : 0x10u));
    cpu.set(Reg::pc, vector);
    nvic_->enter(exception);
    if (thread) handler_begun_ = instructions_;
    ++exceptions_;
    sleeping_ = false;
    clock_.add_cycles(kEntryCycles);
    if (hooks_.trace && exception != kSysTickException) note("cpu: takes exception", exception);
}

void Board::return_from_exception(std::uint32_t exc_return) {
    Cpu& cpu = *cpu_;
    const unsigned leaving = cpu.get(Reg::xpsr) & 0x1FF;
    const bool thread = exc_return & 8;
    const bool psp = exc_return & 4;
    const bool fp = !(exc_return & 0x10);
    const bool valid = (exc_return & 0xFFFF'FFE0) == 0xFFFF'FFE0 && ((exc_return & 0xF) == 1 || thread);
    const bool nested = nvic_->active_count() > 1;
    if (!valid || (thread && nested) || (!thread && !nested)) {
        nvic_->leave(leaving);
        return raise_fault(kUsageFault, Nvic::kInvpc);
    }
    std::array<std::uint32_t, kExtendedFrameWords> frame{};
    const std::uint32_t words = fp ? kExtendedFrameWords : kBasicFrameWords;
    const std::uint32_t sp = cpu.get(psp ? Reg::psp : Reg::msp);
    if (!read_words(cpu, sp, frame.data(), words))
        return lock_up("no memory at the stack pointer on exception return");
    if (leaving != kNmi) cpu.set(Reg::faultmask, 0);
    nvic_->leave(leaving);
    const std::uint32_t xpsr = frame[7];
    const std::uint32_t control = cpu.get(Reg::control) & ~(kSpsel | kFpca);
    cpu.set(Reg::xpsr, (xpsr & ~kPadFlag & 0xFE0F'FC00) | kThumb | (thread ? 0 : xpsr & 0x1FF));
    cpu.refresh_mode();
    cpu.set(Reg::control, control | (thread && psp ? kSpsel : 0) | (fp ? kFpca : 0));
    cpu.refresh_mode();
    cpu.set(psp ? Reg::psp : Reg::msp, sp + 4 * words + (xpsr & kPadFlag ? 4 : 0));
    cpu.set(Reg::r0, frame[0]);
    cpu.set(Reg::r1, frame[1]);
    cpu.set(Reg::r2, frame[2]);
    cpu.set(Reg::r3, frame[3]);
    cpu.set(Reg::r12, frame[4]);
    cpu.set(Reg::lr, frame[5]);
    cpu.set(Reg::pc, frame[6]);
    if (fp) {
        for (unsigned i = 0; i < 16; ++i)
            cpu.set_fp_word(i, frame[kBasicFrameWords + i]);
        cpu.set_fp_word(32, frame[kBasicFrameWords + 16]);
    }
    nvic_->set_current(thread ? 0 : xpsr & 0x1FF);
    if (thread) handler_instructions_ += instructions_ - handler_begun_;
    clock_.add_cycles(kReturnCycles);
    if (thread && nvic_->sleep_on_exit()) sleeping_ = true;
}

void Board::supervisor_call() {
    nvic_->pend(kSvc);
    const std::optional<unsigned> next = nvic_->next(masks());
    if (next == kSvc) return enter_exception(kSvc);
    // SVC that cannot be taken at once escalates (ARMv7-M B1.5.14).
    nvic_->write(0xD24, nvic_->peek(0xD24));
    raise_fault(kHardFault, 0, Nvic::kHfsrForced);
}

void Board::handle_stop(Cpu::Stop stop) {
    if (dying()) return;
    if (nvic_->fpu_enabled() == false && (cpu_->get(Reg::control) & kFpca) && stop != Cpu::Stop::exc_return)
        warn_once("floating-point code runs while CPACR keeps the FPU off: a real core takes a UsageFault");
    switch (stop) {
        case Cpu::Stop::asked:
            break;
        case Cpu::Stop::wfi:
            sleeping_ = true;
            break;
        case Cpu::Stop::wfe:
            // Waking early is allowed: at most until the next event of any kind.
            skip_to(std::min(next_event(), limit_));
            break;
        case Cpu::Stop::svc:
            supervisor_call();
            break;
        case Cpu::Stop::breakpoint:
            raise_fault(kHardFault, 0, Nvic::kHfsrDebug);
            break;
        case Cpu::Stop::exc_return:
            return_from_exception(cpu_->exc_return());
            break;
        case Cpu::Stop::undefined:
            raise_fault(kUsageFault, cpu_->get(Reg::xpsr) & kThumb ? Nvic::kUndefinstr : Nvic::kInvstate);
            break;
        case Cpu::Stop::fetch_fault: {
            const bool executable_never =
                cpu_->get(Reg::pc) >= 0xE000'0000 || cpu_->memory(cpu_->get(Reg::pc), 2, false);
            raise_fault(executable_never ? kMemManage : kBusFault,
                        executable_never ? Nvic::kIaccviol : Nvic::kIbuserr);
            break;
        }
        case Cpu::Stop::bad_access:
            raise_fault(kBusFault, Nvic::kImpreciserr);
            break;
    }
}

}  // namespace mcuota::board
