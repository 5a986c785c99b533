#pragma once
// A strict model of the five flash regions for tests of the loader on the host: NOR rules, power cuts inside
// operations, cells left marginal by them. Whatever real flash would not forgive is recorded as a violation.

#include <array>
#include <csetjmp>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "mcu_loader/core/device/storage.hpp"

namespace mcuota::test {

using device::Region;

/// What ends the start that a cut hits.
enum class CutCause : std::uint8_t {
    supply,    ///< power goes: all memories tear
    watchdog,  ///< the chip is reset: a NOR chip of its own ends what it was told, internal flash tears
    command,   ///< the same, by the reset line or by software
};

/// The supply and the reset line of one device. What runs inside run() is left by longjmp, as power leaves a
/// chip: it may hold only objects with trivial destructors.
class Power {
  public:
    enum class End : std::uint8_t { finished, cut, reset };
    [[nodiscard]] End run(const std::function<void()>& body);
    [[noreturn]] void cut(CutCause cause) { cause_ = cause, std::longjmp(env_, 1); }
    [[noreturn]] void reset() { std::longjmp(env_, 2); }
    /// Of the last cut.
    [[nodiscard]] CutCause cause() const noexcept { return cause_; }

  private:
    std::jmp_buf env_{};
    CutCause cause_{CutCause::supply};
};

/// What a cut leaves of the operation it hits.
enum class Tear : std::uint8_t {
    before,           ///< power went just before the operation began
    mixed,            ///< any mix of old and new bits, half of them unsteady
    looks_done,       ///< reads finished at the next start, anything later: marginal cells
    looks_untouched,  ///< reads as before at the next start, anything later
    partly,           ///< the first cells are done, one is torn, the others were not reached
    flips,            ///< reads finished at each odd start from now on, as before at each even one
    zeroed,           ///< an erase stopped in its pre-programming: zeros, marginal ones; programs as mixed
    restless,         ///< reads finished or as before at each single read from now on
};
inline constexpr std::array kTears{Tear::before, Tear::mixed, Tear::looks_done, Tear::looks_untouched,
                                   Tear::partly, Tear::flips, Tear::zeroed,     Tear::restless};
/// "before", "mixed", "looks_done", …
[[nodiscard]] const char* name(Tear tear) noexcept;

/// Cut at the `at_operation`th erase command, page program or flash row from now on (0 = the next).
struct Cut {
    std::uint64_t at_operation{0};
    Tear tear{Tear::before};
    std::uint32_t seed{1};
    std::uint64_t again_after{0};  ///< cut again (mixed) that many operations after power is back; 0 = no
    CutCause cause{CutCause::supply};
};

struct RegionLayout {
    std::vector<std::uint32_t> units;  ///< erase units in order
    std::uint32_t program_unit{1};
    std::uint32_t program_bytes{256};  ///< most one operation programs; a multiple of program_unit
    std::uint32_t erase_bytes{0};      ///< largest erase command; 0 = one unit
    bool own_chip{false};              ///< in a NOR chip, which a reset of the microcontroller does not stop
};

struct Geometry {
    std::array<RegionLayout, device::kRegionCount> regions;
    [[nodiscard]] RegionLayout& of(Region region) { return regions[static_cast<std::size_t>(region)]; }
    /// A few KiB of everything, odd units: every operation of a full installation can be cut in a test.
    static Geometry small();
    /// The same, with room for two backups.
    static Geometry small_two_banks();
    /// STM32F429 with a W25Q128 as the loader's port lays it out.
    static Geometry f429();
};

/// One erase command, page program or flash row, just before it takes effect.
struct Operation {
    Region region;
    bool erase;
    std::uint32_t offset;
    std::uint32_t length;
    std::span<const std::uint8_t> bytes;  ///< to be programmed; empty for an erase
};

/// The cells of one region: values, and the doubts that cuts left in some of them. Copies are independent.
class Cells {
  public:
    explicit Cells(const RegionLayout& layout);
    [[nodiscard]] const RegionLayout& layout() const noexcept { return layout_; }
    [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(value_.size()); }
    /// Index of the erase unit that holds `offset`, and where a unit begins.
    [[nodiscard]] std::size_t unit_at(std::uint32_t offset) const noexcept;
    [[nodiscard]] std::uint32_t unit_begin(std::size_t unit) const noexcept { return begins_[unit]; }
    [[nodiscard]] std::uint32_t wear(std::size_t unit) const noexcept { return wear_[unit]; }
    [[nodiscard]] std::span<std::uint8_t> raw() noexcept { return value_; }
    /// `moment` counts reads.
    void read(std::uint32_t offset, std::span<std::uint8_t> out, std::uint32_t cycle,
              std::uint32_t moment) const noexcept;
    /// What real flash would not forgive about programming this; null when it would.
    [[nodiscard]] const char* objection(std::uint32_t offset,
                                        std::span<const std::uint8_t> bytes) const noexcept;
    void program(std::uint32_t offset, std::span<const std::uint8_t> bytes) noexcept;
    void erase(std::uint32_t offset, std::uint32_t length) noexcept;
    /// Leaves of an operation what `tear` says, in power cycle `cycle`. `random` is a generator's state.
    void tear(const Operation& operation, Tear tear, std::uint32_t cycle, std::uint32_t& random);

