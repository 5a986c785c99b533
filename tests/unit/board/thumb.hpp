#pragma once
// A tiny Thumb assembler and a board to run its programs on, for tests.

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "virtual_board/board.hpp"

namespace mcuota::board::test {

/// Emits Thumb-2 halfwords. Registers are plain numbers 0-7.
class Thumb {
  public:
    using Label = std::size_t;

    [[nodiscard]] Label here() const { return code_.size(); }
    Thumb& raw(std::initializer_list<unsigned> halfwords) {
        for (const unsigned halfword : halfwords)
            code_.push_back(static_cast<std::uint16_t>(halfword));
        return *this;
    }
    /// Any 32-bit constant (MOVW, MOVT).
    Thumb& mov(unsigned rd, std::uint32_t value) {
        wide_move(0xF240, rd, value & 0xFFFF);
        return wide_move(0xF2C0, rd, value >> 16);
    }
    Thumb& ldr(unsigned rt, unsigned rn, unsigned offset = 0) {
        return raw({0x6800 | offset / 4 << 6 | rn << 3 | rt});
    }
    Thumb& str(unsigned rt, unsigned rn, unsigned offset = 0) {
        return raw({0x6000 | offset / 4 << 6 | rn << 3 | rt});
    }
    Thumb& ldrb(unsigned rt, unsigned rn, unsigned offset = 0) {
        return raw({0x7800 | offset << 6 | rn << 3 | rt});
    }
    Thumb& strb(unsigned rt, unsigned rn, unsigned offset = 0) {
        return raw({0x7000 | offset << 6 | rn << 3 | rt});
    }
    Thumb& strh(unsigned rt, unsigned rn, unsigned offset = 0) {
        return raw({0x8000 | offset / 2 << 6 | rn << 3 | rt});
    }
    Thumb& add(unsigned rd, unsigned value) { return raw({0x3000 | rd << 8 | value}); }
    Thumb& sub(unsigned rd, unsigned value) { return raw({0x3800 | rd << 8 | value}); }
    Thumb& orr(unsigned rd, unsigned rm) { return raw({0x4300 | rm << 3 | rd}); }
    Thumb& tst(unsigned rn, unsigned rm) { return raw({0x4200 | rm << 3 | rn}); }
    Thumb& cmp(unsigned rn, unsigned value) { return raw({0x2800 | rn << 8 | value}); }
    Thumb& lsl(unsigned rd, unsigned rm, unsigned bits) { return raw({bits << 6 | rm << 3 | rd}); }
    Thumb& beq(Label to) { return branch(0xD000, to); }
    Thumb& bne(Label to) { return branch(0xD100, to); }
    Thumb& b(Label to) { return raw({0xE000 | (distance(to) & 0x7FF)}); }
    Thumb& wfi() { return raw({0xBF30}); }
    Thumb& nop() { return raw({0xBF00}); }
    Thumb& svc(unsigned number) { return raw({0xDF00 | number}); }
    Thumb& udf() { return raw({0xDE00}); }
    Thumb& cpsid() { return raw({0xB672}); }
    Thumb& cpsie() { return raw({0xB662}); }
    Thumb& ret() { return raw({0x4770}); }
    /// MSR: 8 MSP, 9 PSP, 17 BASEPRI, 20 CONTROL; followed by ISB.
    Thumb& msr(unsigned special, unsigned rn) { return raw({0xF380 | rn, 0x8800 | special, 0xF3BF, 0x8F6F}); }
    /// MRS: 5 IPSR, 9 PSP.
    Thumb& mrs(unsigned rd, unsigned special) { return raw({0xF3EF, 0x8000 | rd << 8 | special}); }
    /// Stores a constant at an address; uses r6 and r7.
    Thumb& poke(std::uint32_t address, std::uint32_t value) {
        return mov(7, address).mov(6, value).str(6, 7);
    }
    /// Adds one to the word at an address; uses r2 and r3.
    Thumb& bump(std::uint32_t address) { return mov(3, address).ldr(2, 3).add(2, 1).str(2, 3); }
    /// Waits until any bit of `mask` is set (or clear); uses r5-r7.
    Thumb& wait_set(std::uint32_t address, std::uint32_t mask) {
        mov(7, address).mov(6, mask);
        const Label loop = here();
        return ldr(5, 7).tst(5, 6).beq(loop);
    }
    Thumb& wait_clear(std::uint32_t address, std::uint32_t mask) {
        mov(7, address).mov(6, mask);
        const Label loop = here();
        return ldr(5, 7).tst(5, 6).bne(loop);
    }
    Thumb& stop() { return b(here()); }

