#pragma once
// What tells the builds of the demo application apart; set by CMakeLists.txt.

#include <cstdint>
#include <string_view>

namespace mcuota::demo {

enum class Behaviour : std::uint8_t {
    healthy,
    never_confirms,
    hangs,
    crashes,
    confirms_late,       ///< not before its trial is over
    confirms_then_dies,  ///< confirms itself, and crashes a moment later in this and every start
};

/// The application's own idea of its version. What the device reports comes from the signed manifest.
constexpr std::string_view kVersion{DEMO_VERSION};
constexpr unsigned kGeneration = DEMO_GENERATION;
constexpr Behaviour kBehaviour = Behaviour::DEMO_BEHAVIOUR;

}  // namespace mcuota::demo
