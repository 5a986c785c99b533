// SPDX-License-Identifier: GPL-2.0-or-later
// The engine's set-up and its callbacks. The rules this follows are in docs/virtual-board.md, "The CPU
// engine".

#include "virtual_board/cpu.hpp"

#include <unicorn/unicorn.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace mcuota::board {
namespace {

constexpr std::uint32_t kNeverExecuted = 0xF000'0000;
constexpr std::size_t kBlockCacheEntries = 1u << 16;

constexpr std::array<int, 24> kRegisterIds{
    UC_ARM_REG_R0,        UC_ARM_REG_R1,   UC_ARM_REG_R2,   UC_ARM_REG_R3,      UC_ARM_REG_R12,
    UC_ARM_REG_SP,        UC_ARM_REG_LR,   UC_ARM_REG_PC,   UC_ARM_REG_MSP,     UC_ARM_REG_PSP,
    UC_ARM_REG_CONTROL,   UC_ARM_REG_XPSR, UC_ARM_REG_IPSR, UC_ARM_REG_PRIMASK, UC_ARM_REG_BASEPRI,
    UC_ARM_REG_FAULTMASK, UC_ARM_REG_R4,   UC_ARM_REG_R5,   UC_ARM_REG_R6,      UC_ARM_REG_R7,
    UC_ARM_REG_R8,        UC_ARM_REG_R9,   UC_ARM_REG_R10,  UC_ARM_REG_R11};

}  // namespace

/// The engine's callbacks, with access to the core's private state.
struct CpuHooks {
    static Cpu& of(void* user) { return *static_cast<Cpu*>(user); }

    static void block(uc_engine* engine, std::uint64_t address, std::uint32_t size, void* user) {
        Cpu& cpu = of(user);
        const std::uint32_t done = cpu.block_instructions_;
        cpu.split_store_left_ = 0;
        cpu.block_address_ = static_cast<std::uint32_t>(address);
        cpu.block_instructions_ = cpu.instructions_of(cpu.block_address_, size);
        const bool go_on = cpu.bus_.block_done(done, cpu.block_address_);
        if (!go_on || !cpu.stale_.empty()) {
            cpu.block_instructions_ = 0;  // it has not been executed
            cpu.stop_asked_ = true;
            uc_emu_stop(engine);
        }
    }

    static void interrupt(uc_engine* engine, std::uint32_t number, void* user) {
        Cpu& cpu = of(user);
        cpu.interrupt_ = number;
        uc_emu_stop(engine);
    }

    static bool protected_store(uc_engine*, uc_mem_type, std::uint64_t address, int size, std::int64_t value,
                                void* user) {
        Cpu& cpu = of(user);
        const auto at = static_cast<std::uint32_t>(address);
        const auto bytes = static_cast<unsigned>(size);
        if (bytes == 1 && cpu.split_store_left_ > 0 && at - cpu.split_store_begin_ < 4) {
            --cpu.split_store_left_;
            return true;
        }
        if (at % bytes != 0) {
            cpu.split_store_begin_ = at;
            cpu.split_store_left_ = bytes;
        }
        cpu.bus_.flash_store(at, bytes, static_cast<std::uint32_t>(value));
        return true;
    }

    static std::uint64_t read(uc_engine*, std::uint64_t offset, unsigned size, void* user) {
        const Cpu::Hole& hole = *static_cast<Cpu::Hole*>(user);
        return hole.cpu->bus_.bus_read(hole.base + static_cast<std::uint32_t>(offset), size);
    }

    static void write(uc_engine*, std::uint64_t offset, unsigned size, std::uint64_t value, void* user) {
        const Cpu::Hole& hole = *static_cast<Cpu::Hole*>(user);
        hole.cpu->bus_.bus_write(hole.base + static_cast<std::uint32_t>(offset), size,
                                 static_cast<std::uint32_t>(value));
    }
};

