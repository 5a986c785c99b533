// Real sector maps, and small ones on which every cut of a whole update can be tried.
#include "tests/powercut/host/geometries.hpp"

#include <algorithm>

namespace mcuota::powercut {
namespace {

using device::Region;
using test::Geometry;

constexpr std::uint32_t kKib = 1024;
constexpr std::uint32_t kNorSector = 4 * kKib;
constexpr std::uint32_t kNorBlock = 64 * kKib;

std::vector<std::uint32_t> equal_units(std::uint32_t count, std::uint32_t bytes) {
    return std::vector<std::uint32_t>(count, bytes);
}

/// Internal flash as given; flags, backup and download in a W25Q chip as
/// mcu_loader/port/stm32f429/boards/*/board_facts.hpp lay them out, the two banks of the backup and the
/// download no larger than this application area needs.
Geometry with_w25q(std::vector<std::uint32_t> sectors) {
    std::uint32_t running = 0;
    for (const std::uint32_t sector : sectors) {
        running += sector;
    }
    const std::uint32_t bank = (running + kNorBlock - 1) / kNorBlock * kNorBlock;
    Geometry geometry;
    geometry.of(Region::running) = {std::move(sectors), 4, 512, 0, false};
    geometry.of(Region::flag_a) = {equal_units(4, kNorSector), 1, 256, 0, true};
    geometry.of(Region::flag_b) = geometry.of(Region::flag_a);
    geometry.of(Region::backup) = {equal_units(2 * bank / kNorSector, kNorSector), 1, 256, kNorBlock, true};
    geometry.of(Region::download) = {equal_units((bank + 3 * kNorBlock) / kNorSector, kNorSector), 1, 256,
                                     kNorBlock, true};
    return geometry;
}

/// 128 KiB of loader first, then the rest of a dual-bank part: 4 x 16, 64 and n x 128 KiB again in bank 2.
std::vector<std::uint32_t> dual_bank(std::uint32_t large_sectors) {
    std::vector<std::uint32_t> sectors = equal_units(large_sectors, 128 * kKib);
    sectors.insert(sectors.end(), 4, 16 * kKib);
    sectors.push_back(64 * kKib);
    sectors.insert(sectors.end(), large_sectors, 128 * kKib);
    return sectors;
}

Geometry small_with_nor() {
    Geometry geometry = Geometry::small();
    for (const Region region : {Region::flag_a, Region::flag_b, Region::backup, Region::download}) {
        geometry.of(region).own_chip = true;
    }
    return geometry;
}

/// small() with room for two backups: the application copies itself into the spare bank while it runs.
Geometry banks() {
    Geometry geometry = small_with_nor();
    geometry.of(Region::backup).units = equal_units(12, 512);
    return geometry;
}

/// Uneven everything: units that do not divide each other, 8-byte granule, pages of 128 bytes, a journal of
/// four records.
Geometry odd() {
    Geometry geometry;
    geometry.of(Region::running) = {{768, 256, 1280, 64, 448}, 8, 32, 0, false};
    geometry.of(Region::flag_a) = {{512, 768, 2304}, 1, 128, 0, true};
    geometry.of(Region::flag_b) = geometry.of(Region::flag_a);
    geometry.of(Region::backup) = {{1024, 256, 1536, 512}, 1, 128, 0, true};
    geometry.of(Region::download) = {equal_units(40, 256), 1, 128, 512, true};
    return geometry;
}

/// All regions in one internal flash: a reset tears every one of them; words of 4 bytes everywhere.
Geometry internal() {
    Geometry geometry;
    geometry.of(Region::running) = {{512, 512, 1024, 768}, 4, 64, 0, false};
    geometry.of(Region::flag_a) = {{512, 2560}, 1, 64, 0, false};
    geometry.of(Region::flag_b) = geometry.of(Region::flag_a);
    geometry.of(Region::backup) = {{2048, 1024}, 1, 64, 0, false};
    geometry.of(Region::download) = {equal_units(16, 512), 1, 64, 0, false};
    return geometry;
}

}  // namespace

const std::vector<NamedGeometry>& geometries() {
    static const std::vector<NamedGeometry> all{
        {"small", "a few KiB of everything, uneven sectors, a NOR chip", small_with_nor()},
        {"banks", "small with two backup banks: backups are made ahead", banks()},
        {"odd", "units that fit nowhere, 8-byte granule, 128-byte pages, journals of four records", odd()},
        {"internal", "everything in internal flash: a reset tears all of it", internal()},
        {"f429", "STM32F429 of 1 MiB, one bank, W25Q128", with_w25q(equal_units(7, 128 * kKib))},
        {"f429-dual", "STM32F429 of 1 MiB, two banks, W25Q128", with_w25q(dual_bank(3))},
        {"f429-2m", "STM32F429 of 2 MiB, two banks, W25Q256", with_w25q(dual_bank(7))},
    };
    return all;
}

const NamedGeometry* find_geometry(const std::string& name) {
    const auto found = std::find_if(geometries().begin(), geometries().end(),
                                    [&](const NamedGeometry& one) { return one.name == name; });
    return found == geometries().end() ? nullptr : &*found;
}

}  // namespace mcuota::powercut
