// Builds and signs envelopes with OpenSSL and liblzma: nothing of the code under test but the manifest
// encoder.
#include "test_package.hpp"

#include <lzma.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>
#include <stdexcept>

#include "mcu_loader/core/crc32.hpp"
#include "mcu_loader/core/little_endian.hpp"

namespace mcuota::test {
namespace {

constexpr std::size_t kCoordinateBytes = 32;
constexpr int kRsaModulusBytes = 256;

void require(bool condition, const char* what) {
    if (!condition) {
        throw std::runtime_error{what};
    }
}

}  // namespace

struct TestKey::Impl {
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key;
};

TestKey::TestKey(SignatureAlgorithm algorithm) : public_key_{} {
    const bool ecdsa = algorithm == SignatureAlgorithm::ecdsa_p256_sha256;
    impl_ = std::make_unique<Impl>(
        Impl{{ecdsa ? EVP_EC_gen("P-256") : EVP_RSA_gen(kRsaModulusBytes * 8), EVP_PKEY_free}});
    require(impl_->key != nullptr, "no key");
    if (ecdsa) {
        std::size_t length = 0;
        bytes_.resize(1 + 2 * kCoordinateBytes);
        require(EVP_PKEY_get_octet_string_param(impl_->key.get(), OSSL_PKEY_PARAM_PUB_KEY, bytes_.data(),
                                                bytes_.size(), &length) == 1 &&
                    length == bytes_.size(),
                "no public point");
    } else {
        BIGNUM* number = nullptr;
        require(EVP_PKEY_get_bn_param(impl_->key.get(), OSSL_PKEY_PARAM_RSA_N, &number) == 1, "no modulus");
        bytes_.resize(kRsaModulusBytes);
        require(BN_bn2binpad(number, bytes_.data(), kRsaModulusBytes) == kRsaModulusBytes, "modulus size");
        BN_free(number);
    }
    unsigned char* der = nullptr;
    const int der_bytes = i2d_PUBKEY(impl_->key.get(), &der);
    require(der_bytes > 0, "no DER key");
    const Sha256Digest digest = sha256({der, static_cast<std::size_t>(der_bytes)});
    OPENSSL_free(der);
    public_key_.algorithm = algorithm;
    std::copy_n(digest.begin(), public_key_.id.size(), public_key_.id.begin());
    public_key_.bytes = bytes_;
}

TestKey::~TestKey() = default;

Bytes TestKey::sign(std::span<const std::uint8_t> message) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), EVP_MD_CTX_free};
    require(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, impl_->key.get()) == 1,
            "sign init");
    std::size_t length = 0;
    require(EVP_DigestSign(context.get(), nullptr, &length, message.data(), message.size()) == 1,
            "sign size");
    Bytes der(length);
    require(EVP_DigestSign(context.get(), der.data(), &length, message.data(), message.size()) == 1, "sign");
    if (public_key_.algorithm == SignatureAlgorithm::rsa_2048_pkcs1_sha256) {
        return der;
    }
    const unsigned char* cursor = der.data();
    const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature{
        d2i_ECDSA_SIG(nullptr, &cursor, static_cast<long>(length)), ECDSA_SIG_free};
    require(signature != nullptr, "signature form");
    Bytes raw(2 * kCoordinateBytes);
    require(BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), kCoordinateBytes) > 0, "r");
    require(
        BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + kCoordinateBytes, kCoordinateBytes) > 0,
        "s");
    return raw;
}

const TestKey& trusted_key() {
    static const TestKey key;
    return key;
}

const TestKey& next_key() {
    static const TestKey key;
    return key;
}

const TestKey& third_key() {
    static const TestKey key;
    return key;
}

const TestKey& fourth_key() {
    static const TestKey key;
    return key;
}

const TestKey& stranger_key() {
    static const TestKey key;
    return key;
}

std::span<const PublicKey> built_in_keys() {
    static const std::array keys{trusted_key().public_key(), next_key().public_key()};
    return keys;
}

Bytes make_rotation(const TestKey& signer, const TestKey& next, std::uint16_t generation) {
    RotationRecord record;
    record.generation = generation;
    record.algorithm = next.public_key().algorithm;
    record.signer = signer.public_key().id;
    record.next_key = next.public_key().bytes;
    const bool ecdsa = signer.public_key().algorithm == SignatureAlgorithm::ecdsa_p256_sha256;
    Bytes out(kRotationBytesMax);
    out.resize(encode_rotation(record, ecdsa ? 64 : 256, out));
    require(!out.empty(), "rotation not expressible");
    const Bytes signature = signer.sign(out);
    out.insert(out.end(), signature.begin(), signature.end());
    return out;
}

Bytes make_image(std::size_t size, std::uint32_t seed) {
    Bytes image(size);
    std::uint32_t state = seed * 2654435761U + 1;
    for (std::uint8_t& byte : image) {
        state = state * 1664525U + 1013904223U;
        byte = static_cast<std::uint8_t>(state >> 24U);
    }
    if (size >= 8) {
        store_u32(image.data(), 0x20030000);
        store_u32(image.data() + 4, kLoadAddress + 5);
    }
    return image;
}

