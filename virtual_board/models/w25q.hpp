// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// A Winbond W25Q128 or W25Q256 SPI NOR flash (fact sheet 6): command set, page wrap, WEL, BUSY with real
// durations; of the W25Q256 also its 4-byte opcodes, 4-byte mode and extended address register. It is powered
// with the board but not reset with the MCU. It owns the rules, not the bytes.

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "virtual_board/clock.hpp"
#include "virtual_board/faults.hpp"
#include "virtual_board/models/torn_cells.hpp"
#include "virtual_board/power.hpp"
#include "virtual_board/random.hpp"

namespace mcuota::board {

class W25q {
  public:
    static constexpr std::uint32_t kSizeBytes = 16u << 20;       ///< W25Q128
    static constexpr std::uint32_t kLargeSizeBytes = 32u << 20;  ///< W25Q256
    static constexpr std::uint32_t kPageBytes = 256;
    static constexpr std::uint32_t kSectorBytes = 4096;
    static constexpr std::uint8_t kBusy = 1, kWel = 2;

    struct Counters {
        std::uint64_t page_programs{0}, erases_4k{0}, erases_32k{0}, erases_64k{0}, chip_erases{0};
        std::uint64_t bytes_read{0};
        std::uint64_t refused{0};  ///< commands ignored: busy, no WEL, powered down, protected, unknown
    };

    /// `array` holds kSizeBytes or kLargeSizeBytes, which makes the part, and outlives the model. `note` gets
    /// a line for the trace per operation.
    W25q(const Clock& clock, std::span<std::uint8_t> array, Random& random,
         std::function<void(const char* what, std::uint32_t address)> note = {});

    /// The chip select pin; selecting starts a command, deselecting executes program and erase commands.
    void select(bool active);
    /// One byte in, one byte out. Without chip select nothing is heard and 0xFF read.
    std::uint8_t exchange(std::uint8_t in);

    [[nodiscard]] Time deadline() const noexcept;
    void advance();

    /// Power lost: an operation in flight leaves its page or sectors undefined; volatile state is gone.
    void power_cut();
    /// The board starts (power-up or reset): cells torn before read anew.
    void started() { torn_.started(); }
    /// Asked before each program and erase.
    void set_gate(OperationGate gate) { gate_ = std::move(gate); }
    /// Told of each erase that finds all its cells in order.
    void set_erase_notice(EraseNotice notice) { erases_notice_ = std::move(notice); }
    /// A page program (inside one page) or a 4 KiB erase begun by someone who is not modelled byte by byte.
    void begin_program(std::uint32_t address, std::span<const std::uint8_t> bytes);
    void begin_erase_4k(std::uint32_t address);
    /// What is broken; it outlives the model. Without it all is well.
    void set_faults(Faults* faults) noexcept { faults_ = faults; }
    /// How an operation is torn from now on.
    void set_tear(Tear tear) noexcept { tear_kind_ = tear; }
    /// The last commands in a row that only read a busy status.
    [[nodiscard]] unsigned busy_polls() const noexcept { return busy_polls_; }
    /// Its unsteady cells.
    [[nodiscard]] const TornCells& torn() const noexcept { return torn_; }
    [[nodiscard]] bool busy() const noexcept {
        return operation_.has_value() || (faults_ != nullptr && faults_->nor_hung());
    }
    /// Of the part.
    [[nodiscard]] std::uint32_t size_bytes() const noexcept { return array_bytes(); }
    [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
    /// Erases per 4 KiB sector since the program started (a block erase counts on each of its sectors).
    [[nodiscard]] const std::map<std::uint32_t, std::uint64_t>& erases() const noexcept { return erases_; }

  private:
    enum class Kind : std::uint8_t { program, erase, status, reset };
    struct Operation {
        Kind kind;
        std::uint32_t begin, size_bytes;
        Time end;
        Time left;  ///< of a suspended operation
    };
    [[nodiscard]] std::uint32_t array_bytes() const noexcept {
        return static_cast<std::uint32_t>(array_.size());
    }
    [[nodiscard]] bool large() const noexcept { return array_.size() > kSizeBytes; }
    [[nodiscard]] std::uint8_t device_id() const noexcept { return large() ? 0x18 : 0x17; }
    [[nodiscard]] std::uint8_t respond(std::uint8_t in);
    void leave_modes() noexcept;
    void execute();
    void start_erase(std::uint32_t size_bytes, Time duration);
    void start(Operation operation);
    void refuse(const char* what);
    [[nodiscard]] bool worn(std::uint32_t address);
    void commit(const Operation& operation);
    void tear(const Operation& operation);
    [[nodiscard]] std::uint8_t status1() const noexcept;
    [[nodiscard]] bool protected_range(std::uint32_t begin, std::uint32_t size_bytes) const noexcept;

    const Clock& clock_;
    std::span<std::uint8_t> array_;
    TornCells torn_;
    Tear tear_kind_{Tear::mixed};
    OperationGate gate_;
    EraseNotice erases_notice_;
    Faults* faults_{nullptr};
    std::function<void(const char*, std::uint32_t)> note_;
    unsigned busy_polls_{0};
    bool selected_{false};
    bool powered_down_{false};
    bool wel_{false};
    bool volatile_write_{false};  ///< 50h came: the next status write is volatile
    bool reset_armed_{false};     ///< 66h came: 99h resets
    std::uint8_t sr1_{0}, sr2_{0}, sr3_{0x60};
    std::uint8_t extended_{0};  ///< address bits 31:24 of commands with three address bytes
    std::uint8_t command_{0};   ///< its 3-byte form
    bool four_bytes_{false};    ///< the present command has four address bytes
    bool ignored_{false};
    std::uint32_t received_{0};  ///< bytes of the present command, opcode included
    std::uint32_t address_{0};
    std::array<std::uint8_t, kPageBytes> page_{};
    std::array<bool, kPageBytes> page_set_{};
    std::array<std::uint8_t, kPageBytes>
        page_operation_{};  ///< data of the program in flight, 0xFF = unchanged
    std::uint8_t data_{0};
    std::optional<Operation> operation_;
    std::optional<Operation> suspended_;
    Counters counters_;
    std::map<std::uint32_t, std::uint64_t> erases_;
};

}  // namespace mcuota::board
