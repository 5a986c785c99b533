#pragma once
// The self test of a port: proves on the board itself that its five regions behave as storage.hpp says
// (docs/porting.md). It destroys everything the regions hold. Freestanding; its own build of the loader has
// it.

#include <array>
#include <cstdint>
#include <span>

#include "mcu_loader/core/device/board.hpp"
#include "mcu_loader/core/device/manifest_slot.hpp"
#include "mcu_loader/core/device/storage.hpp"
#include "mcu_loader/core/link/self_test.hpp"

namespace mcuota::device {

/// About 6 KiB: make it static. Goes step by step, each a second or so of work, so that whoever asks sees it
/// come along and the watchdog is fed. Everything random follows from the seed: the same seed does the same.
class SelfTest {
  public:
    using Check = link::SelfTestCheck;
    using Finding = link::SelfTestFinding;

    /// `running` is the running region as the CPU sees it at the load address; empty when it is not mapped.
    SelfTest(Storage& storage, Board& board, std::span<const std::uint8_t> running) noexcept
        : storage_{storage}, board_{board}, mapped_{running} {}

    /// Performs one step. Step 0 begins anew; any other must be the one that is next, with the seed of step 0
    /// (else wrong_state). After a failure, or when it has passed, only step 0 is taken.
    [[nodiscard]] Status step(const link::SelfTestRequest& request, link::SelfTestReport& out) noexcept;
    /// Whether step 0 was ever performed: nothing the regions held can be relied on.
    [[nodiscard]] bool begun() const noexcept { return begun_; }

  private:
    /// Which of the two contents: the second one is the complement of the first.
    enum class Pass : std::uint8_t { first, second };
    struct Span {
        Region region;
        std::uint32_t begin, end;
    };

    // The sequence.
    [[nodiscard]] bool perform() noexcept;
    [[nodiscard]] bool in_each_region(bool (SelfTest::*work)()) noexcept;
    void next_check() noexcept;
    [[nodiscard]] std::uint8_t percent() const noexcept;
    [[nodiscard]] std::uint64_t bytes_before() const noexcept;
    // Checks: each does one step's work from cursor_ on; false when something was found.
    [[nodiscard]] bool look_at_geometry() noexcept;
    [[nodiscard]] bool write() noexcept;
    [[nodiscard]] bool read_back() noexcept;
    [[nodiscard]] bool rewrite() noexcept;
    [[nodiscard]] bool read_again() noexcept;
    [[nodiscard]] bool try_program_rules() noexcept;
    [[nodiscard]] bool try_limits() noexcept;
    [[nodiscard]] bool try_journal() noexcept;
    [[nodiscard]] bool try_slots() noexcept;
    [[nodiscard]] bool back_up() noexcept;
    [[nodiscard]] bool recover() noexcept;
    [[nodiscard]] bool patch() noexcept;
    [[nodiscard]] bool clean_up() noexcept;

    // Parts of them.
    [[nodiscard]] bool geometry_of(Region region) noexcept;
    [[nodiscard]] bool single_granules(const Span& unit) noexcept;
    [[nodiscard]] bool zeros_over(const Span& span) noexcept;
    [[nodiscard]] bool refused(Region region) noexcept;
    [[nodiscard]] bool erase_whole(Region region) noexcept;
    [[nodiscard]] bool fill_beside_journal() noexcept;
    [[nodiscard]] bool check_beside(Region region, std::uint32_t from) noexcept;
    [[nodiscard]] bool rewrite_key_areas() noexcept;
    [[nodiscard]] bool store_and_load(Slot slot, std::uint32_t number) noexcept;
    [[nodiscard]] bool load_and_compare(Slot slot, std::uint32_t number) noexcept;
    void make_manifest(std::uint32_t number) noexcept;
    [[nodiscard]] State record(std::uint32_t number) const noexcept;
    [[nodiscard]] bool erase(const Span& span) noexcept;
    [[nodiscard]] bool blank(const Span& span, Finding otherwise) noexcept;
    [[nodiscard]] bool program(Region region, std::uint32_t offset, std::span<const std::uint8_t> bytes,
                               Pass pass) noexcept;
    [[nodiscard]] bool write_forward(const Span& span, Pass pass) noexcept;
    [[nodiscard]] bool write_backward(const Span& span, Pass pass) noexcept;
    /// `otherwise`: what a difference means; nothing = find out.
    [[nodiscard]] bool compare(const Span& span, Pass pass, Finding otherwise) noexcept;
    [[nodiscard]] bool neighbours(const Span& erased, Pass before, Pass behind) noexcept;
    [[nodiscard]] bool compare_edges(Region worked_on, Pass behind, Pass ahead) noexcept;
    [[nodiscard]] bool read(Region region, std::uint32_t offset, std::span<std::uint8_t> out) noexcept;
    [[nodiscard]] bool look(Region region, std::uint32_t offset, std::span<std::uint8_t> out) noexcept;
    [[nodiscard]] bool patch_unit(const Span& unit) noexcept;
    [[nodiscard]] Span patch_source(const Span& unit, std::uint32_t offset) const noexcept;

