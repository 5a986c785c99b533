// Answers one line of a signature test suite with the loader's verification.
#include "tests/tools/vector_line.hpp"

#include <boost/json.hpp>

#include "mcu_loader/core/signature.hpp"
#include "tests/tools/der.hpp"

namespace mcuota::vectors {
namespace {

constexpr std::size_t kRawEcdsaBytes = 64;

int digit(char letter) {
    if (letter >= '0' && letter <= '9') return letter - '0';
    if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
    if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
    return -1;
}

std::optional<Bytes> bytes_of(std::string_view text) {
    if (text.size() % 2 != 0) return std::nullopt;
    Bytes out;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = digit(text[i]), low = digit(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        out.push_back(static_cast<std::uint8_t>(high * 16 + low));
    }
    return out;
}

/// The member of that name as bytes.
std::optional<Bytes> member(const boost::json::object& object, std::string_view name) {
    const auto* const value = object.if_contains(name);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return bytes_of(value->get_string());
}

Verdict no(std::string complaint) {
    return {false, std::move(complaint)};
}

}  // namespace

Verdict judge_line(std::string_view line) {
    boost::system::error_code failed;
    const boost::json::value parsed = boost::json::parse(line, failed);
    if (failed || !parsed.is_object()) return no("this is no JSON object");
    const boost::json::object& object = parsed.get_object();
    const auto* const name = object.if_contains("alg");
    if (name == nullptr || !name->is_string()) return no("\"alg\" is missing");
    const bool ecdsa = name->get_string() == "ecdsa-p256-sha256";
    if (!ecdsa && name->get_string() != "rsa-2048-pkcs1-sha256")
        return no("\"alg\" is neither ecdsa-p256-sha256 nor rsa-2048-pkcs1-sha256");
    const auto key_der = member(object, "key"), message = member(object, "msg"),
               signature = member(object, "sig");
    if (!key_der || !message || !signature) return no("\"key\", \"msg\" or \"sig\" is no hexadecimal text");
    const auto key = ecdsa ? p256_key(*key_der) : rsa_2048_key(*key_der);
    if (!key) return no(ecdsa ? "\"key\" is no P-256 key" : "\"key\" is no RSA-2048 key with exponent 65537");
    Bytes raw = *signature;
    if (ecdsa) {
        if (const auto decoded = ecdsa_signature(*signature))
            raw = *decoded;
        else if (signature->size() != kRawEcdsaBytes)
            return {};  // neither form: not a signature
    }
    const PublicKey loader_key{
        ecdsa ? SignatureAlgorithm::ecdsa_p256_sha256 : SignatureAlgorithm::rsa_2048_pkcs1_sha256, {}, *key};
    return {verify_signature(loader_key, *message, raw) == Status::ok, {}};
}

}  // namespace mcuota::vectors
