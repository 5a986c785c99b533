// SPDX-License-Identifier: GPL-2.0-or-later
// The flash interface's rules.

#include "virtual_board/models/flash_controller.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace mcuota::board {
namespace {

constexpr std::uint32_t kKey1 = 0x4567'0123;
constexpr std::uint32_t kKey2 = 0xCDEF'89AB;
constexpr std::uint32_t kErrorFlags = FlashController::kOperr | FlashController::kWrperr |
                                      FlashController::kPgaerr | FlashController::kPgperr |
                                      FlashController::kPgserr;
constexpr std::uint32_t kCrWritable = FlashController::kPg | FlashController::kSer | FlashController::kMer |
                                      0xF8 | 0x300 | FlashController::kMer1 | FlashController::kEopie |
                                      FlashController::kErrie;
// Typical durations of the data sheet, by PSIZE (x8, x16, x32; x64 needs external VPP and is not fitted).
constexpr Time kProgram = 16 * kMicrosecond;
constexpr std::array<Time, 3> kErase16k{400 * kMillisecond, 300 * kMillisecond, 250 * kMillisecond};
constexpr std::array<Time, 3> kErase64k{1200 * kMillisecond, 700 * kMillisecond, 550 * kMillisecond};
constexpr std::array<Time, 3> kErase128k{2 * kSecond, 1300 * kMillisecond, 1 * kSecond};
constexpr std::array<Time, 3> kEraseBank{16 * kSecond, 11 * kSecond, 8 * kSecond};

}  // namespace

FlashController::FlashController(const Clock& clock, const FlashGeometry& geometry,
                                 std::span<std::uint8_t> array, Random& random, Hooks hooks)
    : clock_(clock), geometry_(geometry), array_(array), torn_(array, random), hooks_(std::move(hooks)) {
    reset();
}

void FlashController::reset() {
    // A reset in the middle of an operation leaves its target undefined (fact sheet 2.6).
    if (operation_) tear();
    acr_ = 0;
    sr_ = 0;
    cr_ = kLock;
    optcr_ = 0x0FFF'AAED | (geometry_.part() == Part::dual_1mb ? 1u << 30 : 0u);
    optcr1_ = 0x0FFF'0000;
    key_step_ = 0;
    key_locked_out_ = false;
}

void FlashController::power_cut() {
    if (operation_) tear();
}

std::uint32_t FlashController::peek(std::uint32_t offset) const {
    switch (offset) {
        case kAcr:
            return acr_;
        case kSr:
            return sr_ | (busy() ? kBsy : 0);
        case kCr:
            return cr_;
        case kOptcr:
            return optcr_;
        case kOptcr1:
            return optcr1_;
        default:
            return 0;
    }
}

void FlashController::write(std::uint32_t offset, std::uint32_t value) {
    switch (offset) {
        case kAcr:
            acr_ = value & 0x1F0F;
            break;
        case kKeyr:
            write_key(value);
            break;
        case kSr:
            sr_ &= ~(value & (kErrorFlags | kEop | 1u << 8));
            break;
        case kCr:
            write_cr(value);
            break;
        default:
            break;  // option bytes are read-only here: see docs/virtual-board.md
    }
}

void FlashController::write_key(std::uint32_t value) {
    if (!(cr_ & kLock)) return;
    const std::uint32_t expected = key_step_ == 0 ? kKey1 : kKey2;
    if (key_locked_out_ || value != expected) {
        key_locked_out_ = true;
        key_step_ = 0;
        if (hooks_.note) hooks_.note("flash: wrong key, locked until the next reset", 0);
        if (hooks_.bus_error) hooks_.bus_error();
        return;
    }
    if (++key_step_ == 2) {
        key_step_ = 0;
        cr_ &= ~kLock;
    }
}

void FlashController::write_cr(std::uint32_t value) {
    // While an operation runs, or while locked, the register keeps its value; setting LOCK again is always
    // possible.
    if (cr_ & kLock) return;
    if (busy()) return;
    cr_ = value & kCrWritable;
    if (value & kStrt) {
        start_erase();
    }
    if (value & kLock) cr_ |= kLock;
}

bool FlashController::write_protected(const Sector& sector) const noexcept {
    const std::uint32_t bits = sector.number < 12 ? optcr_ : optcr1_;
    return !(bits >> (16 + sector.number % 12) & 1);
}

void FlashController::fail(std::uint32_t flag, const char* what, std::uint32_t address) {
    sr_ |= flag;
    if (cr_ & kErrie) sr_ |= kOperr;
    if (hooks_.note) hooks_.note(what, address);
}

void FlashController::start_erase() {
    const unsigned psize = cr_ >> 8 & 3;
    const bool one = cr_ & kSer;
    const bool bank1 = cr_ & kMer;
    const bool bank2 = cr_ & kMer1;
    if (psize == 3) return fail(kPgperr, "flash: x64 needs VPP, nothing erased", 0);
    if ((one && (bank1 || bank2)) || (cr_ & kPg))
        return fail(kPgserr, "flash: contradicting erase, nothing erased", 0);
    if (!one && !bank1 && !bank2) return;
    Operation operation{true, 0, 0, 0, 0, 0, 0};
    if (one) {
        const Sector* sector = geometry_.by_snb(cr_ >> 3 & 0x1F);
        if (!sector)
            return fail(kPgserr, "flash: erase of a sector this part does not have", cr_ >> 3 & 0x1F);
        if (write_protected(*sector))
            return fail(kWrperr, "flash: erase of a protected sector", sector->begin);
        const auto& times = sector->size_bytes == 16 * 1024   ? kErase16k
                            : sector->size_bytes == 64 * 1024 ? kErase64k
                                                              : kErase128k;
        operation.begin = sector->begin;
        operation.end_address = sector->end();
        operation.bank = sector->bank;
        operation.end = clock_.now() + times[psize];
    } else {
        const bool whole = geometry_.banks() == 1 || (bank1 && bank2);
        if (geometry_.banks() == 1 && !bank1) return;
        std::uint32_t begin = ~0u;
        std::uint32_t end = 0;
        for (const Sector& sector : geometry_.sectors()) {
            if (!whole && (sector.bank == 1) != bank1) continue;
            if (write_protected(sector))
                return fail(kWrperr, "flash: mass erase with a protected sector", sector.begin);
            begin = std::min(begin, sector.begin);
            end = std::max(end, sector.end());
        }
        operation.begin = begin;
        operation.end_address = end;
        operation.bank = whole ? 0 : (bank1 ? 1 : 2);
        operation.end = clock_.now() + kEraseBank[psize];
    }
    if (begin(operation) && hooks_.note) hooks_.note("flash: erase begins", operation.begin);
}

