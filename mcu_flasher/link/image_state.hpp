#pragma once
// States of images as devices tell them (docs/link-protocol.md §4, tags 6 and 8) and as the gateway stores
// them.

#include <cstdint>

namespace mcuota::flasher {

inline constexpr std::uint8_t kNoImage = 0;
/// Of the running image.
inline constexpr std::uint8_t kImageConfirmed = 1, kImageOnTrial = 2, kImageDamaged = 3;
/// Of the backup image; damaged: its bytes or its manifest.
inline constexpr std::uint8_t kBackupValid = 1, kBackupDamaged = 2;

}  // namespace mcuota::flasher
