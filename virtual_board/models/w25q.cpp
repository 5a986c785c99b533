// SPDX-License-Identifier: GPL-2.0-or-later
// The NOR's command interpreter.

#include "virtual_board/models/w25q.hpp"

#include <algorithm>
#include <utility>

namespace mcuota::board {
namespace {

enum Opcode : std::uint8_t {
    kWriteStatus1 = 0x01,
    kPageProgram = 0x02,
    kRead = 0x03,
    kWriteDisable = 0x04,
    kReadStatus1 = 0x05,
    kWriteEnable = 0x06,
    kFastRead = 0x0B,
    kFastRead4 = 0x0C,
    kWriteStatus3 = 0x11,
    kPageProgram4 = 0x12,
    kRead4 = 0x13,
    kReadStatus3 = 0x15,
    kErase4k = 0x20,
    kErase4k4 = 0x21,
    kWriteStatus2 = 0x31,
    kReadStatus2 = 0x35,
    kUniqueId = 0x4B,
    kVolatileStatus = 0x50,
    kErase32k = 0x52,
    kChipErase2 = 0x60,
    kEnableReset = 0x66,
    kSuspend = 0x75,
    kResume = 0x7A,
    kManufacturerId = 0x90,
    kReset = 0x99,
    kJedecId = 0x9F,
    kRelease = 0xAB,
    kEnter4ByteMode = 0xB7,
    kPowerDown = 0xB9,
    kWriteExtended = 0xC5,
    kChipErase = 0xC7,
    kReadExtended = 0xC8,
    kErase64k = 0xD8,
    kErase64k4 = 0xDC,
    kLeave4ByteMode = 0xE9
};

// Typical durations (fact sheet 6).
constexpr Time kProgramTime = 700 * kMicrosecond;
constexpr Time kErase4kTime = 45 * kMillisecond;
constexpr Time kErase32kTime = 120 * kMillisecond;
constexpr Time kErase64kTime = 150 * kMillisecond;
constexpr Time kErase16MibTime = 40 * kSecond;
constexpr Time kStatusTime = 10 * kMillisecond;
constexpr Time kResetTime = 30 * kMicrosecond;

constexpr std::uint8_t kAddressMode = 1;  ///< status 3: 4-byte mode is on

/// The 3-byte opcode of the same meaning; only the larger part has the 4-byte ones.
std::uint8_t plain(std::uint8_t opcode, bool large) {
    if (!large) return opcode;
    switch (opcode) {
        case kRead4:
            return kRead;
        case kFastRead4:
            return kFastRead;
        case kPageProgram4:
            return kPageProgram;
        case kErase4k4:
            return kErase4k;
        case kErase64k4:
            return kErase64k;
        default:
            return opcode;
    }
}

constexpr std::array<std::uint8_t, 8> kUnique{0xD2, 0x64, 0x18, 0x5A, 0x31, 0x42, 0x0C, 0x29};

}  // namespace

W25q::W25q(const Clock& clock, std::span<std::uint8_t> array, Random& random,
           std::function<void(const char*, std::uint32_t)> note)
    : clock_(clock), array_(array), torn_(array, random), note_(std::move(note)) {
    page_operation_.fill(0xFF);
}

std::uint8_t W25q::status1() const noexcept {
    return static_cast<std::uint8_t>((sr1_ & 0xFC) | (wel_ ? kWel : 0) | (busy() ? kBusy : 0));
}

void W25q::select(bool active) {
    if (active == selected_) return;
    selected_ = active;
    if (active) {
        received_ = 0;
        address_ = 0;
        ignored_ = false;
        page_set_.fill(false);
        return;
    }
    const bool waits = received_ >= 2 && command_ == kReadStatus1 && busy();
    busy_polls_ = waits ? busy_polls_ + 1 : 0;
    if (received_ > 0 && !ignored_) execute();
}

std::uint8_t W25q::exchange(std::uint8_t in) {
    if (!selected_) return 0xFF;
    if (received_ == 0) {
        command_ = plain(in, large());
        const bool addressed = command_ == kRead || command_ == kFastRead || command_ == kPageProgram ||
                               command_ == kErase4k || command_ == kErase32k || command_ == kErase64k;
        four_bytes_ = command_ != in || (addressed && (sr3_ & kAddressMode) != 0);
        address_ = four_bytes_ ? 0 : extended_;
        received_ = 1;
        const bool status_read = in == kReadStatus1 || in == kReadStatus2 || in == kReadStatus3;
        const bool allowed_busy = status_read || in == kSuspend || in == kEnableReset || in == kReset;
        if (powered_down_ && in != kRelease) {
            ignored_ = true;
            refuse("nor: command while powered down ignored");
        } else if (busy() && !allowed_busy) {
            ignored_ = true;
            refuse("nor: command while busy ignored");
        }
        return 0xFF;
    }
    const std::uint8_t out = ignored_ ? 0xFF : respond(in);
    if (received_ < 0xFFFF'FFFF) ++received_;
    return out;
}

/// `received_` counts the bytes before this one: 1 is the first byte after the opcode.
std::uint8_t W25q::respond(std::uint8_t in) {
    const std::uint32_t address_bytes = four_bytes_ ? 4 : 3;
    const auto take_address = [&] { address_ = (address_ << 8 | in) & (array_bytes() - 1); };
    switch (command_) {
        case kReadStatus1:
            return status1();
        case kReadStatus2:
            return static_cast<std::uint8_t>(sr2_ | (suspended_ ? 0x80 : 0));
        case kReadStatus3:
            return sr3_;
        case kJedecId: {
            if (received_ > 3) return 0xFF;
            std::uint32_t id = large() ? 0xEF4019 : 0xEF4018;
            if (faults_ != nullptr) id = faults_->nor_id().value_or(id);
            return static_cast<std::uint8_t>(id >> 8 * (3 - received_));
        }
        case kManufacturerId:
            if (received_ <= 3) return take_address(), 0xFF;
            return ((received_ - 4 + address_) & 1) ? device_id() : 0xEF;
        case kRelease:
            return received_ <= 3 ? 0xFF : device_id();
        case kReadExtended:
            return large() ? extended_ : 0xFF;
        case kUniqueId:
            return received_ >= 5 && received_ < 13 ? kUnique[received_ - 5] : 0xFF;
        case kRead:
        case kFastRead: {
            const std::uint32_t header = command_ == kRead ? address_bytes : address_bytes + 1;
            if (received_ <= address_bytes) return take_address(), 0xFF;
            if (received_ <= header) return 0xFF;
            std::uint8_t out = array_[address_];
            if (faults_ != nullptr && !faults_->empty()) out = faults_->nor_read(address_, out);
            address_ = (address_ + 1) & (array_bytes() - 1);
            ++counters_.bytes_read;
            return out;
        }
        case kPageProgram:
            if (received_ <= address_bytes) {
                take_address();
            } else {
                // Wraps inside the page.
                const std::uint32_t at = (address_ + received_ - address_bytes - 1) % kPageBytes;
                page_[at] = in;
                page_set_[at] = true;
            }
            return 0xFF;
        case kErase4k:
        case kErase32k:
        case kErase64k:
            if (received_ <= address_bytes) take_address();
            return 0xFF;
        case kWriteExtended:
        case kWriteStatus1:
        case kWriteStatus2:
        case kWriteStatus3:
            if (received_ == 1) data_ = in;
            return 0xFF;
        default:
            return 0xFF;
    }
}

void W25q::execute() {
    const bool armed = reset_armed_;
    reset_armed_ = false;
    const bool volatile_write = volatile_write_;
    volatile_write_ = false;
    switch (command_) {
        case kWriteEnable:
            wel_ = true;
            break;
        case kWriteDisable:
            wel_ = false;
            break;
        case kVolatileStatus:
            volatile_write_ = true;
            break;
        case kPowerDown:
            powered_down_ = true;
            if (note_) note_("nor: power-down", 0);
            break;
        case kRelease:
            powered_down_ = false;
            break;
        case kEnableReset:
            reset_armed_ = true;
            break;
        case kReset:
            if (!armed) return refuse("nor: reset without enable ignored");
            if (note_) note_("nor: software reset", 0);
            if (operation_) tear(*operation_);
            if (suspended_) tear(*suspended_);
            operation_.reset();
            suspended_.reset();
            wel_ = false;
            leave_modes();
            start({Kind::reset, 0, 0, clock_.now() + kResetTime, 0});
            break;
        case kSuspend:
            if (operation_ && (operation_->kind == Kind::program || operation_->kind == Kind::erase)) {
                suspended_ = operation_;
                suspended_->left = suspended_->end > clock_.now() ? suspended_->end - clock_.now() : 0;
                operation_.reset();
                if (note_) note_("nor: suspended", suspended_->begin);
            }
            break;
        case kResume:
            if (suspended_ && !operation_) {
                operation_ = suspended_;
                operation_->end = clock_.now() + operation_->left;
                suspended_.reset();
            }
            break;
        case kPageProgram: {
            if (received_ < (four_bytes_ ? 6U : 5U)) return refuse("nor: program without data ignored");
            const std::uint32_t page = address_ & ~(kPageBytes - 1);
            if (!wel_) return refuse("nor: program without write enable ignored");
            if (protected_range(page, kPageBytes)) return refuse("nor: program of a protected page ignored");
            if (suspended_) return refuse("nor: program while suspended ignored");
            for (std::uint32_t i = 0; i < kPageBytes; ++i)
                page_operation_[i] = page_set_[i] ? page_[i] : std::uint8_t{0xFF};
            start({Kind::program, page, kPageBytes, clock_.now() + kProgramTime, 0});
            break;
        }
        case kErase4k:
            start_erase(kSectorBytes, kErase4kTime);
            break;
        case kErase32k:
            start_erase(32 * 1024, kErase32kTime);
            break;
        case kErase64k:
            start_erase(64 * 1024, kErase64kTime);
            break;
        case kChipErase:
        case kChipErase2:
            received_ = 4;
            address_ = 0;
            start_erase(array_bytes(), array_bytes() / (16u << 20) * kErase16MibTime);
            break;
        case kEnter4ByteMode:
        case kLeave4ByteMode:
            if (!large()) return refuse("nor: unknown command ignored");
            sr3_ = static_cast<std::uint8_t>((sr3_ & ~kAddressMode) |
                                             (command_ == kEnter4ByteMode ? kAddressMode : 0));
            break;
        case kWriteExtended:
            if (!large()) return refuse("nor: unknown command ignored");
            if (received_ < 2) return;
            if (!wel_) return refuse("nor: extended address without write enable ignored");
            extended_ = data_ & 1;
            wel_ = false;
            break;
        case kReadExtended:
            if (!large()) refuse("nor: unknown command ignored");
            break;
        case kWriteStatus1:
        case kWriteStatus2:
        case kWriteStatus3: {
            if (received_ < 2) return;
            if (!wel_ && !volatile_write) return refuse("nor: status write without write enable ignored");
            std::uint8_t& reg = command_ == kWriteStatus1 ? sr1_ : command_ == kWriteStatus2 ? sr2_ : sr3_;
            const auto mode = static_cast<std::uint8_t>(sr3_ & kAddressMode);  // not writable this way
            reg = command_ == kWriteStatus1 ? static_cast<std::uint8_t>(data_ & 0xFC) : data_;
            sr3_ = static_cast<std::uint8_t>((sr3_ & ~kAddressMode) | mode);
            if (!volatile_write) start({Kind::status, 0, 0, clock_.now() + kStatusTime, 0});
            break;
        }
        case kReadStatus1:
        case kReadStatus2:
        case kReadStatus3:
        case kJedecId:
        case kManufacturerId:
        case kUniqueId:
        case kRead:
        case kFastRead:
            break;
        default:
            refuse("nor: unknown command ignored");
            break;
    }
}

void W25q::start_erase(std::uint32_t size_bytes, Time duration) {
    if (received_ != (four_bytes_ ? 5U : 4U))
        return refuse("nor: erase with a wrong number of address bytes ignored");
    if (!wel_) return refuse("nor: erase without write enable ignored");
    const std::uint32_t begin = address_ & ~(size_bytes - 1);
    if (protected_range(begin, size_bytes)) return refuse("nor: erase of a protected area ignored");
    if (suspended_) return refuse("nor: erase while suspended ignored");
    start({Kind::erase, begin, size_bytes, clock_.now() + duration, 0});
}

void W25q::start(Operation operation) {
    const bool lasting = operation.kind == Kind::program || operation.kind == Kind::erase;
    const auto kind = operation.kind == Kind::program ? OperationKind::nor_program : OperationKind::nor_erase;
    if (lasting && gate_ && !gate_(kind, operation.begin, operation.size_bytes, operation.end - clock_.now()))
        return;
    if (lasting && faults_ != nullptr && faults_->nor_hangs()) {
        if (note_) note_("nor: fault: this operation never ends", operation.begin);
        return;
    }
    operation_ = operation;
    if (!note_) return;
    if (operation.kind == Kind::program) note_("nor: page program begins", operation.begin);
    if (operation.kind == Kind::erase)
        note_(operation.size_bytes == kSectorBytes ? "nor: 4K erase begins"
              : operation.size_bytes == 32 * 1024  ? "nor: 32K erase begins"
              : operation.size_bytes == 64 * 1024  ? "nor: 64K erase begins"
                                                   : "nor: chip erase begins",
              operation.begin);
}

void W25q::begin_program(std::uint32_t address, std::span<const std::uint8_t> bytes) {
    const std::uint32_t page = address & ~(kPageBytes - 1);
    page_operation_.fill(0xFF);
    for (std::size_t i = 0; i < bytes.size() && address % kPageBytes + i < kPageBytes; ++i)
        page_operation_[address % kPageBytes + i] = bytes[i];
    start({Kind::program, page, kPageBytes, clock_.now() + kProgramTime, 0});
}

void W25q::begin_erase_4k(std::uint32_t address) {
    start({Kind::erase, address & ~(kSectorBytes - 1), kSectorBytes, clock_.now() + kErase4kTime, 0});
}

void W25q::refuse(const char* what) {
    ++counters_.refused;
    if (note_) note_(what, address_);
}

bool W25q::protected_range(std::uint32_t begin, std::uint32_t size_bytes) const noexcept {
    // Only the plain block protection BP[2:0] of the upper part (TB = 0, SEC = 0) or lower part (TB = 1), 64
    // KiB blocks.
    const unsigned bp = sr1_ >> 2 & 7;
    if (bp == 0) return false;
    const std::uint32_t covered = bp == 7 ? array_bytes() : kSizeBytes >> (7 - bp);
    const bool bottom = sr1_ & 0x20;
    const std::uint32_t from = bottom ? 0 : array_bytes() - covered;
    return begin < from + covered && begin + size_bytes > from;
}

Time W25q::deadline() const noexcept {
    return operation_ ? operation_->end : kNever;
}

void W25q::advance() {
    if (!operation_ || operation_->end > clock_.now()) return;
    const Operation operation = *operation_;
    operation_.reset();
    wel_ = false;
    commit(operation);
}

bool W25q::worn(std::uint32_t address) {
    const bool worn = faults_ != nullptr && faults_->nor_worn(address);
    if (worn && note_) note_("nor: fault: the cells keep what they hold", address);
    return worn;
}

void W25q::commit(const Operation& operation) {
    if (operation.kind == Kind::program) {
        ++counters_.page_programs;
        if (worn(operation.begin)) return;
        for (std::uint32_t i = 0; i < operation.size_bytes; ++i)
            array_[operation.begin + i] &= page_operation_[i];
        torn_.programmed(operation.begin, page_operation_);
    } else if (operation.kind == Kind::erase) {
        if (erases_notice_ && (faults_ == nullptr || faults_->empty()))
            erases_notice_(OperationKind::nor_erase, operation.begin, operation.size_bytes);
        for (std::uint32_t at = operation.begin; at < operation.begin + operation.size_bytes;
             at += kSectorBytes) {
            ++erases_[at / kSectorBytes];
            if (worn(at)) continue;
            std::fill_n(array_.begin() + at, kSectorBytes, std::uint8_t{0xFF});
            torn_.erased(at, kSectorBytes);
        }
        switch (operation.size_bytes) {
            case kSectorBytes:
                ++counters_.erases_4k;
                break;
            case 32 * 1024:
                ++counters_.erases_32k;
                break;
            case 64 * 1024:
                ++counters_.erases_64k;
                break;
            default:
                ++counters_.chip_erases;
                break;
        }
    }
}

void W25q::tear(const Operation& operation) {
    if (operation.kind == Kind::program) {
        std::array<std::uint8_t, kPageBytes> target = page_operation_;
        for (std::uint32_t i = 0; i < operation.size_bytes; ++i)
            target[i] &= array_[operation.begin + i];
        torn_.tear(operation.begin, target, tear_kind_);
    } else if (operation.kind == Kind::erase) {
        torn_.tear_erase(operation.begin, operation.size_bytes, tear_kind_);
    }
    if (note_) note_("nor: operation cut, content undefined", operation.begin);
}

void W25q::power_cut() {
    if (operation_) tear(*operation_);
    if (suspended_) tear(*suspended_);
    operation_.reset();
    suspended_.reset();
    selected_ = powered_down_ = wel_ = volatile_write_ = reset_armed_ = false;
    leave_modes();
    received_ = 0;
}

/// ADP, the mode at power-up, is not modelled: 3 bytes, as delivered.
void W25q::leave_modes() noexcept {
    sr3_ = static_cast<std::uint8_t>(sr3_ & ~kAddressMode);
    extended_ = 0;
}

}  // namespace mcuota::board