  private:
    static constexpr std::uint32_t kDoubtBytes = 256;
    /// Doubtful cells of one aligned stretch of kDoubtBytes.
    struct Doubt {
        std::array<std::uint8_t, kDoubtBytes> unsteady{};  ///< bits that read differently at later starts
        std::array<std::uint8_t, kDoubtBytes> swings{};    ///< 1: all flip at each start; 2: at any read
        std::array<std::uint32_t, kDoubtBytes> torn_in{};  ///< power cycle of the tear
    };
    void tear_cells(std::uint32_t offset, std::span<const std::uint8_t> wanted, bool erasing, Tear tear,
                    std::uint32_t cycle, std::uint32_t& random);

    RegionLayout layout_;
    std::vector<std::uint32_t> begins_;
    std::vector<std::uint8_t> value_;
    std::vector<std::uint32_t> wear_;
    std::map<std::uint32_t, Doubt> doubts_;  ///< by offset / kDoubtBytes
};

class FlashModel final : public device::Storage {
  public:
    explicit FlashModel(const Geometry& geometry);
    /// The same cells, without what was armed, watched or set to fail.
    FlashModel(const FlashModel& other)
        : cells_{other.cells_},
          operations_{other.operations_},
          cycle_{other.cycle_},
          reads_{other.reads_},
          violation_{other.violation_} {}
    FlashModel& operator=(const FlashModel&) = delete;
    ~FlashModel() = default;

    [[nodiscard]] std::uint32_t size_bytes(Region region) const noexcept override;
    [[nodiscard]] std::uint32_t erase_unit_bytes(Region region, std::uint32_t offset) const noexcept override;
    [[nodiscard]] std::uint32_t program_unit_bytes(Region region) const noexcept override;
    [[nodiscard]] Status read(Region region, std::uint32_t offset,
                              std::span<std::uint8_t> out) noexcept override;
    [[nodiscard]] Status program(Region region, std::uint32_t offset,
                                 std::span<const std::uint8_t> bytes) noexcept override;
    [[nodiscard]] Status erase(Region region, std::uint32_t offset, std::uint32_t length) noexcept override;

    void attach(Power& power) noexcept { power_ = &power; }
    void arm(const Cut& cut) { arm(std::vector<Cut>{cut}); }
    /// One cut after the other: each counts its operations from the one before.
    void arm(std::vector<Cut> cuts);
    void disarm() noexcept { cuts_.clear(); }
    [[nodiscard]] bool armed() const noexcept { return !cuts_.empty(); }
    /// Power came back: unsteady cells read anew.
    void power_cycle() noexcept { ++cycle_; }
    /// Operations so far (see Cut).
    [[nodiscard]] std::uint64_t operations() const noexcept { return operations_; }
    /// Reads so far: what cells that are restless read like hangs on it.
    [[nodiscard]] std::uint32_t reads() const noexcept { return reads_; }
    void set_reads(std::uint32_t reads) noexcept { reads_ = reads; }
    /// Erases of the unit at `offset` so far.
    [[nodiscard]] std::uint32_t wear(Region region, std::uint32_t offset) const noexcept;
    /// What real flash would not have forgiven; empty in a sound program.
    [[nodiscard]] const std::string& violation() const noexcept { return violation_; }
    /// Whether the region lies in a chip that a reset of the microcontroller does not stop.
    [[nodiscard]] bool own_chip(Region region) const noexcept { return cells(region).layout().own_chip; }
    /// Bytes as they are, for tests that look behind the curtain or damage something.
    [[nodiscard]] std::span<std::uint8_t> raw(Region region) noexcept { return cells(region).raw(); }

    /// Asked before every operation; anything but ok makes the operation fail with it (a write is then half
    /// done).
    using Fault = std::function<Status(Region region, bool erase, std::uint32_t offset)>;
    void set_fault(Fault fault) { fault_ = std::move(fault); }
    /// Asked after every read, also those that read back what was programmed: may change what was read, or
    /// fail it.
    using ReadFault = std::function<Status(Region region, std::uint32_t offset, std::span<std::uint8_t> out)>;
    void set_read_fault(ReadFault fault) { read_fault_ = std::move(fault); }
    /// While held, reads do not fail: for the tests' own looks at the flash.
    void hold_read_faults(bool hold) noexcept { read_faults_held_ = hold; }
    /// Sees every operation just before it takes effect.
    using Watcher = std::function<void(const FlashModel& flash, const Operation& operation)>;
    void watch(Watcher watcher) { watcher_ = std::move(watcher); }
    /// Applies to this flash what a cut inside `operation` leaves; the next read is of the start after it.
    void tear(const Operation& operation, const Cut& cut);

  private:
    [[nodiscard]] Cells& cells(Region region) noexcept { return cells_[static_cast<std::size_t>(region)]; }
    [[nodiscard]] const Cells& cells(Region region) const noexcept {
        return cells_[static_cast<std::size_t>(region)];
    }
    [[nodiscard]] bool in_range(Region region, std::uint32_t offset, std::size_t length,
                                const char* what) noexcept;
    void violate(const std::string& what) noexcept;
    [[nodiscard]] bool reads_back(Region region, std::uint32_t offset,
                                  std::span<const std::uint8_t> bytes) noexcept;
    /// Cuts now if it is time; else lets the operation happen.
    void perform(const Operation& operation) noexcept;

    std::vector<Cells> cells_;
    Power* power_{nullptr};
    Fault fault_;
    ReadFault read_fault_;
    bool read_faults_held_{false};
    Watcher watcher_;
    std::vector<Cut> cuts_;  ///< still to come
    std::uint64_t cut_at_{0};
    std::uint64_t operations_{0};
    std::uint32_t cycle_{0};
    std::uint32_t reads_{0};
    std::string violation_;
};

}  // namespace mcuota::test
