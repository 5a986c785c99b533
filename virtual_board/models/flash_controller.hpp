// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// The embedded flash interface (RM0090 §3, fact sheet 2.2-2.6): keys, program and erase with real durations,
// error flags. It owns the rules, not the bytes: the array is handed in and may be a file mapping.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>

#include "virtual_board/clock.hpp"
#include "virtual_board/device.hpp"
#include "virtual_board/faults.hpp"
#include "virtual_board/models/flash_geometry.hpp"
#include "virtual_board/models/torn_cells.hpp"
#include "virtual_board/power.hpp"
#include "virtual_board/random.hpp"

namespace mcuota::board {

class FlashController final : public Device {
  public:
    enum Register : std::uint32_t {
        kAcr = 0,
        kKeyr = 4,
        kOptkeyr = 8,
        kSr = 0xC,
        kCr = 0x10,
        kOptcr = 0x14,
        kOptcr1 = 0x18
    };
    // SR bits
    static constexpr std::uint32_t kEop = 1u << 0, kOperr = 1u << 1, kWrperr = 1u << 4, kPgaerr = 1u << 5,
                                   kPgperr = 1u << 6, kPgserr = 1u << 7, kBsy = 1u << 16;
    // CR bits
    static constexpr std::uint32_t kPg = 1u << 0, kSer = 1u << 1, kMer = 1u << 2, kMer1 = 1u << 15,
                                   kStrt = 1u << 16, kEopie = 1u << 24, kErrie = 1u << 25, kLock = 1u << 31;

    /// What the outside must know when the array changes or a bus error is due. All may be empty.
    struct Hooks {
        std::function<void(std::uint32_t begin, std::uint32_t end)> content_changed;  ///< flash addresses
        std::function<void(const char* what, std::uint32_t address)> note;            ///< for the trace
        std::function<void()> bus_error;  ///< wrong key or key order
        OperationGate begins;             ///< asked before each program and erase
        EraseNotice erases;               ///< each sector
    };

    /// `array` must have the geometry's size and outlive the model.
    FlashController(const Clock& clock, const FlashGeometry& geometry, std::span<std::uint8_t> array,
                    Random& random, Hooks hooks);

    [[nodiscard]] std::uint32_t peek(std::uint32_t offset) const override;
    void write(std::uint32_t offset, std::uint32_t value) override;
    void reset() override;
    [[nodiscard]] Time deadline() const override { return operation_ ? operation_->end : kNever; }
    void advance() override;
    [[nodiscard]] bool status_register(std::uint32_t offset) const override { return offset == kSr; }

    [[nodiscard]] bool plain_read(std::uint32_t) const override { return true; }

    /// A store to the flash address space. Must not be called while busy() (the bus stalls instead).
    void store(std::uint32_t address, std::uint32_t value, unsigned size_bytes);

    [[nodiscard]] bool busy() const noexcept { return operation_.has_value(); }
    /// True while a read or fetch at `address` would stall the bus.
    [[nodiscard]] bool stalls(std::uint32_t address) const noexcept;
    [[nodiscard]] bool irq() const noexcept;
    [[nodiscard]] unsigned wait_states() const noexcept { return acr_ & 0xF; }
    /// The power is cut: an operation in flight leaves its word or sectors undefined.
    void power_cut();
    /// The chip starts (power-up or reset): cells torn before read anew.
    void started();
    /// What is broken; it outlives the model. Without it all is well.
    void set_faults(Faults* faults) noexcept { faults_ = faults; }
    /// How an operation is torn from now on.
    void set_tear(Tear tear) noexcept { tear_kind_ = tear; }
    /// Its unsteady cells.
    [[nodiscard]] const TornCells& torn() const noexcept { return torn_; }

    /// Erases counted per sector number since the program started.
    [[nodiscard]] const std::map<unsigned, std::uint64_t>& erases() const noexcept { return erases_; }
    [[nodiscard]] std::uint64_t words_programmed() const noexcept { return programs_; }

  private:
    struct Operation {
        bool erase;
        std::uint32_t begin, end_address;  ///< touched addresses [begin, end_address)
        std::uint32_t value;
        unsigned size_bytes;
        unsigned bank;  ///< 0 = both
        Time end;
    };

    void write_key(std::uint32_t value);
    void write_cr(std::uint32_t value);
    void start_erase();
    void fail(std::uint32_t flag, const char* what, std::uint32_t address);
    [[nodiscard]] bool write_protected(const Sector& sector) const noexcept;
    void finish_erase(const Operation& operation);
    void finish_program(const Operation& operation);
    void tear();
    [[nodiscard]] bool begin(const Operation& operation);
    void changed(std::uint32_t begin, std::uint32_t end);

    const Clock& clock_;
    const FlashGeometry& geometry_;
    std::span<std::uint8_t> array_;
    TornCells torn_;
    Tear tear_kind_{Tear::mixed};
    Hooks hooks_;
    Faults* faults_{nullptr};
    std::uint32_t acr_{0}, sr_{0}, cr_{kLock}, optcr_{0}, optcr1_{0};
    int key_step_{0};
    bool key_locked_out_{false};
    std::optional<Operation> operation_;
    std::map<unsigned, std::uint64_t> erases_;
    std::uint64_t programs_{0};
};

}  // namespace mcuota::board