Bytes lzma_payload(const Bytes& image, std::uint32_t dictionary_bytes, bool thumb) {
    lzma_options_lzma options{};
    require(!lzma_lzma_preset(&options, 6), "lzma preset");
    options.dict_size = dictionary_bytes;
    options.ext_size_low = static_cast<std::uint32_t>(image.size());  // the size is known: no end marker
    const lzma_filter chain[] = {
        {LZMA_FILTER_ARMTHUMB, nullptr}, {LZMA_FILTER_LZMA1EXT, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
    const lzma_filter* const filters = thumb ? chain : chain + 1;
    Bytes out(image.size() * 2 + 1024);
    std::size_t used = 5;
    require(lzma_properties_encode(chain + 1, out.data()) == LZMA_OK, "lzma properties");
    lzma_stream stream = LZMA_STREAM_INIT;
    require(lzma_raw_encoder(&stream, filters) == LZMA_OK, "lzma encoder");
    stream.next_in = image.data();
    stream.avail_in = image.size();
    stream.next_out = out.data() + used;
    stream.avail_out = out.size() - used;
    const lzma_ret result = lzma_code(&stream, LZMA_FINISH);
    used = out.size() - stream.avail_out;
    lzma_end(&stream);
    require(result == LZMA_STREAM_END, "lzma stream");
    out.resize(used);
    return out;
}

link::Offer TestPackage::offer(bool restart) const {
    link::Offer offer;
    offer.envelope_bytes = static_cast<std::uint32_t>(envelope.size());
    offer.package_id = package_id;
    std::copy_n(envelope.begin(), offer.head.size(), offer.head.begin());
    offer.restart = restart;
    return offer;
}

TestPackage make_package(const PackageSpec& spec) {
    const TestKey& key = spec.key == nullptr ? trusted_key() : *spec.key;
    Bytes payload = spec.payload;
    if (payload.empty()) {
        const bool thumb = spec.kind == PayloadKind::lzma_thumb;
        const bool packed = spec.kind == PayloadKind::lzma || thumb;
        payload = packed ? lzma_payload(spec.image, 4096, thumb) : spec.image;
    }
    if (spec.change_payload) {
        spec.change_payload(payload);
    }
    Manifest manifest;
    const auto text = [](auto& out, const std::string& value) {
        std::copy(value.begin(), value.end(), out.bytes.begin());
        out.length = static_cast<std::uint8_t>(value.size());
    };
    text(manifest.hardware, spec.hardware);
    text(manifest.version, spec.version);
    manifest.security_counter = spec.security_counter;
    manifest.image_size_bytes = static_cast<std::uint32_t>(spec.image.size());
    manifest.image_sha256 = sha256(spec.image);
    manifest.load_address = spec.load_address;
    manifest.key_id = key.public_key().id;
    manifest.algorithm = key.public_key().algorithm;
    manifest.flags = spec.allow_derived ? kFlagAllowDerived : 0;
    manifest.payload_count = 1;
    manifest.payloads[0].kind = spec.kind;
    manifest.payloads[0].size_bytes = static_cast<std::uint32_t>(payload.size());
    manifest.payloads[0].sha256 = sha256(payload);
    if (!spec.base.empty()) {
        manifest.payloads[0].base_size_bytes = static_cast<std::uint32_t>(spec.base.size());
        manifest.payloads[0].base_sha256 = sha256(spec.base);
    }
    if (spec.change_manifest) {
        spec.change_manifest(manifest);
    }
    Bytes manifest_bytes(kManifestBytesMax);
    manifest_bytes.resize(encode_manifest(manifest, manifest_bytes));
    require(!manifest_bytes.empty(), "manifest not expressible");
    Bytes signature = key.sign(manifest_bytes);
    if (spec.change_signature) {
        spec.change_signature(signature);
    }

    TestPackage package;
    package.image_sha256 = manifest.image_sha256;
    Bytes& out = package.envelope;
    out.assign(link::kEnvelopeHeadBytes, 0);
    store_u32(out.data(), 0x3145434D);
    store_u16(out.data() + 4, static_cast<std::uint32_t>(manifest_bytes.size()));
    store_u16(out.data() + 6, static_cast<std::uint32_t>(signature.size()));
    store_u32(out.data() + 8, static_cast<std::uint32_t>(payload.size()));
    out[12] = static_cast<std::uint8_t>(spec.kind);
    store_u32(out.data() + 16, static_cast<std::uint32_t>(spec.base.size()));
    store_u32(out.data() + 20, crc32(std::span{out}.first(20)));
    out.insert(out.end(), manifest_bytes.begin(), manifest_bytes.end());
    out.insert(out.end(), signature.begin(), signature.end());
    out.insert(out.end(), payload.begin(), payload.end());
    package.package_id = sha256(out);
    return package;
}

}  // namespace mcuota::test
