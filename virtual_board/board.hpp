// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// The whole board: CPU, memories and models on one clock. It knows neither files nor sockets nor wall time;
// the program around it (runner.hpp) owns those.

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "virtual_board/bus.hpp"
#include "virtual_board/clock.hpp"
#include "virtual_board/cpu.hpp"
#include "virtual_board/faults.hpp"
#include "virtual_board/models/dma.hpp"
#include "virtual_board/models/flash_controller.hpp"
#include "virtual_board/models/gpio.hpp"
#include "virtual_board/models/ids.hpp"
#include "virtual_board/models/iwdg.hpp"
#include "virtual_board/models/pwr_rtc.hpp"
#include "virtual_board/models/rcc.hpp"
#include "virtual_board/models/spi.hpp"
#include "virtual_board/models/systick.hpp"
#include "virtual_board/models/usart.hpp"
#include "virtual_board/models/w25q.hpp"
#include "virtual_board/nvic.hpp"
#include "virtual_board/power.hpp"
#include "virtual_board/random.hpp"

namespace mcuota::board {

struct BoardConfig {
    Part part{Part::single_1mb};
    std::uint64_t hse_hz{25'000'000};
    std::uint64_t lsi_hz{32'000};
    std::uint32_t cpi_ticks{
        1331};  ///< cycles per instruction in 1/1024: 1.3, between the 1.2 and 1.5 of a real F429
    std::uint64_t seed{1};
    ChipId chip_id{0x24, 0x00, 0x39, 0x00, 0x0E, 0x51, 0x38, 0x32, 0x36, 0x33, 0x34, 0x32};
};

/// Where the board's words go. All may be empty.
struct BoardHooks {
    std::function<void(std::uint8_t)> console_sent;         ///< a byte left USART1's TX pin
    std::function<void(ResetCause)> reset;                  ///< after each reset or power-up
    std::function<void(std::string_view line)> trace;       ///< one device event
    std::function<void(std::string_view warning)> warning;  ///< firmware does what real hardware punishes
    /// A flash or NOR operation is about to begin; empty: it runs. Called from inside the CPU engine.
    std::function<Fate(const MemoryOperation&)> operation;
    EraseNotice erases;               ///< cells of flash or NOR get blank just now
    std::function<void()> power_cut;  ///< a planned cut has happened; the board is off
};

/// A stream and its channel at one of the two DMA controllers.
struct DmaRoute {
    unsigned controller, stream, channel;
};

class Board final : private CpuBus, private DmaPort {
  public:
    /// `flash` and `nor` hold the whole memories; they and `backup` outlive the board and are written
    /// through.
    Board(const BoardConfig& config, std::span<std::uint8_t> flash, std::span<std::uint8_t> nor,
          BackupDomain& backup, BoardHooks hooks);
    ~Board() override;
    Board(const Board&) = delete;
    Board& operator=(const Board&) = delete;

    /// Why the CPU engine could not be opened; empty when all is well.
    [[nodiscard]] std::string failure() const;

