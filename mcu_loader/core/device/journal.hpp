#pragma once
// The boot journal: append-only records over the first erase unit of both flag regions (mcu_loader/SPEC.md
// §3). The one record of truth about what the device is doing. It does not decide anything: boot_decision.hpp
// and installer.hpp do.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "mcu_loader/core/device/storage.hpp"
#include "mcu_loader/core/sha256.hpp"
#include "mcu_loader/core/status.hpp"

namespace mcuota::device {

/// What the device is doing. Stored: words far apart (at least 8 bits differ), never 0 or 0xFFFFFFFF.
enum class Phase : std::uint32_t {
    idle = 0x49444C45,                ///< nothing under way
    install_requested = 0x96E1B25A,   ///< a staged package shall be installed; nothing is touched yet
    backing_up = 0x2B7C4D93,          ///< the backup region is being written; the application is untouched
    applying = 0xC53A71E6,            ///< the running region is being written
    trial = 0x5AD8963C,               ///< the new image is in place, verified, not yet confirmed
    rollback_requested = 0xA907E4D1,  ///< the backup shall be put back; nothing is touched yet
    restoring = 0x7E91285B,           ///< the running region is being written from the backup
    halted = 0xD1663A87,              ///< no image here may run; the loader waits for the next package
};

/// Which flag region's manifest slot is meant. Stored.
enum class Slot : std::uint8_t { none = 0x5A, a = 0xA6, b = 0x69 };

/// What kind of work the token or the phase belongs to. Stored.
enum class Job : std::uint8_t {
    none = 0x11,
    install = 0x2D,
    rollback = 0x4B,  ///< asked by the gateway
    recovery = 0x87,  ///< started by the loader itself: a failed trial or a damaged application
};

/// Everything the journal knows: each record holds all of it, in this order and without gaps (SPEC.md §3).
struct State {
    std::uint64_t token{0};  ///< of the last INSTALL or ROLLBACK; 0 = there was none
    Phase phase{Phase::idle};
    Status outcome{Status::unknown_token};  ///< how `token` ended; in_progress until then
    Status cause{Status::ok};  ///< why a restore runs or the loader is halted; else the last failure
    Job job{Job::none};
    Slot running_slot{Slot::none};  ///< manifest of what the running region holds whole
    Slot backup_slot{Slot::none};   ///< manifest of what the backup bank holds whole
    Slot target_slot{Slot::none};   ///< applying/restoring: manifest of what is being written
    std::uint32_t dirty_units{0};   ///< bit n: erase unit n of running was in flight; erase it again
    std::uint32_t security_counter_floor{0};  ///< nothing older may be installed
    std::uint8_t trial_boots_used{0};
    std::uint8_t attempts_used{0};  ///< starts of the present work not caused by a power loss
    std::uint8_t reset_cause{0};    ///< of the start that wrote the record (RCC_CSR 31:24)
    bool running_confirmed{false};  ///< the running image has confirmed itself (or is one put back)
    std::uint16_t units_done{0};    ///< erase units final in the running region, for progress only
    std::uint16_t units_total{0};
    Bank backup_bank{Bank::first};   ///< where the backup lies
    bool spare_whole{false};         ///< the other bank holds the running image, written without a cut
    Slot key_slot{Slot::none};       ///< flag region whose key area holds the rotation records in force
    std::uint8_t key_generation{0};  ///< how many there are
    Sha256Digest image_sha256{};     ///< image of the last install (or of the backup put back)
    Sha256Digest failed_sha256{};    ///< image that failed its trial last
    [[nodiscard]] bool operator==(const State& other) const noexcept;
};

constexpr std::size_t kJournalRecordBytes = 128;
/// Room for a request, the starts that try it, and its end with nothing touched: asked for before a request
/// is journalled, so that a job which finds no room for more can still say so.
constexpr std::uint32_t kRecordsToRefuse = 8;

/// A record as text for the log, without line end. Returns the bytes written; 0 when `out` is too short.
[[nodiscard]] std::size_t describe(std::uint32_t sequence, const State& state, std::span<char> out) noexcept;

/// Reads and appends. Host and MCU alike; one instance at a time may write.
class Journal {
  public:
    explicit Journal(Storage& storage) noexcept : storage_{storage} {}

