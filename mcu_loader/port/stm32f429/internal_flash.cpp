// Internal flash operations: RM0090 chapters 3.6 (erase, program) and 3.9 (registers).
#include "mcu_loader/port/stm32f429/internal_flash.hpp"

#include <cstring>

#include "mcu_loader/port/stm32f429/cpu.hpp"
#include "mcu_loader/port/stm32f429/registers.hpp"

namespace mcuota::stm32f429 {
namespace {

constexpr std::uint32_t kBusy = bit(16), kErrors = 0x1F2;  // OPERR WRPERR PGAERR PGPERR PGSERR RDERR
constexpr std::uint32_t kProgram = bit(0), kSectorErase = bit(1), kStart = bit(16), kLock = bit(31);
constexpr std::uint32_t kParallel32 = 2U << 8;
constexpr std::uint32_t kSplitBanks = bit(30);
constexpr std::uint32_t kICache = bit(9), kDCache = bit(10), kICacheReset = bit(11), kDCacheReset = bit(12);
constexpr std::uint32_t kWordsPerRow = 4;

// Code runs from this flash and stalls until the operation ends: the loop is only for dual-bank parts, where
// it goes on running. 4 s (the longest erase) are 672 M cycles, and a turn with its bus access takes more
// than 8.
constexpr std::uint32_t kTurnsMax = 84'000'000;

bool wait_idle() noexcept {
    for (std::uint32_t turn = 0; turn < kTurnsMax; ++turn) {
        if (!flash_interface().sr.any(kBusy)) return true;
    }
    return false;
}

/// Unlocked with the data cache off while it lives (ES0206: read-while-write may spoil the data cache). Locks
/// and empties both caches at the end: they do not follow what the flash does.
class Unlocked {
  public:
    Unlocked() noexcept {
        flash_interface().acr.clear(kDCache);
        if (flash_interface().cr.any(kLock)) {
            flash_interface().keyr.write(0x4567'0123);
            flash_interface().keyr.write(0xCDEF'89AB);
        }
        (void)wait_idle();
        flash_interface().sr.write(kErrors | 1U);
    }
    ~Unlocked() {
        flash_interface().cr.write(kLock);
        auto& acr = flash_interface().acr;
        acr.clear(kICache | kDCache);
        acr.set(kICacheReset | kDCacheReset);
        acr.clear(kICacheReset | kDCacheReset);
        acr.set(kICache | kDCache);
        data_barrier();
        instruction_barrier();
    }
    Unlocked(const Unlocked&) = delete;
    Unlocked& operator=(const Unlocked&) = delete;
};

const std::uint8_t* at(std::uint32_t offset) noexcept {
    return reinterpret_cast<const std::uint8_t*>(static_cast<std::uintptr_t>(kApplicationBegin + offset));
}

bool blank(std::uint32_t offset, std::uint32_t length) noexcept {
    const auto* words = reinterpret_cast<const volatile std::uint32_t*>(at(offset));
    for (std::uint32_t i = 0; i < length / 4; ++i) {
        if (words[i] != 0xFFFF'FFFF) return false;
    }
    return true;
}

bool split_banks(std::uint32_t flash_kib) noexcept {
    return flash_kib == 1024 && flash_interface().optcr.any(kSplitBanks);
}

}  // namespace

std::uint32_t InternalFlash::flash_kib() const noexcept {
    return *reinterpret_cast<const volatile std::uint16_t*>(static_cast<std::uintptr_t>(kFlashSizeAddress));
}

std::uint32_t InternalFlash::size_bytes() const noexcept {
    return flash_kib() * 1024 - (kApplicationBegin - kFlashBegin);
}

std::uint32_t InternalFlash::sector_bytes(std::uint32_t offset) const noexcept {
    const std::uint32_t kib = flash_kib();
    return flash_sector_at(kApplicationBegin - kFlashBegin + offset, kib, split_banks(kib)).bytes;
}

Status InternalFlash::read(std::uint32_t offset, std::span<std::uint8_t> out) const noexcept {
    if (offset > size_bytes() || out.size() > size_bytes() - offset) return Status::out_of_range;
    memory_clobber();
    std::memcpy(out.data(), at(offset), out.size());
    return Status::ok;
}

Status InternalFlash::program(std::uint32_t offset, std::span<const std::uint8_t> bytes) noexcept {
    if (offset > size_bytes() || bytes.size() > size_bytes() - offset || (offset | bytes.size()) % 4 != 0) {
        return Status::out_of_range;
    }
    {
        const Unlocked unlocked;
        flash_interface().cr.write(kParallel32 | kProgram);
        auto* target = reinterpret_cast<volatile std::uint32_t*>(
            static_cast<std::uintptr_t>(kApplicationBegin + offset));
        for (std::size_t i = 0; i < bytes.size(); i += 4) {
            std::uint32_t word;
            std::memcpy(&word, bytes.data() + i, 4);
            target[i / 4] = word;
            // The next store waits for BSY by itself; errors are looked at once a row of 128 bits.
            if ((i / 4) % kWordsPerRow == kWordsPerRow - 1 || i + 4 == bytes.size()) {
                if (!wait_idle() || flash_interface().sr.any(kErrors)) return Status::flash_program_failed;
            }
        }
    }
    return std::memcmp(at(offset), bytes.data(), bytes.size()) == 0 ? Status::ok
                                                                    : Status::flash_program_failed;
}

Status InternalFlash::erase(std::uint32_t offset, std::uint32_t length, void (*between)() noexcept) noexcept {
    if (offset > size_bytes() || length > size_bytes() - offset) return Status::out_of_range;
    const std::uint32_t kib = flash_kib();
    const bool split = split_banks(kib);
    const std::uint32_t lead = kApplicationBegin - kFlashBegin;
    while (length != 0) {
        const FlashSector sector = flash_sector_at(lead + offset, kib, split);
        if (sector.begin != lead + offset || sector.bytes > length) return Status::out_of_range;
        between();
        {
            const Unlocked unlocked;
            flash_interface().cr.write(kParallel32 | kSectorErase | (sector_code(sector.number) << 3));
            flash_interface().cr.set(kStart);
            if (!wait_idle() || flash_interface().sr.any(kErrors)) return Status::flash_erase_failed;
        }
        if (!blank(offset, sector.bytes)) return Status::flash_erase_failed;
        offset += sector.bytes;
        length -= sector.bytes;
    }
    return Status::ok;
}

}  // namespace mcuota::stm32f429
