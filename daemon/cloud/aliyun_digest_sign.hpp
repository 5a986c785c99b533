#pragma once
// Aliyun's "secure upgrade": RSA-2048 PKCS#1 v1.5 signatures over a file's digest (cloud-protocols §1.11).

#include <openssl/evp.h>

#include <memory>
#include <string>

#include "daemon/cloud/cloud_config.hpp"
#include "mcu_flasher/base/result.hpp"

namespace mcuota::cloud::aliyun {

struct PkeyFree {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using SignKey = std::unique_ptr<EVP_PKEY, PkeyFree>;

/// The product's public key, from digest_sign_key_pem or n and e in hex. Errors: config_invalid.
[[nodiscard]] Result<SignKey> load_sign_key(const CloudConfig& config);

/// Whether `signature_base64` fits. `digest_raw`: mode `digest`, the raw digest of the push's method (16 or
/// 32 bytes), which is hashed once more; mode `file_sha256`, the file's SHA-256. Errors: signature_invalid.
[[nodiscard]] Result<void> verify_digest_sign(const SignKey& key, DigestSignMode mode,
                                              const std::string& digest_raw,
                                              const std::string& signature_base64);

}  // namespace mcuota::cloud::aliyun
