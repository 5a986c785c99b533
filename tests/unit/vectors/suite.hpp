#pragma once
// Test lines as a public suite has them, and keys of OpenSSL to make them with.

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/tools/vector_line.hpp"

namespace mcuota::vectors::test {

using Bytes = std::vector<std::uint8_t>;

struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;

inline std::string hex(const Bytes& bytes) {
    std::string out;
    for (const std::uint8_t byte : bytes) {
        out += "0123456789abcdef"[byte >> 4];
        out += "0123456789abcdef"[byte & 15U];
    }
    return out;
}

/// SubjectPublicKeyInfo.
inline Bytes public_der(const Key& key) {
    Bytes out(static_cast<std::size_t>(i2d_PUBKEY(key.get(), nullptr)));
    unsigned char* at = out.data();
    if (i2d_PUBKEY(key.get(), &at) <= 0) throw std::runtime_error("i2d_PUBKEY");
    return out;
}

inline std::string line(const char* algorithm, const Bytes& key, const Bytes& message,
                        const Bytes& signature) {
    return std::string(R"({"alg":")") + algorithm + R"(","key":")" + hex(key) + R"(","msg":")" +
           hex(message) + R"(","sig":")" + hex(signature) + "\"}";
}

}  // namespace mcuota::vectors::test
