// A signer from a PEM file.

#include "mcu_flasher/package/signer.hpp"

#include <openssl/crypto.h>

#include "mcu_flasher/base/file.hpp"

namespace mcuota::package {

Result<std::unique_ptr<Signer>> KeySigner::from_file(const std::filesystem::path& pem_file) {
    auto pem = read_file(pem_file, 64U << 10, ErrorCode::key_unreadable);
    if (!pem) return std::move(pem).error();
    auto key = OpensslKey::from_private_pem({reinterpret_cast<const char*>(pem->data()), pem->size()},
                                            pem_file.string());
    OPENSSL_cleanse(pem->data(), pem->size());  // the key's text is not needed any more
    if (!key) return std::move(key).error();
    return std::unique_ptr<Signer>(std::make_unique<KeySigner>(std::move(*key)));
}

}  // namespace mcuota::package
