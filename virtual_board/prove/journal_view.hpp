// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// The loader's boot journal as mcu_loader/SPEC.md §3 describes it, read and written with code of our own: a
// second pair of eyes, and the hand of an application that confirms itself and makes its backup ahead.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "virtual_board/prove/digest.hpp"

namespace mcuota::board {

/// Where the journal lies in the NOR.
struct JournalLayout {
    std::uint32_t sector_a{0x000000};
    std::uint32_t sector_b{0x004000};
    std::uint32_t sector_bytes{4096};
};

constexpr std::size_t kRecordBytes = 128;

enum class JournalPhase : std::uint32_t {
    idle = 0x49444C45,
    install_requested = 0x96E1B25A,
    backing_up = 0x2B7C4D93,
    applying = 0xC53A71E6,
    trial = 0x5AD8963C,
    rollback_requested = 0xA907E4D1,
    restoring = 0x7E91285B,
    halted = 0xD1663A87,
};
[[nodiscard]] const char* to_string(JournalPhase phase) noexcept;

/// The fields the prover looks at, and the whole record.
struct JournalRecordView {
    std::array<std::uint8_t, kRecordBytes> bytes{};
    std::uint32_t sequence{0};
    std::uint64_t token{0};
    JournalPhase phase{JournalPhase::idle};
    std::uint16_t outcome{0};
    std::uint16_t cause{0};
    bool confirmed{false};
    bool firm{false};
    std::uint32_t address{0};                      ///< of the record in the NOR
    std::uint8_t running_slot{0}, backup_slot{0};  ///< as stored: 5A none, A6 slot A, 69 slot B
    std::uint8_t backup_bank{0};                   ///< 0 or 1
    bool spare_whole{false};

    /// An application that makes backups ahead has one to make now (SPEC.md §6, last paragraph).
    [[nodiscard]] bool wants_backup_ahead() const noexcept;

    /// The hashes of the job's image and of the last image that failed, in hexadecimal.
    [[nodiscard]] std::string images() const;
};

/// The newest sealed record; nothing on a blank journal.
[[nodiscard]] std::optional<JournalRecordView> newest_record(std::span<const std::uint8_t> nor,
                                                             const JournalLayout& layout);

/// One step of an append: an erase of a sector, or bytes to program (never across a page).
struct JournalStep {
    bool erase{false};
    std::uint32_t address{0};
    std::vector<std::uint8_t> bytes;
};

/// What an application writes to confirm the image on trial, by the rules of SPEC.md §3 and §6 (10). `floor`
/// is the counter of the image. The record is `from` with its phase, outcome, floor and counters changed.
[[nodiscard]] std::vector<JournalStep> confirmation(std::span<const std::uint8_t> nor,
                                                    const JournalLayout& layout,
                                                    const JournalRecordView& from, std::uint32_t floor);
/// What an application writes to make the next backup while it runs: a copy of itself (`image`) in the spare
/// bank, `banks` being where the two begin, and the word in the journal that it is whole.
[[nodiscard]] std::vector<JournalStep> backup_ahead(std::span<const std::uint8_t> nor,
                                                    const JournalLayout& layout,
                                                    const JournalRecordView& from,
                                                    const std::array<std::uint32_t, 2>& banks,
                                                    std::span<const std::uint8_t> image);
/// The same record once more, with the next sequence number: moves the journal on.
[[nodiscard]] std::vector<JournalStep> repetition(std::span<const std::uint8_t> nor,
                                                  const JournalLayout& layout, const JournalRecordView& from);

}  // namespace mcuota::board
