// Checks and splits the geometry a port offers.
#include "mcu_loader/core/device/storage.hpp"

#include "mcu_loader/core/device/key_chain.hpp"

namespace mcuota::device {
namespace {

constexpr std::uint32_t kUnitsMax = 32;
constexpr std::uint32_t kManifestSlotBytesMin = 2320;  // header 16, manifest 2048, signature 256

bool running_usable(const Storage& storage) noexcept {
    const std::uint32_t granule = storage.program_unit_bytes(Region::running);
    if (granule == 0 || granule > 16 || (granule & (granule - 1)) != 0) {
        return false;
    }
    std::uint32_t units = 0;
    for (std::uint32_t offset = 0; offset < storage.size_bytes(Region::running); ++units) {
        const std::uint32_t unit = storage.erase_unit_bytes(Region::running, offset);
        if (unit == 0 || unit % granule != 0) {
            return false;
        }
        offset += unit;
    }
    return units > 0 && units <= kUnitsMax;
}

bool flag_usable(const Storage& storage, Region region) noexcept {
    const FlagLayout layout = flag_layout(storage, region);
    const std::uint32_t journal = layout.slot_begin;
    return journal >= 512 && journal % 256 == 0 && layout.slot_bytes >= kManifestSlotBytesMin &&
           layout.keys_bytes >= kKeyAreaBytesMin && layout == flag_layout(storage, Region::flag_a);
}

}  // namespace

FlagLayout flag_layout(const Storage& storage, Region region) noexcept {
    const std::uint32_t slot_begin = storage.erase_unit_bytes(region, 0);
    const std::uint32_t slot_bytes = storage.erase_unit_bytes(region, slot_begin);
    const std::uint32_t keys_begin = slot_begin + slot_bytes;
    return {slot_begin, slot_bytes, keys_begin, storage.size_bytes(region) - keys_begin};
}

bool has_two_banks(const Storage& storage) noexcept {
    const std::uint32_t half = storage.size_bytes(Region::backup) / 2;
    return half >= storage.size_bytes(Region::running) &&
           half % storage.erase_unit_bytes(Region::backup, half) == 0;
}

std::uint32_t bank_offset(const Storage& storage, Bank bank) noexcept {
    return bank == Bank::first ? 0 : storage.size_bytes(Region::backup) / 2;
}

bool regions_usable(const Storage& storage) noexcept {
    const std::uint32_t unit = storage.erase_unit_bytes(Region::download, 0);
    const bool download_usable = unit >= 256 && unit <= 4096 && (unit & (unit - 1)) == 0 &&
                                 storage.size_bytes(Region::download) >= 8 * unit;
    return running_usable(storage) && flag_usable(storage, Region::flag_a) &&
           flag_usable(storage, Region::flag_b) && download_usable &&
           storage.size_bytes(Region::backup) >= storage.size_bytes(Region::running);
}

}  // namespace mcuota::device