    void power_on();
    /// Randomness begins anew: unsteady cells read by `seed` from the next start on.
    void reseed(std::uint64_t seed) { random_ = Random(seed); }
    /// From now on RAM holds the same garbage at each power-up.
    void fix_garbage(std::uint64_t seed) { garbage_seed_ = seed; }
    [[nodiscard]] std::uint64_t randomness() const noexcept { return random_.state(); }
    /// Cuts the power. With `vbat` false the backup domain is lost too.
    void power_off(bool vbat = true);
    [[nodiscard]] bool powered() const noexcept { return powered_; }
    /// Plans a cut; a plan made before is forgotten.
    void plan_cut(const CutPlan& plan);
    /// What cuts leave of an operation, and whether they take the backup domain, too.
    void set_cut_effects(Tear tear, bool vbat);
    void set_tear(Tear tear) { set_cut_effects(tear, cut_keeps_backup_); }
    /// Code in [begin, end) is not executed: a core that gets there halts until the next reset, and
    /// fence_hit() tells. Time and devices go on.
    void set_fence(std::uint32_t begin, std::uint32_t end) noexcept {
        fence_begin_ = begin;
        fence_bytes_ = end - begin;
    }
    [[nodiscard]] bool fence_hit() const noexcept { return fence_hit_; }
    /// `visit` is called each time execution gets to `address`, before it is executed, outside the engine.
    void watch_code(std::uint32_t address, std::function<void()> visit);
    /// The same, but only the next time.
    void watch_code_once(std::uint32_t address, std::function<void()> visit);
    /// For visitors at a function's first instruction: it is not executed, but returns `result` after
    /// `instructions` instructions of its own; interrupts come in between.
    void finish_call(std::uint32_t result, std::uint64_t instructions);
    /// Bytes of RAM or flash the core sees at `address`; null when it is neither. Flash is not to be written.
    [[nodiscard]] std::uint8_t* memory(std::uint32_t address, std::uint32_t size_bytes) {
        return cpu_ ? cpu_->memory(address, size_bytes, false) : nullptr;
    }
    /// What is broken in its memories.
    [[nodiscard]] Faults& faults() noexcept { return faults_; }
    [[nodiscard]] const Faults& faults() const noexcept { return faults_; }
    /// Pulls the watchdog's way to reset: what a program that hangs would meet.
    void bite() { request_reset(ResetCause::iwdg); }
    /// The NOR, for who stands in for a program the board does not run.
    [[nodiscard]] W25q& nor_chip() noexcept { return *nor_; }
    /// Operations begun since the board was built.
    [[nodiscard]] std::uint64_t operations() const noexcept { return operations_; }
    /// Pulls NRST.
    void reset_pin() { request_reset(ResetCause::pin); }

    /// Runs until virtual time reaches `limit` (it may end a few instructions later).
    void run(Time limit);

    [[nodiscard]] Time now() const noexcept { return clock_.now(); }
    /// When anything next happens without the CPU's doing.
    [[nodiscard]] Time next_event() const;
    /// True while the CPU sleeps, stalls, is locked up or only waits for an event.
    [[nodiscard]] bool idle() const;
    /// idle(), and nothing but periodic timers lie ahead.
    [[nodiscard]] bool quiet() const { return idle() && only_periodic_ahead(); }
    /// Virtual time passed idle with nothing but periodic timers ahead: the part a host may slow down.
    [[nodiscard]] Time idle_time() const noexcept { return idle_time_; }

    [[nodiscard]] Usart& console() noexcept { return *usarts_[0]; }
    /// Speed at which USART1 sends and hears; 0 while its transmitter and receiver are off.
    [[nodiscard]] std::uint64_t console_baud() const noexcept { return usarts_[0]->baud(); }
    /// A byte arrives on PA10.
    void console_receive(Usart::LineByte byte, Time byte_time = 0);

    /// `visit` gets what a debugger would read in the peripherals, one register after the other.
    template <class Visit>
    void visit_registers(Visit visit) const {
        constexpr std::uint32_t kRegistersMax = 0x100;  // no modelled register lies behind
        for (const Slot& slot : bus_.slots())
            for (std::uint32_t at = 0; at < std::min(slot.size_bytes, kRegistersMax); at += 4)
                visit(slot.device->peek(at));
    }