Cpu::Cpu(CpuBus& bus, const std::vector<MemoryRegion>& regions)
    : bus_(bus), regions_(regions), sizes_(kBlockCacheEntries) {
    std::sort(regions_.begin(), regions_.end(), [](const auto& a, const auto& b) { return a.base < b.base; });
    // The read-only code region with the highest base is the flash; the one at 0 is its alias.
    for (const MemoryRegion& region : regions_)
        if (region.executable && !region.writable) {
            code_base_ = region.base;
            translated_.assign(region.size_bytes / kGranuleBytes, false);
        }
    // UC_MODE_MCLASS would silently select another core; the model is chosen by name instead.
    uc_err error = uc_open(UC_ARCH_ARM, UC_MODE_THUMB, &engine_);
    if (error == UC_ERR_OK) error = uc_ctl_set_cpu_model(engine_, UC_CPU_ARM_CORTEX_M4);
    if (error == UC_ERR_OK) error = static_cast<uc_err>(map());
    if (error == UC_ERR_OK) error = static_cast<uc_err>(add_hooks());
    if (error == UC_ERR_OK) error = uc_context_alloc(engine_, &reset_state_);
    if (error == UC_ERR_OK) error = uc_context_save(engine_, reset_state_);
    if (error != UC_ERR_OK) failed_ = uc_strerror(error);
}

void Cpu::restart() {
    uc_context_restore(engine_, reset_state_);
    refresh_mode();
    for (const MemoryRegion& region : regions_)
        if (region.executable && region.writable)  // code in RAM is another after a power-up
            uc_ctl_remove_cache(engine_, region.base, std::uint64_t{region.base} + region.size_bytes);
    pc_ = block_address_ = block_instructions_ = exc_return_ = 0;
    split_store_left_ = 0;
    stop_asked_ = false;
    interrupt_.reset();
}

Cpu::~Cpu() {
    if (reset_state_) uc_context_free(reset_state_);
    if (engine_) uc_close(engine_);
}

int Cpu::map() {
    for (const MemoryRegion& region : regions_) {
        std::uint32_t rights = UC_PROT_READ;
        if (region.writable) rights |= UC_PROT_WRITE;
        if (region.executable) rights |= UC_PROT_EXEC;
        uc_err error = uc_mem_map_ptr(engine_, region.base, region.size_bytes, rights, region.bytes);
        // Mapping alone does not make the engine discard stores into read-only memory; setting the rights
        // again does.
        if (error == UC_ERR_OK) error = uc_mem_protect(engine_, region.base, region.size_bytes, rights);
        if (error != UC_ERR_OK) return error;
    }
    // Everything between the memory regions answers through the bus: peripherals there, bus faults elsewhere.
    // The last 256 MiB stay unmapped: EXC_RETURN values live there.
    std::vector<std::pair<std::uint64_t, std::uint64_t>> gaps;
    std::uint64_t from = 0;
    for (const MemoryRegion& region : regions_) {
        if (region.base > from) gaps.emplace_back(from, region.base);
        from = std::uint64_t{region.base} + region.size_bytes;
    }
    gaps.emplace_back(from, kNeverExecuted);
    for (const auto& [begin, end] : gaps) {
        holes_.push_back(std::make_unique<Hole>(Hole{this, static_cast<std::uint32_t>(begin)}));
        void* hole = holes_.back().get();
        const uc_err error =
            uc_mmio_map(engine_, begin, end - begin, CpuHooks::read, hole, CpuHooks::write, hole);
        if (error != UC_ERR_OK) return error;
    }
    return UC_ERR_OK;
}

int Cpu::add_hooks() {
    const auto add = [this](int type, auto* callback) {
        uc_hook hook{};
        // The C interface takes callbacks as data pointers.
        return uc_hook_add(engine_, &hook, type, reinterpret_cast<void*>(callback), this, 1, 0);
    };
    uc_err error = add(UC_HOOK_BLOCK, CpuHooks::block);
    if (error == UC_ERR_OK) error = add(UC_HOOK_INTR, CpuHooks::interrupt);
    if (error == UC_ERR_OK) error = add(UC_HOOK_MEM_WRITE_PROT, CpuHooks::protected_store);
    return error;
}

std::uint8_t* Cpu::memory(std::uint32_t address, std::uint32_t size_bytes, bool writing) const noexcept {
    for (const MemoryRegion& region : regions_) {
        if (address < region.base || address - region.base >= region.size_bytes) continue;
        const std::uint32_t offset = address - region.base;
        if (region.size_bytes - offset < size_bytes || (writing && !region.writable)) return nullptr;
        return region.bytes + offset;
    }
    return nullptr;
}

std::size_t Cpu::granule(std::uint32_t address) const noexcept {
    return (address >= code_base_ ? address - code_base_ : address) / kGranuleBytes;
}

std::uint16_t Cpu::halfword(std::uint32_t address) const noexcept {
    std::uint16_t value = 0;
    if (const std::uint8_t* at = memory(address, 2, false)) std::memcpy(&value, at, 2);
    return value;
}

