// Makes key rotation records and links them.

#include "mcu_flasher/package/rotation_file.hpp"

#include <algorithm>
#include <string>

#include "mcu_flasher/base/hex.hpp"

namespace mcuota::package {
namespace {

Error malformed(std::string what) {
    return {ErrorCode::package_malformed, std::move(what), "make the records again: mcuota-pack rotate", 0};
}

/// `record` against the key the record before it made next.
Result<void> check_link(const RotationRecord& before, const RotationRecord& record) {
    const std::string name = "the key rotation to generation " + std::to_string(record.generation);
    if (record.generation != before.generation + 1)
        return malformed(name + " does not follow on generation " + std::to_string(before.generation));
    const PublicKey signer{before.algorithm, key_id_of(before.algorithm, before.next_key), before.next_key};
    const Status status = verify_rotation(record, signer);
    if (status == Status::key_unknown)
        return malformed(name + " is signed by key " + to_hex(record.signer) + ", the one before it makes " +
                         to_hex(signer.id) + " next");
    if (status != Status::ok)
        return Error{ErrorCode::signature_invalid, "the signature of " + name + " is wrong",
                     "make the record again: mcuota-pack rotate", 0};
    return {};
}

}  // namespace

Result<Bytes> make_rotation(std::uint16_t generation, const OpensslKey& new_next, const Signer& signer) {
    if (generation == 0 || generation > kRotationsMax)
        return Error{ErrorCode::usage, "there is no key generation " + std::to_string(generation),
                     "give 1 to " + std::to_string(kRotationsMax) + ": one more than the devices have", 0};
    if (new_next.id() == signer.key_id())
        return Error{ErrorCode::usage, "the new next key is the key that signs the rotation",
                     "make a new key first: mcuota-pack keygen", 0};
    const auto key = new_next.loader_bytes();
    if (!key) return key.error();
    const std::size_t signature_bytes =
        signer.algorithm() == SignatureAlgorithm::ecdsa_p256_sha256 ? 64 : 256;
    RotationRecord record;
    record.generation = generation;
    record.algorithm = new_next.algorithm();
    record.signer = signer.key_id();
    record.next_key = *key;
    Bytes out(kRotationBytesMax);
    const std::size_t size = encode_rotation(record, signature_bytes, out);
    if (size == 0) return Error{ErrorCode::internal, "the rotation record cannot be expressed", "", 0};
    out.resize(size);
    const auto signature = signer.sign(out);
    if (!signature) return signature.error();
    out.insert(out.end(), signature->begin(), signature->end());
    RotationRecord again;
    if (parse_rotation(out, again) != Status::ok)
        return Error{ErrorCode::internal, "the new rotation record is not in its valid form", "", 0};
    return out;
}

Result<std::vector<Bytes>> chain_of(std::vector<Bytes> records) {
    std::vector<RotationRecord> parsed(records.size());
    const auto parse_all = [&] {
        for (std::size_t i = 0; i < records.size(); ++i)
            if (parse_rotation(records[i], parsed[i]) != Status::ok) return false;
        return true;
    };
    if (!parse_all()) return malformed("a key rotation record is not in its one valid form");
    // A generation is in the same two bytes of every record that parses.
    std::stable_sort(records.begin(), records.end(),
                     [](const Bytes& a, const Bytes& b) { return (a[6] | a[7] << 8) < (b[6] | b[7] << 8); });
    records.erase(std::unique(records.begin(), records.end()), records.end());
    parsed.resize(records.size());
    static_cast<void>(parse_all());  // the records point into the bytes, which have moved
    for (std::size_t i = 1; i < parsed.size(); ++i)
        if (auto good = check_link(parsed[i - 1], parsed[i]); !good) return std::move(good).error();
    return records;
}

}  // namespace mcuota::package
