#pragma once
// The memories the host sweep runs on, by name.

#include <span>
#include <string>
#include <vector>

#include "tests/unit/loader/flash_model.hpp"

namespace mcuota::powercut {

struct NamedGeometry {
    std::string name;
    std::string about;
    test::Geometry geometry;
};

/// small, banks, odd, internal, f429, f429-dual, f429-2m: see geometries.cpp and docs/power-cuts.md.
[[nodiscard]] const std::vector<NamedGeometry>& geometries();

/// Null when there is none of that name.
[[nodiscard]] const NamedGeometry* find_geometry(const std::string& name);

}  // namespace mcuota::powercut
