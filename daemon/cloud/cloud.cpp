// What all clouds share.
#include "daemon/cloud/cloud.hpp"

namespace mcuota::cloud {

bool Offer::same_content(const Offer& other) const {
    return version == other.version && size_bytes == other.size_bytes && digest_kind == other.digest_kind &&
           digest_hex == other.digest_hex;
}

}  // namespace mcuota::cloud