std::uint32_t Cpu::instructions_of(std::uint32_t address, std::uint32_t size_bytes) {
    BlockSize& entry = sizes_[(address >> 1) % kBlockCacheEntries];
    if (entry.address == address && entry.size_bytes == size_bytes) return entry.instructions;
    std::uint32_t count = 0;
    for (std::uint32_t at = 0; at < size_bytes; ++count)
        at += halfword(address + at) >= 0xE800 ? 4 : 2;
    entry = {address, size_bytes, count};
    for (std::size_t at = granule(address);
         at <= granule(address + size_bytes - 1) && at < translated_.size(); ++at)
        translated_[at] = true;
    return count;
}

Cpu::Stop Cpu::run() {
    drop_stale_code();
    stop_asked_ = false;
    interrupt_.reset();
    block_instructions_ = 0;
    const uc_err error = uc_emu_start(engine_, pc_ | 1u, kNeverExecuted, 0, 0);
    std::uint32_t pc = 0;
    uc_reg_read(engine_, UC_ARM_REG_PC, &pc);
    pc_ = pc & ~1u;
    if (stop_asked_) return Stop::asked;
    // The last block ran to its end (or to the fault): its instructions count too. The answer cannot stop
    // anything.
    (void)bus_.block_done(block_instructions_, pc_);
    block_instructions_ = 0;
    if (interrupt_) {
        switch (*interrupt_) {
            case 2:
                return Stop::svc;
            case 7:
                return Stop::breakpoint;
            case 8:
                exc_return_ = pc | 1u;
                return Stop::exc_return;
            default:
                return Stop::fetch_fault;
        }
    }
    switch (error) {
        case UC_ERR_OK:
            return Stop::wfi;
        case UC_ERR_INSN_INVALID: {
            const std::uint16_t before = pc_ >= block_address_ + 2 ? halfword(pc_ - 2) : std::uint16_t{0};
            return before == 0xBF20 || before == 0xBF10 ? Stop::wfe : Stop::undefined;
        }
        case UC_ERR_FETCH_UNMAPPED:
        case UC_ERR_FETCH_PROT:
            return Stop::fetch_fault;
        default:
            return Stop::bad_access;
    }
}

std::uint32_t Cpu::get(Reg reg) const {
    if (reg == Reg::pc) return pc_;
    std::uint32_t value = 0;
    uc_reg_read(engine_, kRegisterIds[static_cast<std::size_t>(reg)], &value);
    return value;
}

void Cpu::set(Reg reg, std::uint32_t value) {
    if (reg == Reg::pc) {
        pc_ = value & ~1u;
        return;
    }
    uc_reg_write(engine_, kRegisterIds[static_cast<std::size_t>(reg)], &value);
}

std::uint32_t Cpu::fp_word(unsigned index) const {
    std::uint32_t value = 0;
    uc_reg_read(engine_, index < 32 ? static_cast<int>(UC_ARM_REG_S0 + index) : UC_ARM_REG_FPSCR, &value);
    return value;
}

void Cpu::set_fp_word(unsigned index, std::uint32_t value) {
    uc_reg_write(engine_, index < 32 ? static_cast<int>(UC_ARM_REG_S0 + index) : UC_ARM_REG_FPSCR, &value);
}

void Cpu::refresh_mode() {
    std::uint32_t flags = 0;
    uc_reg_read(engine_, UC_ARM_REG_APSR_NZCV, &flags);
    uc_reg_write(engine_, UC_ARM_REG_APSR_NZCV, &flags);
}

void Cpu::code_changed(std::uint32_t begin, std::uint32_t end) {
    const std::size_t first = granule(begin);
    const std::size_t last = granule(end - 1);
    if (first >= translated_.size()) return;
    const auto from = translated_.begin() + static_cast<std::ptrdiff_t>(first);
    const auto to = translated_.begin() + static_cast<std::ptrdiff_t>(std::min(last + 1, translated_.size()));
    if (std::find(from, to, true) == to) return;  // never executed: nothing is translated
    std::fill(from, to, false);
    stale_.emplace_back(begin, end);
}

void Cpu::drop_stale_code() {
    if (stale_.empty()) return;
    for (const auto& [begin, end] : stale_) {
        uc_ctl_remove_cache(engine_, begin, end);
        uc_ctl_remove_cache(engine_, begin - code_base_, end - code_base_);  // the alias at 0
    }
    stale_.clear();
    std::fill(sizes_.begin(), sizes_.end(), BlockSize{});
}

}  // namespace mcuota::board