    // For status displays and tests.
    [[nodiscard]] const Clock& clock() const noexcept { return clock_; }
    [[nodiscard]] const FlashController& flash() const noexcept { return *flash_; }
    [[nodiscard]] const FlashGeometry& geometry() const noexcept { return geometry_; }
    [[nodiscard]] const W25q& nor() const noexcept { return *nor_; }
    [[nodiscard]] const Rcc& rcc() const noexcept { return *rcc_; }
    [[nodiscard]] const Nvic& nvic() const noexcept { return *nvic_; }
    [[nodiscard]] const Iwdg& iwdg() const noexcept { return *iwdg_; }
    [[nodiscard]] std::span<std::uint8_t> sram() noexcept { return sram_; }
    [[nodiscard]] std::span<const std::uint8_t> ccm() const noexcept { return ccm_; }
    [[nodiscard]] std::uint32_t pc() const noexcept;
    [[nodiscard]] std::uint32_t reg(Reg reg) const { return cpu_ ? cpu_->get(reg) : 0; }
    [[nodiscard]] bool locked_up() const noexcept { return locked_up_; }
    [[nodiscard]] bool sleeping() const noexcept { return sleeping_; }
    [[nodiscard]] std::uint64_t instructions() const noexcept { return instructions_; }
    /// Of these, executed in thread mode; ask there.
    [[nodiscard]] std::uint64_t thread_instructions() const noexcept {
        return instructions_ - handler_instructions_;
    }
    [[nodiscard]] std::uint64_t resets() const noexcept { return resets_; }
    [[nodiscard]] ResetCause last_reset() const noexcept { return last_reset_; }
    [[nodiscard]] std::uint64_t exceptions() const noexcept { return exceptions_; }

  private:
    // CpuBus
    std::uint32_t bus_read(std::uint32_t address, unsigned size_bytes) override;
    void bus_write(std::uint32_t address, unsigned size_bytes, std::uint32_t value) override;
    void flash_store(std::uint32_t address, unsigned size_bytes, std::uint32_t value) override;
    bool block_done(std::uint32_t instructions, std::uint32_t next) override;
    // DmaPort
    bool dma_read(std::uint32_t address, unsigned size_bytes, std::uint32_t& value) override;
    bool dma_write(std::uint32_t address, unsigned size_bytes, std::uint32_t value) override;

    void build_models();
    void build_bus();
    void note(const char* what, std::uint32_t address);
    void warn_once(std::string text);
    void clocks_changed();
    void outputs_changed();
    void peripheral_reset(std::uint32_t reset_register, std::uint32_t bits);

    // board_events.cpp: time and events
    void work_off_events();
    void skip_to(Time time);
    void after_access();
    [[nodiscard]] bool serve_dma(const std::array<DmaRoute, 2>& routes, bool to_memory);
    [[nodiscard]] bool pump_spi();
    void pump_dma();
    void run_spi(Time limit);
    void update_lines();
    void plan_stop();
    [[nodiscard]] bool only_periodic_ahead() const;
    void recognise_wait(const Slot& slot, std::uint32_t address, std::uint32_t value);
    void recognise_nor_wait();
    [[nodiscard]] bool status_changed() const;
    [[nodiscard]] bool gate_open(const Slot& slot, std::uint32_t address);
    void bus_fault(std::uint32_t address, bool writing);
    [[nodiscard]] std::uint32_t bit_band_read(std::uint32_t address);
    void bit_band_write(std::uint32_t address, std::uint32_t value);

    // exceptions.cpp
    void request_reset(ResetCause cause);
    [[nodiscard]] bool operation_begins(OperationKind kind, std::uint32_t address, std::uint32_t size_bytes,
                                        Time duration);
    void cut_now();
    [[nodiscard]] bool watched(std::uint32_t address) const noexcept {
        for (const Watch& watch : watches_)
            if (watch.address == address) return true;
        return false;
    }
    [[nodiscard]] bool visit_watch(std::uint32_t address);
    void go_on_with_call(Time horizon);
    /// True when what stands there is not to be executed.
    [[nodiscard]] bool watch_at_pc() {
        const std::uint32_t at = cpu_->get(Reg::pc);
        return watch_passed_ != at && watched(at) && visit_watch(at);
    }
    /// What the program does no longer reaches anything: the core is about to be reset or has lost its power.
    [[nodiscard]] bool dying() const noexcept { return reset_request_ || cut_due_; }
    void do_reset();
    void start_cpu();
    [[nodiscard]] Masks masks() const;
    void handle_stop(Cpu::Stop stop);
    [[nodiscard]] bool deliver_pending();
    void enter_exception(unsigned exception);
    void return_from_exception(std::uint32_t exc_return);
    void raise_fault(unsigned exception, std::uint32_t cfsr_bits, std::uint32_t hfsr_bits = 0);
    void supervisor_call();
    void lock_up(const char* why);

