#pragma once
// Key rotation records on the host: making one, and checking that several follow from each other
// (docs/package-format.md §6).

#include <cstdint>
#include <span>
#include <vector>

#include "mcu_flasher/package/package.hpp"
#include "mcu_flasher/package/signer.hpp"
#include "mcu_loader/core/rotation.hpp"

namespace mcuota::package {

/// The record after which generation `generation` is in force: `signer`, the next key until then, becomes
/// current, `new_next` becomes next. usage: a generation outside 1…8, or a new next key that is the signing
/// key itself.
[[nodiscard]] Result<Bytes> make_rotation(std::uint16_t generation, const OpensslKey& new_next,
                                          const Signer& signer);

/// Puts the records in the order of their generations and checks that each is signed by the next key the one
/// before it brought. package_malformed, or signature_invalid.
[[nodiscard]] Result<std::vector<Bytes>> chain_of(std::vector<Bytes> records);

}  // namespace mcuota::package
