// SPDX-License-Identifier: GPL-2.0-or-later
// Time and events: the run loop, bus accesses, busy-wait skipping, DMA requests and interrupt lines.

#include <algorithm>
#include <cstring>

#include "virtual_board/board.hpp"

namespace mcuota::board {
namespace {

constexpr std::uint32_t kSramBase = 0x2000'0000;
constexpr std::uint32_t kDemcr = 0xE000'EDFC;
// A wait loop reads the same status register again after few instructions.
/// Instructions until masked interrupts are looked at again: normally, and when the program turns in one
/// block.
constexpr std::uint64_t kMaskedLook = 32, kHangLook = 4096;
constexpr std::uint64_t kWaitLoopInstructions = 64;
constexpr unsigned kWaitLoopRepeats = 3;
// One question to the NOR is two bytes on the SPI and a dozen register accesses.
constexpr std::uint64_t kNorPollInstructions = 512;
// Shorter waits are cheaper to execute than to skip, unless many short ones follow each other.
constexpr unsigned kLongWaitRepeats = 16;
constexpr Time kWaitWorthSkipping = 1 * kMicrosecond;

// Which stream and channel serve a peripheral's request: fact sheet 5.2.
struct UsartRoutes {
    unsigned usart;
    std::array<DmaRoute, 2> rx, tx;
};
constexpr std::array<UsartRoutes, 4> kUsartRoutes{{{0, {{{1, 2, 4}, {1, 5, 4}}}, {{{1, 7, 4}, {1, 7, 4}}}},
                                                   {1, {{{0, 5, 4}, {0, 5, 4}}}, {{{0, 6, 4}, {0, 6, 4}}}},
                                                   {2, {{{0, 1, 4}, {0, 1, 4}}}, {{{0, 3, 4}, {0, 3, 4}}}},
                                                   {3, {{{1, 1, 5}, {1, 2, 5}}}, {{{1, 6, 5}, {1, 7, 5}}}}}};
constexpr std::array<DmaRoute, 2> kSpi5Rx{{{1, 3, 2}, {1, 5, 7}}};
constexpr std::array<DmaRoute, 2> kSpi5Tx{{{1, 4, 2}, {1, 6, 7}}};

constexpr std::array<unsigned, 4> kUsartIrq{37, 38, 39, 71};
constexpr std::array<std::array<unsigned, 8>, 2> kDmaIrq{
    {{11, 12, 13, 14, 15, 16, 17, 47}, {56, 57, 58, 59, 60, 68, 69, 70}}};
constexpr unsigned kFlashIrq = 4;
constexpr unsigned kSpi5Irq = 85;

}  // namespace

Time Board::next_event() const {
    if (!powered_) return kNever;
    Time first = std::min({nor_->deadline(), cut_at_, bite_at_});
    for (const Device* device : timed_)
        first = std::min(first, device->deadline());
    return first;
}

bool Board::only_periodic_ahead() const {
    if (!powered_) return true;
    if (nor_->deadline() != kNever || cut_at_ != kNever || bite_at_ != kNever) return false;
    return std::none_of(timed_.begin(), timed_.end(), [](const Device* device) {
        return !device->periodic() && device->deadline() != kNever;
    });
}

void Board::work_off_events() {
    const Time target = clock_.now();
    for (Time event = next_event(); event <= target; event = next_event()) {
        clock_.show(event);
        if (nor_->deadline() <= event) nor_->advance();
        for (Device* device : timed_)
            if (device->deadline() <= event) device->advance();
        if (cut_at_ <= event) cut_now();  // behind what ends at this very moment
        if (bite_at_ <= event) {
            bite_at_ = kNever;
            request_reset(ResetCause::iwdg);
        }
        if (dying()) break;
        pump_dma();
    }
    clock_.show(target);
    update_lines();
}

void Board::skip_to(Time time) {
    if (time <= clock_.now()) return;
    if (only_periodic_ahead()) idle_time_ += time - clock_.now();
    clock_.advance_to(time);
}

void Board::plan_stop() {
    masked_until_ = 0;
    stop_tick_ = clock_.ticks_at(std::min(next_event(), limit_));
    attention_ = dying() || pending_fault_ || flash_->busy() || nvic_->anything_pending();
}

bool Board::serve_dma(const std::array<DmaRoute, 2>& routes, bool to_memory) {
    for (const DmaRoute& route : routes) {
        Dma& dma = *dmas_[route.controller];
        if (!dma.ready(route.stream, route.channel, to_memory)) continue;
        dma.serve(route.stream);
        return true;
    }
    return false;
}

bool Board::pump_spi() {
    bool moved = false;
    if (spi5_->dma_rx_request()) moved |= serve_dma(kSpi5Rx, true);
    if (spi5_->dma_tx_request()) moved |= serve_dma(kSpi5Tx, false);
    return moved;
}

void Board::pump_dma() {
    bool moved = true;
    while (moved) {
        moved = pump_spi();
        for (const UsartRoutes& routes : kUsartRoutes) {
            const Usart& usart = *usarts_[routes.usart];
            if (usart.dma_rx_request()) moved |= serve_dma(routes.rx, true);
            if (usart.dma_tx_request()) moved |= serve_dma(routes.tx, false);
        }
    }
}

/// While the program waits, byte after byte crosses the SPI by DMA and nothing else happens: the same as
/// working off these events one by one, at a tenth of the cost. Ends before any other event, and when the
/// program would notice.
void Board::run_spi(Time limit) {
    Time end = std::min({limit, nor_->deadline(), cut_at_, bite_at_});
    for (const Device* device : timed_)
        if (device != spi5_.get()) end = std::min(end, device->deadline());
    const Dma& dma = *dmas_[kSpi5Rx[0].controller];
    const std::uint8_t lines = dma.irqs();
    while (spi5_->deadline() < end && !status_changed() && dma.irqs() == lines) {
        clock_.show(spi5_->deadline());
        spi5_->advance();
        while (pump_spi()) {
        }
    }
    clock_.advance_to(clock_.now());
}

void Board::update_lines() {
    std::uint32_t levels = 0;
    for (unsigned i = 0; i < usarts_.size(); ++i)
        levels |= static_cast<std::uint32_t>(usarts_[i]->irq()) << i;
    levels |= static_cast<std::uint32_t>(spi5_->irq()) << 4 | static_cast<std::uint32_t>(flash_->irq()) << 5;
    levels |= std::uint32_t{dmas_[0]->irqs()} << 8 | std::uint32_t{dmas_[1]->irqs()} << 16;
    if (levels == lines_) return;  // after nearly every access
    lines_ = levels;
    for (unsigned i = 0; i < usarts_.size(); ++i)
        nvic_->set_line(kUsartIrq[i], levels >> i & 1);
    nvic_->set_line(kSpi5Irq, levels >> 4 & 1);
    nvic_->set_line(kFlashIrq, levels >> 5 & 1);
    for (unsigned controller = 0; controller < dmas_.size(); ++controller)
        for (unsigned stream = 0; stream < Dma::kStreams; ++stream)
            nvic_->set_line(kDmaIrq[controller][stream], levels >> (8 + 8 * controller + stream) & 1);
}

void Board::after_access() {
    pump_dma();
    update_lines();
    plan_stop();
}

bool Board::block_done(std::uint32_t instructions, std::uint32_t next) {
    clock_.count(instructions);
    instructions_ += instructions;
    if (instructions_ >= cut_instruction_) cut_now();
    if (!watches_.empty() && watched(next)) {
        if (watch_passed_ != next) return false;
        watch_passed_ = 0;
    }
    if (next - fence_begin_ < fence_bytes_) {
        fence_hit_ = true;
        return false;
    }
    if (clock_.ticks() < stop_tick_ && (!attention_ || instructions_ < masked_until_)) return true;
    clock_.sync();
    work_off_events();
    plan_stop();
    if (waiting_ || nor_wait_ || clock_.now() >= limit_ || dying() || pending_fault_ ||
        flash_->stalls(next < kFlashBase ? next + kFlashBase : next))
        return false;
    if (!nvic_->anything_pending()) return true;
    if (nvic_->next(masks())) return false;
    // Pending, but masked: the masks have no hook, so look again soon. A program that hangs in one block
    // cannot unmask anything; looking at every turn of it would cost a hundred times its own time.
    if (!flash_->busy()) masked_until_ = instructions_ + (next == masked_block_ ? kHangLook : kMaskedLook);
    masked_block_ = next;
    return true;
}

bool Board::gate_open(const Slot& slot, std::uint32_t address) {
    if (slot.enable_register == 0 || rcc_->gate_open(slot.enable_register, slot.enable_bit)) return true;
    std::array<char, 80> text{};
    std::snprintf(text.data(), text.size(), "access to 0x%08X while the peripheral's clock is off",
                  slot.base);
    (void)address;
    warn_once(text.data());
    return false;
}

void Board::bus_fault(std::uint32_t address, bool writing) {
    if (!pending_fault_) pending_fault_ = PendingFault{address, writing};
    attention_ = true;
    masked_until_ = 0;
}

/// A loop that waits for a status register cannot see anything new before the next event. It is stopped after
/// the present block; run() then goes straight to that event. Done there and not here, so that the result
/// does not depend on where the caller's time slices end.
void Board::recognise_wait(const Slot& slot, std::uint32_t address, std::uint32_t value) {
    const bool again = address == wait_address_ && value == wait_value_ &&
                       instructions_ - wait_instructions_ <= kWaitLoopInstructions;
    wait_repeats_ = again ? wait_repeats_ + 1 : 0;
    wait_address_ = address;
    wait_value_ = value;
    wait_instructions_ = instructions_;
    if (wait_repeats_ < kWaitLoopRepeats || !slot.device->status_register((address - slot.base) & ~3u))
        return;
    clock_.sync();
    if (wait_repeats_ < kLongWaitRepeats && next_event() <= clock_.now() + kWaitWorthSkipping) return;
    waiting_ = true;
    attention_ = true;
}

/// The same for a loop that asks the NOR again and again whether it is still busy: it sees nothing new before
/// the next event.
void Board::recognise_nor_wait() {
    if (nor_->busy_polls() == 0 || !nor_->busy() || dying()) return;
    const bool soon = instructions_ - nor_poll_instructions_ <= kNorPollInstructions;
    nor_poll_instructions_ = instructions_;
    if (!soon || nor_->busy_polls() < kWaitLoopRepeats) return;
    nor_wait_ = true;
    attention_ = true;
    masked_until_ = 0;
}

/// Whether the register the program waits on reads differently by now.
bool Board::status_changed() const {
    const Slot* slot = bus_.at(wait_address_);
    if (!slot) return true;
    const std::uint32_t offset = wait_address_ - slot->base;
    const std::uint32_t value = slot->device->peek(offset & ~3u) >> (8 * (offset & 3));
    return (value & wait_mask_) != (wait_value_ & wait_mask_);
}

std::uint32_t Board::bus_read(std::uint32_t address, unsigned size_bytes) {
    if (dying()) return 0;
    if (clock_.ticks() >= stop_tick_) {
        clock_.sync();
        work_off_events();
    }
    if (address == kDemcr) return dwt_->demcr();
    const Slot* slot = bus_.at(address);
    if (!slot) {
        if (address >= 0x2200'0000 && address < 0x2400'0000) return bit_band_read(address);
        if (address >= 0x4200'0000 && address < 0x4400'0000) return bit_band_read(address);
        if (!Bus::peripheral_space(address)) bus_fault(address, false);
        return 0;
    }
    if (!gate_open(*slot, address)) return 0;
    // What a plain read sees has not moved since the last event: no time, no consequences.
    const bool plain = slot->device->plain_read((address - slot->base) & ~3u);
    if (!plain) clock_.sync();
    const std::uint32_t value = Bus::read(*slot, address, size_bytes);
    if (!plain) after_access();
    recognise_wait(*slot, address, value);
    wait_mask_ = size_bytes >= 4 ? 0xFFFF'FFFFu : (1u << (8 * size_bytes)) - 1;
    return value;
}

void Board::bus_write(std::uint32_t address, unsigned size_bytes, std::uint32_t value) {
    if (dying()) return;
    clock_.sync();
    if (clock_.ticks() >= stop_tick_) work_off_events();
    wait_repeats_ = 0;
    if (address == kDemcr) return dwt_->set_demcr(value);
    const Slot* slot = bus_.at(address);
    if (!slot) {
        if ((address >= 0x2200'0000 && address < 0x2400'0000) ||
            (address >= 0x4200'0000 && address < 0x4400'0000))
            return bit_band_write(address, value);
        if (!Bus::peripheral_space(address)) bus_fault(address, true);
        return;
    }
    if (!gate_open(*slot, address)) return;
    Bus::write(*slot, address, size_bytes, value);
    after_access();
}

std::uint32_t Board::bit_band_read(std::uint32_t address) {
    const std::uint32_t offset = address & 0x01FF'FFFF;
    const std::uint32_t target = (address & 0xF000'0000) + offset / 32;
    const unsigned bit = offset / 4 % 8;
    std::uint32_t value = 0;
    if (!dma_read(target, 1, value)) bus_fault(address, false);
    return value >> bit & 1;
}

void Board::bit_band_write(std::uint32_t address, std::uint32_t value) {
    const std::uint32_t offset = address & 0x01FF'FFFF;
    const std::uint32_t target = ((address & 0xF000'0000) + offset / 32) & ~3u;
    const unsigned bit = offset / 4 % 8 + 8 * (offset / 32 % 4);
    std::uint32_t word = 0;
    if (!dma_read(target, 4, word)) return bus_fault(address, true);
    word = (word & ~(1u << bit)) | (value & 1) << bit;
    (void)dma_write(target, 4, word);
    after_access();
}

void Board::flash_store(std::uint32_t address, unsigned size_bytes, std::uint32_t value) {
    if (dying()) return;
    if (address < geometry_.size_bytes()) address += kFlashBase;  // the alias at 0 is the same flash
    clock_.sync();
    work_off_events();
    wait_repeats_ = 0;
    // The bus holds a second store until the running operation ends.
    if (flash_->busy()) {
        skip_to(flash_->deadline());
        work_off_events();
        if (dying()) return;
    }
    if (!geometry_.at(address)) return note("store to read-only memory ignored", address);
    flash_->store(address, value, size_bytes);
    after_access();
}

bool Board::dma_read(std::uint32_t address, unsigned size_bytes, std::uint32_t& value) {
    value = 0;
    if (address - kSramBase < sram_.size() && address - kSramBase + size_bytes <= sram_.size()) {
        std::memcpy(&value, sram_.data() + (address - kSramBase), size_bytes);
        return true;
    }
    if (address - kFlashBase < flash_bytes_.size() &&
        address - kFlashBase + size_bytes <= flash_bytes_.size()) {
        std::memcpy(&value, flash_bytes_.data() + (address - kFlashBase), size_bytes);
        return true;
    }
    const Slot* slot = bus_.at(address);
    if (!slot || !gate_open(*slot, address)) return false;
    value = Bus::read(*slot, address, size_bytes);
    return true;
}

bool Board::dma_write(std::uint32_t address, unsigned size_bytes, std::uint32_t value) {
    if (address - kSramBase < sram_.size() && address - kSramBase + size_bytes <= sram_.size()) {
        std::memcpy(sram_.data() + (address - kSramBase), &value, size_bytes);
        return true;
    }
    const Slot* slot = bus_.at(address);
    if (!slot || !gate_open(*slot, address)) return false;
    Bus::write(*slot, address, size_bytes, value);
    return true;
}

void Board::run(Time limit) {
    limit_ = limit;
    while (clock_.now() < limit) {
        if (!powered_) {
            skip_to(limit);
            return;
        }
        if (cut_due_) {
            cut_instruction_ = ~std::uint64_t{0};
            power_off(cut_keeps_backup_);
            if (hooks_.power_cut) hooks_.power_cut();
            return;
        }
        if (reset_request_) {
            do_reset();
            continue;
        }
        work_off_events();
        if (dying()) continue;
        const Time horizon = std::min(next_event(), limit);
        const std::uint32_t pc = cpu_->get(Reg::pc);
        if (!fence_hit_ && flash_->stalls(pc < kFlashBase ? pc + kFlashBase : pc)) {
            skip_to(std::min(horizon, flash_->deadline()));
            continue;
        }
        if (!locked_up_ && !fence_hit_ && pending_fault_) {
            const PendingFault fault = *pending_fault_;
            pending_fault_.reset();
            nvic_->set_bfar(fault.address);
            raise_fault(kBusFault, fault.writing ? Nvic::kImpreciserr : Nvic::kPreciserr | Nvic::kBfarvalid);
            continue;
        }
        if (locked_up_ || fence_hit_) {
            skip_to(horizon);
            continue;
        }
        if (deliver_pending()) sleeping_ = waiting_ = nor_wait_ = false;
        if (sleeping_ && nvic_->anything_pending() && nvic_->wakes(masks())) sleeping_ = false;
        if (sleeping_) {
            skip_to(horizon);
            continue;
        }
        if (waiting_) {
            skip_to(horizon);
            if (next_event() > limit) continue;
            // Something happens. The program looks at the register again only when that changed it (or when
            // an interrupt is taken).
            work_off_events();
            if (!dying() && !status_changed() && !nvic_->anything_pending()) run_spi(limit);
            if (dying() || status_changed()) waiting_ = false;
            continue;
        }
        if (nor_wait_) {
            skip_to(horizon);
            if (next_event() > limit) continue;
            nor_wait_ = false;  // whatever happens, the program may see it
            continue;
        }
        if (call_ && cpu_->get(Reg::pc) == call_->at) {
            go_on_with_call(horizon);
            continue;
        }
        if (!watches_.empty() && watch_at_pc()) continue;
        plan_stop();
        const Cpu::Stop stop = cpu_->run();
        clock_.sync();
        handle_stop(stop);
    }
}

bool Board::idle() const {
    if (!powered_ || sleeping_ || waiting_ || nor_wait_ || locked_up_ || fence_hit_) return true;
    const std::uint32_t pc = cpu_->get(Reg::pc);
    return flash_->stalls(pc < kFlashBase ? pc + kFlashBase : pc);
}

}  // namespace mcuota::board