    // What was found (self_test_finding.cpp).
    bool fail(Finding finding, Region region, std::uint32_t offset, Status status = Status::ok) noexcept;
    bool fail_difference(Region region, std::uint32_t offset, std::uint8_t expected, std::uint8_t found,
                         Finding finding) noexcept;
    /// Whether something else stands in `span` (at most kLookBytes) than should; says what, and since when.
    [[nodiscard]] bool differs(const Span& span, Pass pass) noexcept;
    [[nodiscard]] bool diagnose(Region region, std::uint32_t offset, Pass pass) noexcept;
    void name_difference(const Span& span, Pass pass, std::span<const std::uint8_t> found,
                         std::span<const std::uint8_t> wanted) noexcept;
    void find_arrival(const Span& span, std::span<const std::uint8_t> wanted) noexcept;
    void name_remains(Region region, std::uint32_t offset) noexcept;
    [[nodiscard]] bool wrapped(const Span& span, Pass pass, std::uint32_t page,
                               std::span<const std::uint8_t> found,
                               std::span<const std::uint8_t> wanted) const noexcept;
    [[nodiscard]] bool find_home(std::span<const std::uint8_t> found, std::span<const std::uint8_t> wanted,
                                 Region& region, std::uint32_t& offset) noexcept;

    // Patterns and chance.
    [[nodiscard]] std::uint32_t word_at(Region region, std::uint32_t index) const noexcept;
    void pattern(Region region, std::uint32_t offset, Pass pass, std::span<std::uint8_t> out) const noexcept;
    [[nodiscard]] std::uint32_t random() noexcept;
    [[nodiscard]] std::uint32_t piece(Region region, std::uint32_t most) noexcept;
    /// First unit border at or behind `at_least`, counted from the border `from`.
    [[nodiscard]] std::uint32_t border(Region region, std::uint32_t from,
                                       std::uint32_t at_least) const noexcept;
    [[nodiscard]] std::uint32_t last_unit(Region region) const noexcept;
    /// What is tested of a region: [0, head_end) and [tail_begin, size). Both are borders.
    [[nodiscard]] std::uint32_t head_end(Region region) const noexcept;
    [[nodiscard]] std::uint32_t tail_begin(Region region) const noexcept;
    /// Where a piece of work that begins at `begin` has to end at the latest.
    [[nodiscard]] std::uint32_t part_end(Region region, std::uint32_t begin) const noexcept {
        return begin < head_end(region) ? head_end(region) : size(region);
    }
    /// Moves cursor_ to `end`, over what is not tested.
    void go_on(Region region, std::uint32_t end) noexcept {
        cursor_ = end >= head_end(region) && end < tail_begin(region) ? tail_begin(region) : end;
    }
    [[nodiscard]] std::uint32_t size(Region region) const noexcept { return storage_.size_bytes(region); }
    [[nodiscard]] Region here() const noexcept { return static_cast<Region>(region_); }

    static constexpr std::uint32_t kPieceMax = 1024;
    static constexpr std::uint32_t kGuard = 8;
    static constexpr std::uint32_t kLookBytes = 16;

    Storage& storage_;
    Board& board_;
    std::span<const std::uint8_t> mapped_;
    link::SelfTestReport report_{};
    std::uint32_t seed_{1};
    std::uint32_t bytes_{0};  ///< of each region; 0: all
    std::uint32_t random_{1};
    std::uint32_t next_{0};
    Check check_{Check::geometry};
    std::uint8_t region_{0};   ///< under work; of back_up: bank
    std::uint32_t cursor_{0};  ///< where in it
    bool begun_{false}, active_{false};
    std::array<std::uint8_t, kPieceMax + 2 * kGuard> piece_{};  ///< read into, with guards around
    std::array<std::uint8_t, kPieceMax + kGuard> content_{};    ///< what should be there
    SignedManifest manifest_{};
};

}  // namespace mcuota::device
