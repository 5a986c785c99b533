// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// One device under proof: a virtual board with the real loader, a gateway that follows a job through power
// cuts until it has ended, and an application that is known by its bytes: it is not executed, only whether
// it confirms itself is modelled.

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "virtual_board/board.hpp"
#include "virtual_board/prove/journal_view.hpp"
#include "virtual_board/prove/link_client.hpp"
#include "virtual_board/prove/memory_digest.hpp"
#include "virtual_board/prove/watched_memory.hpp"

namespace mcuota::board {

/// What an application does once the loader has started it.
enum class AppBehaviour : std::uint8_t {
    confirms,        ///< confirms itself at once, as the agent does: a journal record
    never_confirms,  ///< is reset by the gateway's patience: a pin reset each time
    hangs,           ///< is reset by the watchdog each time
    executes         ///< its code runs on the board and speaks for itself (it contains our agent)
};

/// An image the device may legitimately start.
struct KnownImage {
    std::string name;  ///< "old", "new", "next"
    Bytes bytes;
    std::uint32_t security_counter{0};
    AppBehaviour behaviour{AppBehaviour::confirms};
};

/// Whether the application makes the backup of the job while it runs, before the gateway asks for anything.
enum class BackupAhead : std::uint8_t {
    never,
    whole,     ///< the gateway waits for it, however often power goes
    until_cut  ///< the first cut ends it: the job then finds what there is
};

/// One job, and what a sound device must make of it.
struct ProveJob {
    LinkJob link;
    std::uint16_t outcome{0};  ///< the status the device must tell in the end
    /// Index of the image that must run then. Nothing: none may, and the loader must serve and say so.
    std::optional<std::size_t> image{0};
    /// What it may tell as well after cuts: they may take the last trial boot, and a cut that is a watchdog
    /// reset tells so.
    std::optional<std::uint16_t> outcome_after_cuts{};
    /// The images the journal must name in the end: JournalRecordView::images(). Empty: not known yet.
    std::string images{};
    /// The internal flash must not be written on the way: the package is refused before that.
    bool flash_untouched{false};
    BackupAhead backup_ahead{BackupAhead::never};

    [[nodiscard]] bool allows(std::uint16_t told) const noexcept {
        return told == outcome || told == outcome_after_cuts;
    }
};

/// How a job went.
struct JobResult {
    std::string trouble;  ///< a promise broken; empty in a sound loader
    unsigned starts{0};
};

struct BenchConfig {
    BoardConfig board;
    JournalLayout journal;
    std::uint32_t application{0x0802'0000};
    std::array<std::uint32_t, 2> backup_banks{0x01'0000, 0x1F'0000};  ///< where they begin in the NOR
    bool vbat{true};
    std::uint32_t nor_bytes{W25q::kSizeBytes};  ///< they make the part
    /// No region of the loader lies behind it.
    [[nodiscard]] std::uint32_t nor_used_bytes() const noexcept {
        return nor_bytes == W25q::kSizeBytes ? 0x5F0000 : nor_bytes;
    }
};

/// What outlives the power.
struct DeviceMemories {
    Bytes flash, nor;
    BackupDomain backup;
};

/// Cells that are erased together.
struct EraseUnit {
    bool internal{true};     ///< of the MCU's flash; otherwise of the NOR
    std::uint32_t begin{0};  ///< offset in that memory
    std::uint32_t size_bytes{0};
};

class BenchDevice {
  public:
    /// Memories of a device that has never run: `loader` at the begin of the flash, all else blank.
    [[nodiscard]] static DeviceMemories blank(const BenchConfig& config,
                                              std::span<const std::uint8_t> loader);
    /// `images` are all that may run.
    BenchDevice(const BenchConfig& config, DeviceMemories memories, std::vector<KnownImage> images);

    /// Power off; perform() gives it back.
    void power_off() { board_->power_off(config_.vbat); }
    /// A copy; only while power is off.
    [[nodiscard]] DeviceMemories memories() const {
        return {Bytes(flash_.begin(), flash_.end()), Bytes(nor_.begin(), nor_.end()), backup_};
    }

