// Signed and stored formats: manifest, rotation record, container, envelope head, test lines.

#include <algorithm>
#include <array>
#include <string>

#include "mcu_flasher/package/builder.hpp"
#include "mcu_flasher/package/envelope.hpp"
#include "mcu_loader/core/device/staging.hpp"
#include "mcu_loader/core/little_endian.hpp"
#include "mcu_loader/core/rotation.hpp"
#include "tests/fuzz/target_list.hpp"
#include "tests/tools/der.hpp"
#include "tests/tools/vector_line.hpp"

namespace mcuota::fuzz {
namespace {

bool same(View a, View b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

const package::KeySigner& signer() {
    static const package::KeySigner key(
        *package::OpensslKey::generate(SignatureAlgorithm::ecdsa_p256_sha256));
    return key;
}

Bytes encoded(const Manifest& manifest) {
    Bytes out(kManifestBytesMax);
    out.resize(encode_manifest(manifest, out));
    return out;
}

template <std::size_t Max>
void set(BoundedText<Max>& text, std::string_view value) {
    std::copy(value.begin(), value.end(), text.bytes.begin());
    text.length = static_cast<std::uint8_t>(value.size());
}

/// A manifest that uses every field.
Manifest rich_manifest() {
    Manifest out;
    set(out.hardware, "pump-3");
    set(out.version, "2.1.0-rc1");
    out.security_counter = 7;
    out.downgrade_floor_max = 9;
    out.image_size_bytes = 100'000;
    out.image_sha256.fill(0x11);
    out.load_address = 0x08020000;
    out.key_id.fill(0x22);
    out.flags = kFlagAllowDerived;
    out.requires_count = 1;
    set(out.required[0].name, "valve");
    set(out.required[0].version, "1.4");
    for (const PayloadKind kind : {PayloadKind::raw, PayloadKind::lzma_thumb, PayloadKind::relocated}) {
        PayloadEntry& payload = out.payloads[out.payload_count++];
        payload.kind = kind;
        payload.size_bytes = kind == PayloadKind::raw ? 100'000 : 5'000;
        payload.sha256.fill(0x33);
        payload.memory_bytes = 40'000;
        if (kind == PayloadKind::relocated) {
            payload.base_size_bytes = 99'000;
            payload.base_sha256.fill(0x44);
        }
    }
    return out;
}

package::Package small_package(std::string hardware) {
    package::BuildRequest request;
    request.hardware = std::move(hardware);
    request.version = "2.0.0";
    Bytes image(700);
    for (std::size_t i = 0; i < image.size(); ++i)
        image[i] = static_cast<std::uint8_t>(i * i >> 3);
    auto built = package::build_package(image, request, signer());
    if (!built) broken("a small package can be built");
    return std::move(*built);
}

}  // namespace

void run_manifest(View input) {
    Manifest manifest;
    if (parse_manifest(input, manifest) != Status::ok) return;
    if (!same(encoded(manifest), input)) broken("a manifest has one valid form");
}

std::vector<Bytes> manifest_seeds() {
    Manifest plain = rich_manifest();
    plain.downgrade_floor_max = 0;
    plain.requires_count = 0;
    plain.payload_count = 1;
    return {encoded(rich_manifest()), encoded(plain), small_package("valve").entries[0].manifest_bytes};
}

void run_rotation(View input) {
    RotationRecord record;
    const std::size_t size = rotation_size(input);
    if (size > input.size()) broken("a record is no longer than its bytes");
    if (parse_rotation(input, record) != Status::ok) return;
    std::array<std::uint8_t, kRotationBytesMax> again{};
    const std::size_t signed_size = encode_rotation(record, record.signature.size(), again);
    if (size != input.size() || record.size_bytes() != size ||
        !same({again.data(), signed_size}, record.signed_bytes))
        broken("a rotation record has one valid form");
    static_cast<void>(key_id_of(record.algorithm, record.next_key));
}

std::vector<Bytes> rotation_seeds() {
    std::vector<Bytes> out;
    for (const SignatureAlgorithm algorithm :
         {SignatureAlgorithm::ecdsa_p256_sha256, SignatureAlgorithm::rsa_2048_pkcs1_sha256}) {
        Bytes key(algorithm == SignatureAlgorithm::ecdsa_p256_sha256 ? 65 : 256, 0x81);
        if (algorithm == SignatureAlgorithm::ecdsa_p256_sha256) key[0] = 0x04;
        RotationRecord record;
        record.generation = 2;
        record.algorithm = algorithm;
        record.signer.fill(0x5A);
        record.next_key = key;
        Bytes bytes(kRotationBytesMax);
        bytes.resize(encode_rotation(record, 64, bytes));
        bytes.resize(bytes.size() + 64, 0x77);
        out.push_back(bytes);
    }
    return out;
}

void run_container(View input) {
    const auto package = package::parse(input);
    if (!package) {
        if (package.error().what.empty()) broken("an error says what is wrong");
        return;
    }
    const auto again = package::serialize(*package);
    if (!again || !same(*again, input)) broken("a container has one valid form");
}

std::vector<Bytes> container_seeds() {
    package::Package both = small_package("pump-3"), other = small_package("valve");
    std::vector<Bytes> out{*package::serialize(both)};
    both.entries.push_back(other.entries[0]);
    if (const auto bytes = package::serialize(both)) out.push_back(*bytes);
    return out;
}

void run_envelope_head(View input) {
    if (input.size() < link::kEnvelopeHeadBytes + 4) return;
    device::EnvelopeHead head;
    const std::uint32_t envelope_bytes = load_u32(input.data() + link::kEnvelopeHeadBytes);
    if (device::parse_envelope_head(input.first<link::kEnvelopeHeadBytes>(), envelope_bytes, head) !=
        Status::ok)
        return;
    if (std::uint64_t{link::kEnvelopeHeadBytes} + head.manifest_bytes + head.signature_bytes +
            head.payload_bytes !=
        envelope_bytes)
        broken("an envelope's head adds up");
    if (head.manifest_bytes > kManifestBytesMax || head.signature_bytes > kSignatureBytesMax)
        broken("manifest and signature fit their memory");
}

std::vector<Bytes> envelope_head_seeds() {
    const package::Package made = small_package("pump-3");
    const Bytes envelope = package::make_envelope(made.entries[0], 0).bytes;
    Bytes out(envelope.begin(), envelope.begin() + link::kEnvelopeHeadBytes);
    out.resize(out.size() + 4);
    store_u32(&out[link::kEnvelopeHeadBytes], static_cast<std::uint32_t>(envelope.size()));
    return {out};
}

void run_vector_line(View input) {
    static_cast<void>(vectors::judge_line({reinterpret_cast<const char*>(input.data()), input.size()}));
    static_cast<void>(vectors::p256_key(input));
    static_cast<void>(vectors::rsa_2048_key(input));
    if (const auto signature = vectors::ecdsa_signature(input); signature && signature->size() != 64)
        broken("r and s have 32 bytes each");
}

std::vector<Bytes> vector_line_seeds() {
    const std::string line =
        R"({"alg":"ecdsa-p256-sha256","key":"3059301306072a8648ce3d020106082a8648ce3d030107034200)"
        R"(046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e)"
        R"(162bce33576b315ececbb6406837bf51f5","msg":"00","sig":"3006020101020101"})";
    return {Bytes(line.begin(), line.end()), Bytes{0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01}};
}

}  // namespace mcuota::fuzz
