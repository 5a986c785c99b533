// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// The Cortex-M4 core: a shell around one Unicorn engine. It executes blocks, counts instructions and hands
// every access that is not plain memory to a CpuBus. Exceptions are taken and left in exceptions.cpp.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

struct uc_struct;
struct uc_context;

namespace mcuota::board {

/// What the core needs from the board. Called from inside the engine: implementations must not start or stop
/// it.
class CpuBus {
  public:
    virtual ~CpuBus() = default;
    [[nodiscard]] virtual std::uint32_t bus_read(std::uint32_t address, unsigned size_bytes) = 0;
    virtual void bus_write(std::uint32_t address, unsigned size_bytes, std::uint32_t value) = 0;
    /// A store into flash.
    virtual void flash_store(std::uint32_t address, unsigned size_bytes, std::uint32_t value) = 0;
    /// A block of `instructions` has been executed and the next begins at `next`. Returns false to stop
    /// before it.
    [[nodiscard]] virtual bool block_done(std::uint32_t instructions, std::uint32_t next) = 0;
};

/// Host memory the core reads (and writes) directly.
struct MemoryRegion {
    std::uint32_t base;
    std::uint8_t* bytes;
    std::uint32_t size_bytes;
    bool writable;
    bool executable;  ///< stores into executable read-only memory go to CpuBus::flash_store
};

/// Core registers by number, as the exceptions code uses them.
enum class Reg : std::uint8_t {
    r0,
    r1,
    r2,
    r3,
    r12,
    sp,
    lr,
    pc,
    msp,
    psp,
    control,
    xpsr,
    ipsr,
    primask,
    basepri,
    faultmask,
    r4,
    r5,
    r6,
    r7,
    r8,
    r9,
    r10,
    r11
};

class Cpu {
  public:
    enum class Stop : std::uint8_t {
        asked,        ///< block_done() returned false; PC is on the next block
        wfi,          ///< PC after the instruction
        wfe,          ///< WFE or YIELD; PC after the instruction
        svc,          ///< PC after the instruction
        breakpoint,   ///< PC on the instruction
        exc_return,   ///< a branch to EXC_RETURN; see exc_return()
        undefined,    ///< PC on the instruction
        fetch_fault,  ///< PC on an address that holds no code
        bad_access    ///< an access the memory map cannot answer; PC at the block's begin
    };

    /// Opens an engine in the state after reset, except SP and PC. Throws nothing; failed() tells.
    Cpu(CpuBus& bus, const std::vector<MemoryRegion>& regions);
    ~Cpu();
    Cpu(const Cpu&) = delete;
    Cpu& operator=(const Cpu&) = delete;

    /// Why the engine could not be opened; empty when it could.
    [[nodiscard]] const std::string& failed() const noexcept { return failed_; }

    /// The state after reset again, except SP and PC. What was translated from flash that did not change is
    /// kept: a start costs no new translation.
    void restart();

    /// Executes from PC until something ends it.
    [[nodiscard]] Stop run();

    [[nodiscard]] std::uint32_t get(Reg reg) const;
    void set(Reg reg, std::uint32_t value);
    [[nodiscard]] std::uint32_t fp_word(unsigned index) const;  ///< S0-S31, 32 = FPSCR
    void set_fp_word(unsigned index, std::uint32_t value);
    /// Makes the engine notice a changed IPSR or CONTROL.
    void refresh_mode();
    /// The EXC_RETURN value of Stop::exc_return.
    [[nodiscard]] std::uint32_t exc_return() const noexcept { return exc_return_; }
    /// First address of the block being executed.
    [[nodiscard]] std::uint32_t block() const noexcept { return block_address_; }

    /// Flash content in [begin, end) has changed: blocks translated from it are thrown away before the next
    /// block runs. May be called from inside a bus access: the engine itself is not touched there.
    void code_changed(std::uint32_t begin, std::uint32_t end);

    /// Host address of plain memory, or null. `writing` refuses read-only regions.
    [[nodiscard]] std::uint8_t* memory(std::uint32_t address, std::uint32_t size_bytes,
                                       bool writing) const noexcept;

  private:
    friend struct CpuHooks;
    /// A callback only learns the offset in its mapping: this tells it where the mapping begins.
    struct Hole {
        Cpu* cpu;
        std::uint32_t base;
    };
    struct BlockSize {
        std::uint32_t address{1};  ///< odd = empty
        std::uint32_t size_bytes{0};
        std::uint32_t instructions{0};
    };
    [[nodiscard]] std::uint32_t instructions_of(std::uint32_t address, std::uint32_t size_bytes);
    [[nodiscard]] std::uint16_t halfword(std::uint32_t address) const noexcept;
    /// Index of the piece of flash an address (or its alias at 0) lies in; other addresses give one beyond
    /// the end.
    [[nodiscard]] std::size_t granule(std::uint32_t address) const noexcept;
    void drop_stale_code();
    [[nodiscard]] int map();
    [[nodiscard]] int add_hooks();

    CpuBus& bus_;
    uc_struct* engine_{nullptr};
    uc_context* reset_state_{nullptr};
    std::string failed_;
    std::vector<MemoryRegion> regions_;
    std::vector<std::unique_ptr<Hole>> holes_;
    std::vector<BlockSize> sizes_;
    static constexpr std::uint32_t kGranuleBytes = 64;
    std::uint32_t code_base_{0};
    std::vector<bool> translated_;  ///< pieces of flash the engine may hold translations of
    std::vector<std::pair<std::uint32_t, std::uint32_t>> stale_;
    std::uint32_t pc_{0};
    std::uint32_t block_address_{0};
    std::uint32_t block_instructions_{0};
    bool stop_asked_{false};
    std::optional<std::uint32_t> interrupt_;
    std::uint32_t exc_return_{0};
    // The bytes of a misaligned store come again one by one; they must not count as stores of their own.
    std::uint32_t split_store_begin_{0};
    std::uint32_t split_store_left_{0};
};

}  // namespace mcuota::board
