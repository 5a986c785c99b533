#pragma once
// A strict model of the five flash regions for tests of the loader on the host: NOR rules, power cuts inside
// operations, cells left marginal by them. Whatever real flash would not forgive is recorded as a violation.

#include <array>
#include <csetjmp>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mcu_loader/core/device/storage.hpp"

namespace mcuota::test {

using device::Region;

/// The supply and the reset line of one device. What runs inside run() is left by longjmp, as power leaves a
/// chip: it may hold only objects with trivial destructors.
class Power {
  public:
    enum class End : std::uint8_t { finished, cut, reset };
    [[nodiscard]] End run(const std::function<void()>& body);
    [[noreturn]] void cut() { std::longjmp(env_, 1); }
    [[noreturn]] void reset() { std::longjmp(env_, 2); }

  private:
    std::jmp_buf env_{};
};

/// What a cut leaves of the operation it hits.
enum class Tear : std::uint8_t {
    before,           ///< power went just before the operation began
    mixed,            ///< any mix of old and new bits, half of them unsteady
    looks_done,       ///< reads finished at the next start, anything later: marginal cells
    looks_untouched,  ///< reads as before at the next start, anything later
};
inline constexpr std::array kTears{Tear::before, Tear::mixed, Tear::looks_done, Tear::looks_untouched};

/// Cut at the `at_operation`th erase command, page program or flash row from now on (0 = the next).
struct Cut {
    std::uint64_t at_operation{0};
    Tear tear{Tear::before};
    std::uint32_t seed{1};
    std::uint64_t again_after{0};  ///< cut again (mixed) that many operations after power is back; 0 = no
};

struct RegionLayout {
    std::vector<std::uint32_t> units;  ///< erase units in order
    std::uint32_t program_unit{1};
    std::uint32_t program_bytes{256};  ///< most one operation programs; a multiple of program_unit
    std::uint32_t erase_bytes{0};      ///< largest erase command; 0 = one unit
};

struct Geometry {
    std::array<RegionLayout, device::kRegionCount> regions;
    /// A few KiB of everything, odd units: every operation of a full installation can be cut in a test.
    static Geometry small();
    /// STM32F429 with a W25Q128 as the loader's port lays it out.
    static Geometry f429();
};

class FlashModel final : public device::Storage {
  public:
    explicit FlashModel(const Geometry& geometry);

    [[nodiscard]] std::uint32_t size_bytes(Region region) const noexcept override;
    [[nodiscard]] std::uint32_t erase_unit_bytes(Region region, std::uint32_t offset) const noexcept override;
    [[nodiscard]] std::uint32_t program_unit_bytes(Region region) const noexcept override;
    [[nodiscard]] Status read(Region region, std::uint32_t offset,
                              std::span<std::uint8_t> out) noexcept override;
    [[nodiscard]] Status program(Region region, std::uint32_t offset,
                                 std::span<const std::uint8_t> bytes) noexcept override;
    [[nodiscard]] Status erase(Region region, std::uint32_t offset, std::uint32_t length) noexcept override;

    void attach(Power& power) noexcept { power_ = &power; }
    void arm(const Cut& cut) noexcept {
        cut_ = cut;
        armed_ = true;
        cut_at_ = operations_ + cut.at_operation;
    }
    void disarm() noexcept { armed_ = false; }
    [[nodiscard]] bool armed() const noexcept { return armed_; }
    /// Power came back: unsteady cells read anew.
    void power_cycle() noexcept { ++cycle_; }
    /// Operations so far (see Cut).
    [[nodiscard]] std::uint64_t operations() const noexcept { return operations_; }
    /// Erases of the unit at `offset` so far.
    [[nodiscard]] std::uint32_t wear(Region region, std::uint32_t offset) const noexcept;
    /// What real flash would not have forgiven; empty in a sound program.
    [[nodiscard]] const std::string& violation() const noexcept { return violation_; }
    /// Bytes as they are, for tests that look behind the curtain or damage something.
    [[nodiscard]] std::span<std::uint8_t> raw(Region region) noexcept { return cells(region).value; }

    /// Asked before every operation; anything but ok makes the operation fail with it (a write is then half
    /// done).
    using Fault = std::function<Status(Region region, bool erase, std::uint32_t offset)>;
    void set_fault(Fault fault) { fault_ = std::move(fault); }

  private:
    struct Cells {
        RegionLayout layout;
        std::vector<std::uint8_t> value;
        std::vector<std::uint8_t> unsteady;  ///< bits that read differently after each power-up
        std::vector<std::uint32_t> torn_in;  ///< power cycle of the tear
        std::vector<std::uint32_t> wear;
    };
    [[nodiscard]] Cells& cells(Region region) noexcept { return cells_[static_cast<std::size_t>(region)]; }
    [[nodiscard]] const Cells& cells(Region region) const noexcept {
        return cells_[static_cast<std::size_t>(region)];
    }
    [[nodiscard]] bool in_range(Region region, std::uint32_t offset, std::size_t length,
                                const char* what) noexcept;
    [[nodiscard]] bool cut_now() noexcept;
    void violate(const std::string& what) noexcept;
    void program_piece(Cells& target, std::uint32_t offset, std::span<const std::uint8_t> bytes) noexcept;
    void erase_piece(Cells& target, std::uint32_t offset, std::uint32_t length) noexcept;
    void tear(Cells& target, std::uint32_t offset, std::span<const std::uint8_t> wanted,
              bool erasing) noexcept;
    [[nodiscard]] std::uint32_t random() noexcept;

    std::array<Cells, device::kRegionCount> cells_;
    Power* power_{nullptr};
    Fault fault_;
    Cut cut_{};
    Tear tear_{Tear::before};  ///< of the cut that happens now
    bool armed_{false};
    std::uint64_t cut_at_{0};
    std::uint64_t operations_{0};
    std::uint32_t cycle_{0};
    std::uint32_t random_{1};
    std::string violation_;
};

}  // namespace mcuota::test