    /// Asked before each operation; may be empty.
    void on_operation(std::function<Fate(const MemoryOperation&)> hook) { hook_ = std::move(hook); }
    /// Power is going just now: what is started from here on counts as the first application.
    void note_cut() {
        first_image_.reset();
        power_ups_ = 0;
        was_cut_ = true;
    }
    /// Called when the device is about to get power.
    void on_power_up(std::function<void()> hook) { power_up_hook_ = std::move(hook); }
    /// No cell of its memories is unsteady.
    [[nodiscard]] bool steady() const noexcept {
        return board_->flash().torn().settled() && board_->nor().torn().settled();
    }
    /// The same of all cells outside `unit`.
    [[nodiscard]] bool steady_outside(const EraseUnit& unit) const noexcept;
    /// What flash, NOR (as far as the loader's regions reach) and backup domain hold; without what `unit`
    /// holds if there is one.
    [[nodiscard]] Fingerprint memory_state(const EraseUnit* unit = nullptr);
    /// The cells that were erased together before `operation` could change its own: those a device would
    /// erase to do it again. Nothing when it is not known, or when code in them may be executed.
    [[nodiscard]] std::optional<EraseUnit> erase_unit_of(const MemoryOperation& operation) const;
    /// Nothing of flash or NOR is at work just now.
    [[nodiscard]] bool at_rest() const noexcept { return !board_->flash().busy() && !board_->nor().busy(); }
    /// Called after each reset and power-up, before the first instruction.
    void on_start(std::function<void()> hook) { start_hook_ = std::move(hook); }
    /// Called each millisecond after a start, between two instructions, with the time since then.
    void on_slice(std::function<void(Time)> hook) { slice_hook_ = std::move(hook); }
    /// Called when cells get blank, just before.
    void on_erase(std::function<void(const EraseUnit&)> hook) { erase_hook_ = std::move(hook); }
    /// The memory that holds this unit.
    [[nodiscard]] WatchedMemory& memory_of(const EraseUnit& unit) noexcept {
        return unit.internal ? flash_memory_ : nor_memory_;
    }
    /// What was written so far is neither in flight nor unsteady; makes memory_state() cheap.
    void settle();
    [[nodiscard]] Time time_of_start() const noexcept { return started_at_; }
    [[nodiscard]] std::uint64_t instructions_at_start() const noexcept { return instructions_then_; }
    /// What the gateway does next, as one number.
    [[nodiscard]] std::uint64_t gateway_state() const noexcept { return client_.state(); }
    /// What is being done with the device, as one number: it outlives starts.
    [[nodiscard]] std::uint64_t proof_state() const noexcept {
        return doing_ << 8 ^ (first_image_ ? *first_image_ + 1 : 0) ^ (flash_touched_ ? 0x80U : 0U) ^
               steps_done_ << 40;
    }
    /// The first application started since then.
    [[nodiscard]] std::optional<std::size_t> first_image() const { return first_image_; }
    [[nodiscard]] const KnownImage& image(std::size_t index) const { return images_[index]; }
    /// Performs `job` until the device says how it ended. Power is given back whenever it is gone.
    [[nodiscard]] JobResult perform(const ProveJob& job);
    /// The end of the last job: "0x0404 old", its outcome and the image that runs (or none).
    [[nodiscard]] std::string end_text() const;
    /// Power off and on again, `starts` times: the story must stay the same. Empty when it does.
    [[nodiscard]] std::string check_quiet_starts(const ProveJob& job, unsigned starts);
    /// Performs `job` until the journal is in `phase` for certain, and takes the power away there.
    [[nodiscard]] std::string bring_to(const ProveJob& job, JournalPhase phase);
    /// Performs `job` until so many bytes have been programmed into the NOR, and takes the power away there.
    [[nodiscard]] std::string interrupt_after(const ProveJob& job, std::uint64_t nor_bytes);
    /// Lets a bit in the middle of an application of that size fall over. Only while power is off.
    void damage_application(std::size_t size_bytes);
    /// Lets a bit of each copy of `image` in the NOR fall over; false when there is none. Only while power is
    /// off.
    [[nodiscard]] bool damage_copies(const Bytes& image);
    /// Appends copies of the newest record until the journal's write position stands at `slot` of a sector.
    void advance_journal(std::uint32_t slot);

    [[nodiscard]] Board& board() noexcept { return *board_; }
    [[nodiscard]] std::optional<JournalRecordView> journal() const {
        return newest_record(nor_, config_.journal);
    }
    /// The known image the running region holds.
    [[nodiscard]] std::optional<std::size_t> running_image() const;
    /// Why the engine does not start; empty when it does.
    [[nodiscard]] std::string failure() const { return board_->failure(); }

  private:
    enum class StartEnd : std::uint8_t { power_gone, application, served, stuck };
    void give_power();
    [[nodiscard]] StartEnd run_start(JobResult& result);
    [[nodiscard]] bool job_ended(const ProveJob& job) const;
    [[nodiscard]] std::string stop_when(const ProveJob& job, std::function<bool()> stop);
    [[nodiscard]] bool backs_up_first(const ProveJob& job) const;
    void follow_application(JobResult& result, bool backs_up);
    void check_end(const ProveJob& job, JobResult& result);
    [[nodiscard]] bool ends_well_there(const ProveJob& job, StartEnd end) const;
    [[nodiscard]] bool write(const std::vector<JournalStep>& steps);
    [[nodiscard]] bool executes_now() const;
    [[nodiscard]] std::string state_text() const;
    void pass(Time time);
    void started();
    void erases(OperationKind kind, std::uint32_t address, std::uint32_t size_bytes);
    void touch(const MemoryOperation& operation);
    [[nodiscard]] Fate operation_begins(const MemoryOperation& operation);

    BenchConfig config_;
    std::vector<KnownImage> images_;
    WatchedMemory flash_memory_, nor_memory_;
    std::span<std::uint8_t> flash_, nor_;
    /// Of each 4 KiB of the NOR: the erase that reached it last.
    std::vector<EraseUnit> nor_erases_;
    BackupDomain backup_;
    MemoryDigest flash_digest_, nor_digest_;
    MemoryOperation last_flash_, last_nor_;  ///< may be in flight
    std::function<Fate(const MemoryOperation&)> hook_;
    std::unique_ptr<Board> board_;
    LinkClient client_;
    std::function<void()> power_up_hook_, start_hook_;
    std::function<void(const EraseUnit&)> erase_hook_;
    std::function<void(Time)> slice_hook_;
    std::uint64_t doing_{0};
    std::uint64_t steps_done_{0};  ///< of what the application is writing just now
    bool was_cut_{false};
    std::uint16_t told_{0};       ///< the outcome of the last job that ended
    bool executes_{false};        ///< images run on the board
    std::function<bool()> stop_;  ///< asked before each operation: the power goes, and perform() ends
    std::uint64_t nor_bytes_programmed_{0};
    bool stopped_{false};
    bool flash_guarded_{false};  ///< the job must not write the internal flash
    bool flash_touched_{false};  ///< it did, since perform() began
    std::uint64_t resets_seen_{0};
    std::optional<std::size_t> first_image_;
    unsigned power_ups_{0};  ///< since the last cut
    Time started_at_{0};
    std::uint64_t instructions_then_{0};
};

}  // namespace mcuota::board
