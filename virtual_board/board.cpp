// SPDX-License-Identifier: GPL-2.0-or-later
// Wiring: which model sits where and which pin reaches what. The board is the Fire F429 challenger: console
// on USART1 PA9/PA10, W25Q128 on SPI5 PF7-PF9 with chip select PF6, 25 MHz crystal.

#include "virtual_board/board.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace mcuota::board {
namespace {

constexpr std::uint32_t kSramBytes = 192 * 1024;
constexpr std::uint32_t kCcmBytes = 64 * 1024;
constexpr unsigned kPortF = 5;
constexpr unsigned kChipSelectPin = 6;

}  // namespace

Board::Board(const BoardConfig& config, std::span<std::uint8_t> flash, std::span<std::uint8_t> nor,
             BackupDomain& backup, BoardHooks hooks)
    : config_(config),
      hooks_(std::move(hooks)),
      clock_(16'000'000, config.cpi_ticks),
      random_(config.seed),
      geometry_(config.part),
      flash_bytes_(flash),
      nor_bytes_(nor),
      backup_(backup),
      sram_(kSramBytes),
      ccm_(kCcmBytes),
      info_page_(kInfoPageBytes),
      option_page_(kInfoPageBytes) {
    fill_info_page(info_page_, config_.chip_id, geometry_.size_bytes());
    fill_option_page(option_page_);
    build_models();
    build_bus();
}

Board::~Board() = default;

std::string Board::failure() const {
    return cpu_ ? cpu_->failed() : std::string();
}

std::uint32_t Board::pc() const noexcept {
    return cpu_ ? cpu_->get(Reg::pc) : 0;
}

