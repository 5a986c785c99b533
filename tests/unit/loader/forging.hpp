#pragma once
// What a hostile application could write into the memories, or a fault leave there: journal records and
// manifest slots with every seal right and a story that is wrong.

#include <functional>

#include "test_device.hpp"

namespace mcuota::test {

/// Appends a journal record that differs from the newest one by `change`.
void forge_record(TestDevice& device, const std::function<void(device::State&)>& change);

/// Writes the manifest and the signature of `package` into a manifest slot, sealed.
void forge_slot(TestDevice& device, device::Slot slot, const TestPackage& package);

/// Stages `package` whole and asks for its installation with token `token`, unchecked by any agent.
void forge_installation(TestDevice& device, const TestPackage& package, std::uint64_t token);

/// The part of the package a manifest slot holds.
device::SignedManifest signed_manifest_of(const TestPackage& package);

}  // namespace mcuota::test