    BoardConfig config_;
    BoardHooks hooks_;
    Clock clock_;
    Random random_;
    std::optional<std::uint64_t> garbage_seed_;
    Faults faults_;
    FlashGeometry geometry_;
    std::span<std::uint8_t> flash_bytes_;
    std::span<std::uint8_t> nor_bytes_;
    BackupDomain& backup_;
    std::vector<std::uint8_t> sram_, ccm_, info_page_, option_page_;
    Bus bus_;
    std::unique_ptr<Cpu> cpu_;
    std::unique_ptr<Nvic> nvic_;
    std::unique_ptr<SysTick> systick_;
    std::unique_ptr<FlashController> flash_;
    std::unique_ptr<Rcc> rcc_;
    std::unique_ptr<Pwr> pwr_;
    std::unique_ptr<Rtc> rtc_;
    std::unique_ptr<BackupSram> backup_sram_;
    std::vector<std::unique_ptr<Gpio>> gpios_;      ///< A..K
    std::array<std::unique_ptr<Usart>, 4> usarts_;  ///< 1, 2, 3, 6
    std::array<std::unique_ptr<Dma>, 2> dmas_;
    std::unique_ptr<Spi> spi5_;
    std::unique_ptr<W25q> nor_;
    std::unique_ptr<Iwdg> iwdg_;
    std::unique_ptr<Dbgmcu> dbgmcu_;
    std::unique_ptr<Dwt> dwt_;
    std::vector<Device*> timed_;  ///< devices with deadlines

    bool powered_{false};
    bool sleeping_{false};
    bool locked_up_{false};
    bool waiting_{false};   ///< in a loop that polls a status register
    bool nor_wait_{false};  ///< in a loop that polls the status of the busy NOR
    std::uint64_t nor_poll_instructions_{0};
    Time idle_time_{0};
    Time limit_{0};
    std::uint64_t stop_tick_{0};
    std::uint32_t lines_{0};  ///< interrupt lines as last handed to the NVIC
    bool attention_{false};   ///< look closer after the present block
    std::uint64_t masked_until_{
        0};  ///< instruction count before which masked interrupts are not looked at again
    std::uint32_t masked_block_{0};  ///< where the last look found them masked
    std::optional<ResetCause> reset_request_;
    // Power cuts: planned, and due.
    CutPlan cut_plan_;
    std::uint64_t cut_instruction_{~std::uint64_t{0}};
    Time cut_at_{kNever};
    Time bite_at_{kNever};  ///< a reset put inside an operation
    bool cut_due_{false};
    bool cut_keeps_backup_{true};
    std::uint64_t operations_{0};
    std::uint32_t fence_begin_{0}, fence_bytes_{0};
    bool fence_hit_{false};
    struct Watch {
        std::uint32_t address;
        bool once;
        std::function<void()> visit;
    };
    std::vector<Watch> watches_;
    std::uint32_t watch_passed_{0};  ///< its visitor has been called: execution may go on there
    /// A call that is not executed but takes its time.
    struct Call {
        std::uint32_t at, result;
        std::uint64_t left;  ///< instructions
    };
    std::optional<Call> call_;
    struct PendingFault {
        std::uint32_t address;
        bool writing;
    };
    std::optional<PendingFault> pending_fault_;
    std::uint64_t instructions_{0}, resets_{0}, exceptions_{0};
    std::uint64_t handler_instructions_{0}, handler_begun_{0};
    ResetCause last_reset_{ResetCause::power};
    // Recognising busy-waits: the last status read and how often it gave the same answer.
    std::uint32_t wait_address_{0}, wait_value_{0}, wait_mask_{0};
    unsigned wait_repeats_{0};
    std::uint64_t wait_instructions_{0};
    std::vector<std::string> warned_;
};

}  // namespace mcuota::board
