#pragma once
// Deliberate defects, so that the power-cut sweeps can show that they find them. Product builds have none:
// only tests/powercut/host and the defect-* loaders of the port compile single files of this library with
// MCUOTA_DEFECT.

namespace mcuota::device {

enum class Defect {
    none = 0,
    journal_unsealed = 1,        ///< records are written in one piece and count without their CRC
    erase_before_rehearsal = 2,  ///< the application area is touched before the package is proven
    backup_unchecked = 3,        ///< backups are put back without a look at their bytes
    dirty_bits_forgotten = 4,    ///< erase units in flight are believed when they read right
};

#ifndef MCUOTA_DEFECT
#define MCUOTA_DEFECT 0
#endif

[[nodiscard]] consteval bool has_defect(Defect defect) noexcept {
    return defect == static_cast<Defect>(MCUOTA_DEFECT);
}

}  // namespace mcuota::device