bool FlashController::begin(const Operation& operation) {
    if (hooks_.begins &&
        !hooks_.begins(operation.erase ? OperationKind::flash_erase : OperationKind::flash_program,
                       operation.begin, operation.end_address - operation.begin,
                       operation.end - clock_.now()))
        return false;
    operation_ = operation;
    return true;
}

void FlashController::store(std::uint32_t address, std::uint32_t value, unsigned size_bytes) {
    const unsigned psize = cr_ >> 8 & 3;
    const Sector* sector = geometry_.at(address);
    if (!sector) return;
    if ((cr_ & kLock) || !(cr_ & kPg) || (cr_ & (kSer | kMer | kMer1)))
        return fail(kPgserr, "flash: store without a program sequence", address);
    if (address % size_bytes != 0) return fail(kPgaerr, "flash: misaligned store", address);
    if (psize == 3 || size_bytes != 1u << psize)
        return fail(kPgperr, "flash: store of another width than PSIZE", address);
    if (write_protected(*sector)) return fail(kWrperr, "flash: store to a protected sector", address);
    (void)begin(
        {false, address, address + size_bytes, value, size_bytes, sector->bank, clock_.now() + kProgram});
}

void FlashController::advance() {
    if (!operation_ || clock_.now() < operation_->end) return;
    const Operation operation = *operation_;
    operation_.reset();
    if (operation.erase)
        finish_erase(operation);
    else
        finish_program(operation);
    cr_ &= ~kStrt;
    if (cr_ & kEopie) sr_ |= kEop;
    changed(operation.begin, operation.end_address);
}

void FlashController::finish_erase(const Operation& operation) {
    for (const Sector& sector : geometry_.sectors()) {
        if (sector.begin < operation.begin || sector.end() > operation.end_address) continue;
        ++erases_[sector.number];
        // Worn cells raise no error flag: only reading back tells.
        if (faults_ != nullptr && faults_->flash_erase_fails(sector.number)) {
            if (hooks_.note) hooks_.note("flash: fault: the sector keeps what it holds", sector.begin);
            continue;
        }
        if (hooks_.erases) hooks_.erases(OperationKind::flash_erase, sector.begin, sector.size_bytes);
        std::fill_n(array_.begin() + (sector.begin - kFlashBase), sector.size_bytes, std::uint8_t{0xFF});
        torn_.erased(sector.begin - kFlashBase, sector.size_bytes);
    }
    if (hooks_.note) hooks_.note("flash: erase ends", operation.begin);
}

void FlashController::finish_program(const Operation& operation) {
    ++programs_;
    if (faults_ != nullptr && faults_->flash_program_fails(operation.begin)) {
        if (hooks_.note) hooks_.note("flash: fault: the word keeps what it holds", operation.begin);
        return;
    }
    std::uint8_t* at = array_.data() + (operation.begin - kFlashBase);
    std::array<std::uint8_t, 4> value{};
    for (unsigned i = 0; i < operation.size_bytes; ++i) {
        value[i] = static_cast<std::uint8_t>(operation.value >> (8 * i));
        at[i] &= value[i];  // bits only go 1 -> 0
    }
    torn_.programmed(operation.begin - kFlashBase, std::span{value}.first(operation.size_bytes));
}

void FlashController::tear() {
    const Operation operation = *operation_;
    operation_.reset();
    const std::size_t begin = operation.begin - kFlashBase;
    if (operation.erase) {
        torn_.tear_erase(begin, operation.end_address - operation.begin, tear_kind_);
    } else {
        std::array<std::uint8_t, 4> target{};
        for (unsigned i = 0; i < operation.size_bytes; ++i)
            target[i] = static_cast<std::uint8_t>(array_[begin + i] & (operation.value >> (8 * i)));
        torn_.tear(begin, std::span{target}.first(operation.size_bytes), tear_kind_);
    }
    if (hooks_.note) hooks_.note("flash: operation cut, content undefined", operation.begin);
    changed(operation.begin, operation.end_address);
}

void FlashController::started() {
    torn_.started();
}

void FlashController::changed(std::uint32_t begin, std::uint32_t end) {
    if (hooks_.content_changed) hooks_.content_changed(begin, end);
}

bool FlashController::stalls(std::uint32_t address) const noexcept {
    if (!operation_) return false;
    const Sector* sector = geometry_.at(address);
    return sector && (operation_->bank == 0 || sector->bank == operation_->bank);
}

bool FlashController::irq() const noexcept {
    return ((cr_ & kEopie) && (sr_ & kEop)) || ((cr_ & kErrie) && (sr_ & kOperr));
}

}  // namespace mcuota::board
