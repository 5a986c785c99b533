// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// Defects of the board's memories: cells that do not program or erase, a NOR that is another one, hangs or
// reads wrong bits. docs/virtual-board.md, "Faults", says what each does.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "virtual_board/failure.hpp"
#include "virtual_board/models/flash_geometry.hpp"

namespace mcuota::board {

struct Fault {
    enum class Kind : std::uint8_t {
        flash_program,  ///< the word at bus address `at` does not program
        flash_erase,    ///< sector number `at` does not erase
        nor_id,         ///< the JEDEC id reads `at`
        nor_busy,       ///< after `at` more programs and erases the next one never ends
        nor_read,       ///< bits `mask` of the byte at NOR address `at` read inverted
        nor_worn,       ///< the 4 KiB sector at NOR address `at` neither programs nor erases
    };
    Kind kind{Kind::flash_program};
    std::uint32_t at{0};
    std::uint8_t mask{1};
    bool once{false};    ///< nor_read: only in the next read of that byte
    bool asleep{false};  ///< nor_busy: counts from the chip's next reset on
    std::string text;    ///< as it was given
};

/// A specification as --fault takes it, for a board of this geometry and size of NOR.
[[nodiscard]] Outcome<Fault> parse_fault(const std::string& text, const FlashGeometry& geometry,
                                         std::uint32_t nor_bytes);

/// What is broken on a board. The models ask it; it outlives them.
class Faults {
  public:
    void add(Fault fault) { faults_.push_back(std::move(fault)); }
    /// Everything is mended.
    void clear() { faults_.clear(), nor_hung_ = false; }
    [[nodiscard]] bool empty() const noexcept { return faults_.empty(); }
    [[nodiscard]] const std::vector<Fault>& list() const noexcept { return faults_; }
    /// The chip starts anew, from whatever cause: what was to wait for that waits no longer.
    void chip_reset();
    /// How often any of them made a difference.
    [[nodiscard]] std::uint64_t hits() const noexcept { return hits_; }

    /// Whether the word that contains `address` keeps what it holds instead of being programmed.
    [[nodiscard]] bool flash_program_fails(std::uint32_t address);
    /// Whether this sector keeps what it holds instead of being erased.
    [[nodiscard]] bool flash_erase_fails(unsigned sector);
    /// The JEDEC id (24 bits) read instead of the right one.
    [[nodiscard]] std::optional<std::uint32_t> nor_id();
    /// A program or erase begins: whether it never ends.
    [[nodiscard]] bool nor_hangs();
    /// The NOR hangs.
    [[nodiscard]] bool nor_hung() const noexcept { return nor_hung_; }
    /// What a read gives of a byte that holds `value`.
    [[nodiscard]] std::uint8_t nor_read(std::uint32_t address, std::uint8_t value);
    /// Whether the NOR sector (4 KiB) that contains `address` takes neither programs nor erases.
    [[nodiscard]] bool nor_worn(std::uint32_t address);

  private:
    std::vector<Fault> faults_;
    std::uint64_t hits_{0};
    bool nor_hung_{false};
};

}  // namespace mcuota::board
