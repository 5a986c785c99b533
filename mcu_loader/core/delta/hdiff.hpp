#pragma once
// What the two HDiffPatch formats share (docs/deltas.md): numbers, sections that are raw or LZMA, and the
// loop that makes new from covers, differences and literals.

#include <cstdint>
#include <span>
#include <string_view>

#include "mcu_loader/core/delta/byte_feed.hpp"
#include "mcu_loader/core/delta/image_io.hpp"
#include "mcu_loader/core/lzma_stream.hpp"
#include "mcu_loader/core/payload_kinds.hpp"

namespace mcuota::delta {

/// A number whose first byte has `tag_bits` of tag at its top. `sound` becomes false, and never true, when it
/// does not fit 32 bits.
[[nodiscard]] std::uint32_t take_number(ByteFeed& feed, unsigned tag_bits, unsigned& tag,
                                        bool& sound) noexcept;
[[nodiscard]] std::uint32_t take_number(ByteFeed& feed, bool& sound) noexcept;

/// Where a section lies and how it is packed.
struct Section {
    std::uint32_t offset{0};
    std::uint32_t stored_bytes{0};
    std::uint32_t plain_bytes{0};
    bool packed{false};

    /// Work memory its reader needs; 0 and `sound` false when its properties make no sense.
    [[nodiscard]] std::uint32_t memory_bytes(ByteSource& payload, bool& sound) const noexcept;
};

/// What both heads begin with.
struct HdiffHead {
    std::uint32_t new_bytes{0}, old_bytes{0}, cover_count{0};
    bool may_be_packed{false};
};

/// Takes magic, '&', the name of the compression, 0 and the three numbers. False when anything is unknown.
[[nodiscard]] bool take_head(ByteFeed& feed, std::string_view magic, HdiffHead& out) noexcept;
/// Takes plain and packed size of a section. Offsets are for the caller.
void take_sizes(ByteFeed& feed, const HdiffHead& head, Section& out, bool& sound) noexcept;

/// A section's plain bytes, forward only. Payload and work memory must outlive it.
class SectionReader final : public ByteFeed {
  public:
    [[nodiscard]] Status open(ByteSource& payload, const Section& section,
                              std::span<std::uint8_t> work) noexcept;
    /// Whether all of the section was taken.
    [[nodiscard]] bool used_up() const noexcept { return left_ == 0 && waiting_bytes() == 0; }

  private:
    [[nodiscard]] Status refill(std::span<const std::uint8_t>& piece) noexcept override;

    ByteSource* payload_{nullptr};
    LzmaStream lzma_;
    bool packed_{false};
    std::uint32_t offset_{0}, left_{0};  ///< of what is not in a piece yet
    std::span<std::uint8_t> buffer_;
};

/// The differences as a row of runs.
struct DifferenceRun {
    std::uint32_t length{0};
    std::uint32_t value{0};
    ByteFeed* values{nullptr};  ///< null: all bytes are `value`; else they come from here
};
class DifferenceRuns {
  public:
    /// The next run, possibly empty; the caller is done with the one before. False when there is none, or it
    /// makes no sense.
    [[nodiscard]] virtual bool next(DifferenceRun& out) noexcept = 0;

  protected:
    ~DifferenceRuns() = default;
};

/// Makes new from covers, literals and differences; remembers the first thing that went wrong.
class Patcher {
  public:
    Patcher(const HdiffHead& head, const payload::Job& job) noexcept
        : head_(head), old_(*job.base), out_(job.sink) {}

    /// Takes one cover and puts its literals and bytes. `literals_differ`: the differences tell zeros for the
    /// literals, too. `last`: the cover may be empty.
    [[nodiscard]] Status one_cover(ByteFeed& covers, ByteFeed& literals, DifferenceRuns& differences,
                                   bool literals_differ, bool last) noexcept;
    /// Puts the next `count` bytes of `literals`.
    [[nodiscard]] Status put_literals(ByteFeed& literals, DifferenceRuns* differences,
                                      std::uint32_t count) noexcept;
    /// Bytes of new still to make.
    [[nodiscard]] std::uint32_t left_bytes() const noexcept { return head_.new_bytes - out_.position(); }
    /// Forgets where the differences stand: a new row of them begins. False when a run was not used up.
    [[nodiscard]] bool end_differences() noexcept;
    [[nodiscard]] Status finish() noexcept {
        out_.flush();
        return out_.status();
    }

  private:
    [[nodiscard]] bool find_run(DifferenceRuns& differences) noexcept;
    [[nodiscard]] Status put_covered(DifferenceRuns& differences, std::uint32_t at,
                                     std::uint32_t count) noexcept;

    const HdiffHead& head_;
    OldWindow old_;
    NewBuffer out_;
    DifferenceRun run_;
    std::uint32_t old_end_{0};
};

/// Whether head and job go together: base_mismatch, payload_malformed or ok.
[[nodiscard]] Status fits(const HdiffHead& head, const payload::Job& job) noexcept;

}  // namespace mcuota::delta
