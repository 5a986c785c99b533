// Bounds of the regions and dispatch to the two flashes.
#include "mcu_loader/port/stm32f429/storage.hpp"

#include <algorithm>

namespace mcuota::stm32f429 {
namespace {

// One SPI command's share of a long read: short enough that the watchdog and the link hear of us in between.
constexpr std::size_t kReadStepBytes = 0x8000;

bool inside(const NorRegion& region, std::uint32_t offset, std::size_t length) noexcept {
    return offset <= region.bytes && length <= region.bytes - offset;
}

}  // namespace

std::uint32_t Storage::size_bytes(device::Region region) const noexcept {
    return region == device::Region::running ? flash_.size_bytes() : nor_region(region).bytes;
}

std::uint32_t Storage::erase_unit_bytes(device::Region region, std::uint32_t offset) const noexcept {
    return region == device::Region::running ? flash_.sector_bytes(offset) : kNorSectorBytes;
}

std::uint32_t Storage::program_unit_bytes(device::Region region) const noexcept {
    return region == device::Region::running ? 4 : 1;
}

Status Storage::read(device::Region region, std::uint32_t offset, std::span<std::uint8_t> out) noexcept {
    if (region == device::Region::running) return flash_.read(offset, out);
    if (!inside(nor_region(region), offset, out.size())) return Status::out_of_range;
    while (!out.empty()) {
        const std::size_t count = std::min(kReadStepBytes, out.size());
        const Status status = nor_.read(nor_region(region).begin + offset, out.first(count));
        if (status != Status::ok) return status;
        offset += static_cast<std::uint32_t>(count);
        out = out.subspan(count);
    }
    return Status::ok;
}

Status Storage::program(device::Region region, std::uint32_t offset,
                        std::span<const std::uint8_t> bytes) noexcept {
    if (region == device::Region::running) return flash_.program(offset, bytes);
    if (!inside(nor_region(region), offset, bytes.size())) return Status::out_of_range;
    return nor_.program(nor_region(region).begin + offset, bytes);
}

Status Storage::erase(device::Region region, std::uint32_t offset, std::uint32_t length) noexcept {
    if (region == device::Region::running) return flash_.erase(offset, length, hooks_.feed_watchdog);
    if (!inside(nor_region(region), offset, length)) return Status::out_of_range;
    return nor_.erase(nor_region(region).begin + offset, length);
}

}  // namespace mcuota::stm32f429