    /// Finds the newest sealed record. Never writes. ok also on blank flash (state() is then the default
    /// State). Errors: what reading answered; nothing can be appended then.
    [[nodiscard]] Status mount() noexcept;
    /// What the last mount() answered; while it is an error, state() tells nothing.
    [[nodiscard]] Status mounted() const noexcept { return mounted_; }
    [[nodiscard]] const State& state() const noexcept { return state_; }
    /// Sequence of the newest record; 0 when there is none.
    [[nodiscard]] std::uint32_t sequence() const noexcept { return sequence_; }
    /// Whether the newest record may have been in flight when power went: it could read differently next
    /// time.
    [[nodiscard]] bool doubtful() const noexcept { return doubtful_; }
    /// Makes sure that later starts read what this one has read: appends a fresh copy when doubtful(), spoils
    /// the remains of a record that did not come about. Call before acting on what was read.
    [[nodiscard]] Status settle() noexcept;
    /// Makes `next` the newest record. Errors: journal_failed, or what mount() answered; state() is then
    /// unchanged.
    [[nodiscard]] Status append(const State& next) noexcept;
    /// Sees to it that `records` more fit without a need of the other sector. Otherwise begins in the other
    /// one, with a copy of the newest record: that it takes one shows that it works. Errors: as append();
    /// what room there is in the present sector stays usable.
    [[nodiscard]] Status reserve(std::uint32_t records) noexcept;
    /// What every record written from now on says of the reset before it.
    void set_reset_cause(std::uint8_t flags) noexcept { reset_cause_ = flags; }
    /// Writes records with sequence >= `first` as text lines, oldest first, as many whole lines as fit.
    [[nodiscard]] std::size_t text(std::uint32_t first, std::span<char> out) noexcept;

  private:
    struct Scan;
    [[nodiscard]] std::uint32_t slots() const noexcept;
    [[nodiscard]] Status scan(Region region, Scan& out) noexcept;
    [[nodiscard]] Status make_room() noexcept;
    [[nodiscard]] Status write_record(const State& next) noexcept;
    /// Programs zeros over a slot: safe whatever stands there.
    void spoil(Region region, std::uint32_t slot) noexcept;
    void spoil_torn() noexcept;
    void spoil_unless_spoiled(Region region, std::uint32_t slot) noexcept;
    /// Programs one word of a slot to zero.
    [[nodiscard]] Status mark(Region region, std::uint32_t slot, std::size_t at) noexcept;
    void keep_firm() noexcept;
    void use_slot() noexcept { ++next_slot_, ++next_sequence_; }

    Storage& storage_;
    State state_{};
    std::uint32_t sequence_{0};
    Region newest_region_{Region::flag_b};  ///< holds the newest record
    Region firm_region_{Region::flag_b};    ///< holds the newest firm one; the other is erased at roll-over
    Region write_region_{Region::flag_b};
    std::uint32_t next_slot_{0};      ///< slots and sequence numbers advance together: a torn record's
    std::uint32_t next_sequence_{1};  ///< number is never given to another record
    std::uint8_t reset_cause_{0};
    /// Slots of the newest record's sector, and how many of the other, that hold remains to be spoiled.
    std::uint32_t torn_from_{0}, torn_until_{0}, torn_other_{0};
    std::uint32_t weak_firm_slot_{0};  ///< in firm_region_: its mark may have been in flight, plus 1; 0: not
    Status mounted_{Status::journal_failed};  ///< answer of the last mount()
    bool doubtful_{false};
    bool void_first_{false};  ///< next_slot_ may have been in flight although it reads blank: spoil it first
};

}  // namespace mcuota::device