void Board::build_models() {
    const auto note_hook = [this](const char* what, std::uint32_t address) { note(what, address); };
    nvic_ = std::make_unique<Nvic>([this] { request_reset(ResetCause::software); });
    systick_ = std::make_unique<SysTick>(clock_, [this] { nvic_->pend(kSysTickException); });
    pwr_ = std::make_unique<Pwr>();
    const auto backup_writable = [this] { return pwr_->backup_writable(); };
    rtc_ = std::make_unique<Rtc>(backup_, backup_writable);
    backup_sram_ = std::make_unique<BackupSram>(backup_, backup_writable);
    Rcc::Hooks rcc_hooks;
    rcc_hooks.clocks_changed = [this] { clocks_changed(); };
    rcc_hooks.peripheral_reset = [this](std::uint32_t reg, std::uint32_t bits) {
        peripheral_reset(reg, bits);
    };
    rcc_hooks.backup_domain_reset = [this] { rtc_->domain_reset(); };
    rcc_hooks.backup_writable = backup_writable;
    rcc_ = std::make_unique<Rcc>(clock_, config_.hse_hz, config_.lsi_hz, std::move(rcc_hooks));
    FlashController::Hooks flash_hooks;
    flash_hooks.content_changed = [this](std::uint32_t begin, std::uint32_t end) {
        if (cpu_) cpu_->code_changed(begin, end);
    };
    flash_hooks.note = note_hook;
    const auto gate = [this](OperationKind kind, std::uint32_t address, std::uint32_t size_bytes,
                             Time duration) { return operation_begins(kind, address, size_bytes, duration); };
    flash_hooks.begins = gate;
    flash_hooks.erases = hooks_.erases;
    flash_hooks.bus_error = [this] { bus_fault(0x4002'3C04, true); };
    flash_ =
        std::make_unique<FlashController>(clock_, geometry_, flash_bytes_, random_, std::move(flash_hooks));
    nor_ = std::make_unique<W25q>(clock_, nor_bytes_, random_, note_hook);
    nor_->set_gate(gate);
    nor_->set_erase_notice(hooks_.erases);
    flash_->set_faults(&faults_);
    nor_->set_faults(&faults_);
    for (char port = 'A'; port <= 'K'; ++port)
        gpios_.push_back(
            std::make_unique<Gpio>(port, port == 'F' ? std::function<void()>([this] { outputs_changed(); })
                                                     : std::function<void()>()));
    const auto pclk1 = [this] { return rcc_->pclk1_hz(); };
    const auto pclk2 = [this] { return rcc_->pclk2_hz(); };
    usarts_[0] = std::make_unique<Usart>(
        clock_, pclk2,
        [this](std::uint8_t byte) {
            if (!gpios_[0]->alternate(9, 7))
                return warn_once("USART1 sends, but PA9 is not its TX pin (AF7)");
            if (hooks_.console_sent) hooks_.console_sent(byte);
        },
        [this](const char* what) { note(what, usarts_[0]->peek(Usart::kCr3)); });
    usarts_[1] = std::make_unique<Usart>(clock_, pclk1, [](std::uint8_t) {});
    usarts_[2] = std::make_unique<Usart>(clock_, pclk1, [](std::uint8_t) {});
    usarts_[3] = std::make_unique<Usart>(clock_, pclk2, [](std::uint8_t) {});
    for (auto& dma : dmas_)
        dma = std::make_unique<Dma>(static_cast<DmaPort&>(*this));
    spi5_ = std::make_unique<Spi>(clock_, pclk2, [this](std::uint8_t out) -> std::uint8_t {
        const Gpio& port = *gpios_[kPortF];
        if (!port.alternate(7, 5) || !port.alternate(8, 5) || !port.alternate(9, 5)) {
            warn_once("SPI5 runs, but PF7, PF8, PF9 are not its pins (AF5)");
            return 0xFF;
        }
        return nor_->exchange(out);
    });
    iwdg_ = std::make_unique<Iwdg>(
        clock_, config_.lsi_hz, [this] { return rcc_->lsi_on(); },
        [this] { request_reset(ResetCause::iwdg); });
    dbgmcu_ = std::make_unique<Dbgmcu>();
    dwt_ = std::make_unique<Dwt>(clock_);
    timed_ = {systick_.get(), flash_.get(), rcc_.get(), spi5_.get(), iwdg_.get()};
    for (auto& usart : usarts_)
        timed_.push_back(usart.get());
}

void Board::build_bus() {
    constexpr std::uint32_t kAhb1 = Rcc::kAhb1enr, kApb1 = Rcc::kApb1enr, kApb2 = Rcc::kApb2enr;
    bus_.add({rtc_.get(), 0x4000'2800, 0x400, 0, 0});
    bus_.add({iwdg_.get(), 0x4000'3000, 0x400, 0, 0});
    bus_.add({usarts_[1].get(), 0x4000'4400, 0x400, kApb1, 17});
    bus_.add({usarts_[2].get(), 0x4000'4800, 0x400, kApb1, 18});
    bus_.add({pwr_.get(), 0x4000'7000, 0x400, kApb1, 28});
    bus_.add({usarts_[0].get(), 0x4001'1000, 0x400, kApb2, 4});
    bus_.add({usarts_[3].get(), 0x4001'1400, 0x400, kApb2, 5});
    bus_.add({spi5_.get(), 0x4001'5000, 0x400, kApb2, 20});
    for (unsigned port = 0; port < gpios_.size(); ++port)
        bus_.add({gpios_[port].get(), 0x4002'0000 + 0x400 * port, 0x400, kAhb1, port});
    bus_.add({rcc_.get(), 0x4002'3800, 0x400, 0, 0});
    bus_.add({flash_.get(), 0x4002'3C00, 0x400, 0, 0});
    bus_.add({backup_sram_.get(), 0x4002'4000, 0x1000, kAhb1, 18});
    bus_.add({dmas_[0].get(), 0x4002'6000, 0x400, kAhb1, 21});
    bus_.add({dmas_[1].get(), 0x4002'6400, 0x400, kAhb1, 22});
    bus_.add({systick_.get(), 0xE000'E010, 0x10, 0, 0});  // before the block around it
    bus_.add({nvic_.get(), 0xE000'E000, 0x1000, 0, 0});
    bus_.add({dwt_.get(), 0xE000'1000, 0x1000, 0, 0});
    bus_.add({dbgmcu_.get(), 0xE004'2000, 0x400, 0, 0});
}

void Board::note(const char* what, std::uint32_t address) {
    if (!hooks_.trace) return;
    std::array<char, 160> line{};
    const int length = std::snprintf(line.data(), line.size(), "%s 0x%08X", what, address);
    if (length > 0) hooks_.trace(std::string_view(line.data(), static_cast<std::size_t>(length)));
}

void Board::warn_once(std::string text) {
    if (std::find(warned_.begin(), warned_.end(), text) != warned_.end()) return;
    if (hooks_.warning) hooks_.warning(text);
    if (hooks_.trace) hooks_.trace("warning: " + text);
    warned_.push_back(std::move(text));
}

void Board::clocks_changed() {
    if (!rcc_) return;
    clock_.set_hz(rcc_->hclk_hz());
    if (!flash_) return;
    // 2.7-3.6 V: one wait state per started 30 MHz above the first.
    const std::uint64_t needed = (rcc_->hclk_hz() - 1) / 30'000'000;
    if (flash_->wait_states() < needed)
        warn_once("core clock " + std::to_string(rcc_->hclk_hz() / 1'000'000) + " MHz with " +
                  std::to_string(flash_->wait_states()) + " flash wait states; real hardware needs " +
                  std::to_string(needed));
}

void Board::outputs_changed() {
    // During construction and while floating the pull-up on the board keeps the chip deselected.
    if (gpios_.size() <= kPortF || !nor_) return;
    nor_->select(!gpios_[kPortF]->level(kChipSelectPin, true));
    recognise_nor_wait();
}

void Board::peripheral_reset(std::uint32_t reset_register, std::uint32_t bits) {
    // xxxRSTR has the bit layout of the xxxENR 0x20 further on.
    for (const Slot& slot : bus_.slots())
        if (slot.enable_register == reset_register + 0x20 && (bits >> slot.enable_bit & 1))
            slot.device->reset();
}

void Board::power_on() {
    if (powered_) return;
    powered_ = true;
    Random fixed(garbage_seed_.value_or(0));
    Random& garbage = garbage_seed_ ? fixed : random_;
    for (auto* memory : {&sram_, &ccm_})
        garbage.fill(*memory);
    rcc_->power_up();
    clock_.advance_to(clock_.now() + 1500 * kMicrosecond);
    last_reset_ = ResetCause::power;
    reset_request_ = ResetCause::power;
    do_reset();
}

void Board::power_off(bool vbat) {
    if (!powered_) return;
    flash_->power_cut();
    nor_->power_cut();
    powered_ = false;
    sleeping_ = waiting_ = nor_wait_ = locked_up_ = fence_hit_ = false;
    reset_request_.reset();
    pending_fault_.reset();
    call_.reset();
    cut_due_ = false;
    cut_at_ = bite_at_ = kNever;
    for (const Slot& slot : bus_.slots())
        slot.device->reset();
    for (auto& usart : usarts_)
        usart->drop_line();
    if (!vbat) {
        rtc_->domain_reset();
        std::generate(backup_.sram.begin(), backup_.sram.end(), [this] { return random_.byte(); });
    }
    note("power: off", 0);
}

void Board::plan_cut(const CutPlan& plan) {
    cut_plan_ = plan;
    cut_at_ = plan.unit == CutPlan::Unit::time ? plan.at : kNever;
    cut_instruction_ = plan.unit == CutPlan::Unit::instruction ? plan.at : ~std::uint64_t{0};
    if (cpu_) plan_stop();
}

void Board::set_cut_effects(Tear tear, bool vbat) {
    flash_->set_tear(tear);
    nor_->set_tear(tear);
    cut_keeps_backup_ = vbat;
}

bool Board::operation_begins(OperationKind kind, std::uint32_t address, std::uint32_t size_bytes,
                             Time duration) {
    if (dying()) return false;
    const MemoryOperation operation{operations_++, kind, address, size_bytes, duration};
    Fate fate = hooks_.operation ? hooks_.operation(operation) : Fate::runs;
    if (cut_plan_.unit == CutPlan::Unit::operation && cut_plan_.at == operation.number)
        fate = cut_plan_.moment == CutMoment::before   ? Fate::cut_before
               : cut_plan_.moment == CutMoment::inside ? Fate::cut_inside
                                                       : Fate::cut_after;
    switch (fate) {
        case Fate::runs:
            return true;
        case Fate::cut_before:
            cut_now();
            return false;
        case Fate::cut_inside:
            cut_at_ = clock_.now() + duration / 2;
            break;
        case Fate::cut_after:
            cut_at_ = clock_.now() + duration;
            break;
        case Fate::reset_inside:
            bite_at_ = clock_.now() + duration / 2;
            break;
    }
    attention_ = true;
    return true;
}

void Board::cut_now() {
    cut_due_ = true;
    attention_ = true;
    masked_until_ = 0;
}

void Board::console_receive(Usart::LineByte byte, Time byte_time) {
    if (!powered_) return;
    if (!gpios_[0]->alternate(10, 7)) {
        // The pin does not reach the USART; the byte is lost like on an unconnected receiver.
        warn_once("bytes arrive, but PA10 is not USART1's RX pin (AF7)");
        return;
    }
    usarts_[0]->receive(byte, byte_time);
    plan_stop();
}

}  // namespace mcuota::board