    [[nodiscard]] const std::vector<std::uint16_t>& code() const { return code_; }

  private:
    Thumb& wide_move(unsigned opcode, unsigned rd, std::uint32_t imm) {
        return raw(
            {opcode | (imm >> 11 & 1) << 10 | imm >> 12, (imm >> 8 & 7) << 12 | rd << 8 | (imm & 0xFF)});
    }
    [[nodiscard]] unsigned distance(Label to) const {
        return static_cast<unsigned>(static_cast<int>(to) - static_cast<int>(here()) - 2);
    }
    Thumb& branch(unsigned opcode, Label to) { return raw({opcode | (distance(to) & 0xFF)}); }
    std::vector<std::uint16_t> code_;
};

inline constexpr std::uint32_t kStackTop = 0x2002'0000;
inline constexpr std::uint32_t kScratch = 0x2000'1000;  ///< results of test programs

/// A board with memories of its own.
class TestBoard {
  public:
    explicit TestBoard(BoardConfig config = {}) : config_(config) {
        flash_bytes.assign(FlashGeometry(config.part).size_bytes(), 0xFF);
        nor_bytes.assign(W25q::kSizeBytes, 0xFF);
        BoardHooks hooks;
        hooks.console_sent = [this](std::uint8_t byte) {
            sent.push_back(static_cast<char>(byte));
            sent_at.push_back(board->now());
        };
        hooks.reset = [this](ResetCause cause) { causes.push_back(cause); };
        hooks.warning = [this](std::string_view text) { warnings.emplace_back(text); };
        hooks.trace = [this](std::string_view line) { trace.emplace_back(line); };
        board = std::make_unique<Board>(config_, flash_bytes, nor_bytes, backup, hooks);
        set_vector(0, kStackTop);
    }
    void put(std::uint32_t address, const Thumb& program) {
        std::memcpy(flash_bytes.data() + (address - kFlashBase), program.code().data(),
                    2 * program.code().size());
    }
    void set_vector(unsigned exception, std::uint32_t value, std::uint32_t table = kFlashBase) {
        std::memcpy(flash_bytes.data() + (table - kFlashBase) + 4 * exception, &value, 4);
    }
    /// Places a handler and its vector.
    void handler(unsigned exception, const Thumb& program) {
        const std::uint32_t address = next_;
        next_ += 0x400;
        put(address, program);
        set_vector(exception, address | 1);
    }
    /// Powers up with this program as the reset handler.
    void start(const Thumb& program) {
        handler(1, program);
        board->power_on();
    }
    void run_for(Time time) { board->run(board->now() + time); }
    [[nodiscard]] std::uint32_t word(std::uint32_t address) const {
        std::uint32_t value = 0;
        if (address >= 0x2000'0000)
            std::memcpy(&value, board->sram().data() + (address - 0x2000'0000), 4);
        else
            std::memcpy(&value, flash_bytes.data() + (address - kFlashBase), 4);
        return value;
    }
    [[nodiscard]] std::uint32_t result(unsigned index) const { return word(kScratch + 4 * index); }

    std::vector<std::uint8_t> flash_bytes, nor_bytes;
    BackupDomain backup;
    std::string sent;
    std::vector<Time> sent_at;
    std::vector<ResetCause> causes;
    std::vector<std::string> warnings, trace;
    std::unique_ptr<Board> board;

  private:
    BoardConfig config_;
    std::uint32_t next_{0x0800'0200};
};

}  // namespace mcuota::board::test
