#pragma once
// Keys, images and packages for the package tests. Keys are made once a run.

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "mcu_flasher/package/builder.hpp"

namespace samples {

using mcuota::SignatureAlgorithm;
using mcuota::package::Bytes;
using mcuota::package::KeySigner;
using mcuota::package::OpensslKey;
using mcuota::package::Package;

inline const OpensslKey& key(SignatureAlgorithm algorithm = SignatureAlgorithm::ecdsa_p256_sha256) {
    static const OpensslKey ecdsa = *OpensslKey::generate(SignatureAlgorithm::ecdsa_p256_sha256);
    static const OpensslKey rsa = *OpensslKey::generate(SignatureAlgorithm::rsa_2048_pkcs1_sha256);
    return algorithm == SignatureAlgorithm::ecdsa_p256_sha256 ? ecdsa : rsa;
}

/// Signs with the key of the algorithm.
inline KeySigner signer(SignatureAlgorithm algorithm = SignatureAlgorithm::ecdsa_p256_sha256) {
    return KeySigner(*OpensslKey::from_private_pem(*key(algorithm).private_pem(), "test key"));
}

inline mcuota::package::Keyring keyring(
    SignatureAlgorithm algorithm = SignatureAlgorithm::ecdsa_p256_sha256) {
    mcuota::package::Keyring out;
    REQUIRE(out.add_pem(*key(algorithm).public_pem(), "test key"));
    return out;
}

/// Compressible bytes with some structure.
inline Bytes image(std::size_t size, unsigned seed = 1) {
    std::mt19937 random(seed);
    Bytes out(size);
    for (std::size_t i = 0; i < size; ++i)
        out[i] = static_cast<std::uint8_t>(i % 7 == 0 ? random() % 256 : random() % 4);
    return out;
}

inline Package package(const Bytes& image, std::string hardware = "pump-3", std::string version = "2.0.0",
                       SignatureAlgorithm algorithm = SignatureAlgorithm::ecdsa_p256_sha256) {
    mcuota::package::BuildRequest request;
    request.hardware = std::move(hardware);
    request.version = std::move(version);
    request.security_counter = 5;
    auto built = mcuota::package::build_package(image, request, signer(algorithm));
    REQUIRE(built);
    return std::move(*built);
}

/// Encodes and signs the entry's manifest again after a test changed it.
inline void sign_again(mcuota::package::Entry& entry,
                       SignatureAlgorithm algorithm = SignatureAlgorithm::ecdsa_p256_sha256) {
    entry.manifest_bytes.resize(mcuota::kManifestBytesMax);
    const std::size_t size = encode_manifest(entry.manifest, entry.manifest_bytes);
    REQUIRE(size != 0);
    entry.manifest_bytes.resize(size);
    entry.signature = *key(algorithm).sign(entry.manifest_bytes);
}

/// A folder that goes away with the test.
class Folder {
  public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "mcuota-test.XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

  private:
    std::filesystem::path path_;
};

}  // namespace samples
