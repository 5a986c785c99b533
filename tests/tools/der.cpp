// Strict DER of the keys and ECDSA signatures in public test vectors.
#include "tests/tools/der.hpp"

#include <algorithm>
#include <array>

namespace mcuota::vectors {
namespace {

constexpr std::uint8_t kInteger = 0x02, kBitString = 0x03, kSequence = 0x30;
/// AlgorithmIdentifiers, complete: id-ecPublicKey with prime256v1; rsaEncryption with NULL.
constexpr std::array<std::uint8_t, 21> kP256 = {0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48,
                                                0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A,
                                                0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
constexpr std::array<std::uint8_t, 15> kRsa = {0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86,
                                               0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00};
constexpr std::array<std::uint8_t, 3> kExponent65537 = {0x01, 0x00, 0x01};

/// Takes one element after the other from the front of some bytes.
class Reader {
  public:
    explicit Reader(View bytes) : left_(bytes) {}
    /// The content of the next element, which must have this tag and the shortest form of its length.
    std::optional<View> take(std::uint8_t tag) {
        if (left_.size() < 2 || left_[0] != tag) return std::nullopt;
        std::size_t length = left_[1], head = 2;
        if (length >= 0x80) {
            const std::size_t count = length & 0x7FU;
            if (count == 0 || count > 2 || left_.size() < 2 + count || left_[2] == 0) return std::nullopt;
            length = 0;
            for (std::size_t i = 0; i < count; ++i)
                length = length << 8 | left_[2 + i];
            if (length < 0x80 || (count == 2 && length < 0x100)) return std::nullopt;
            head += count;
        }
        if (length > left_.size() - head) return std::nullopt;
        const View content = left_.subspan(head, length);
        left_ = left_.subspan(head + length);
        return content;
    }
    /// The next non-negative integer without its sign byte; canonical only.
    std::optional<View> take_integer() {
        const auto content = take(kInteger);
        if (!content || content->empty() || ((*content)[0] & 0x80U) != 0) return std::nullopt;
        if ((*content)[0] != 0) return content;
        if (content->size() > 1 && ((*content)[1] & 0x80U) == 0) return std::nullopt;
        return content->subspan(1);
    }
    bool take_exactly(View bytes) {
        if (left_.size() < bytes.size() || !std::equal(bytes.begin(), bytes.end(), left_.begin()))
            return false;
        left_ = left_.subspan(bytes.size());
        return true;
    }
    [[nodiscard]] bool done() const { return left_.empty(); }

  private:
    View left_;
};

/// The key's bits behind this algorithm identifier.
std::optional<View> key_bits(View der, View algorithm) {
    Reader outer(der);
    const auto info = outer.take(kSequence);
    if (!info || !outer.done()) return std::nullopt;
    Reader inner(*info);
    if (!inner.take_exactly(algorithm)) return std::nullopt;
    const auto bits = inner.take(kBitString);
    if (!bits || !inner.done() || bits->empty() || (*bits)[0] != 0) return std::nullopt;
    return bits->subspan(1);
}

}  // namespace

std::optional<Bytes> p256_key(View der) {
    const auto point = key_bits(der, kP256);
    if (!point || point->size() != 65 || (*point)[0] != 0x04) return std::nullopt;
    return Bytes(point->begin(), point->end());
}

std::optional<Bytes> rsa_2048_key(View der) {
    const auto bits = key_bits(der, kRsa);
    if (!bits) return std::nullopt;
    Reader outer(*bits);
    const auto numbers = outer.take(kSequence);
    if (!numbers || !outer.done()) return std::nullopt;
    Reader inner(*numbers);
    const auto modulus = inner.take_integer(), exponent = inner.take_integer();
    if (!modulus || !exponent || !inner.done() || modulus->size() != 256 ||
        !std::equal(exponent->begin(), exponent->end(), kExponent65537.begin(), kExponent65537.end()))
        return std::nullopt;
    return Bytes(modulus->begin(), modulus->end());
}

std::optional<Bytes> ecdsa_signature(View der) {
    Reader outer(der);
    const auto numbers = outer.take(kSequence);
    if (!numbers || !outer.done()) return std::nullopt;
    Reader inner(*numbers);
    Bytes out(64);
    for (std::size_t end : {std::size_t{32}, std::size_t{64}}) {
        const auto number = inner.take_integer();
        if (!number || number->size() > 32) return std::nullopt;
        std::copy_backward(number->begin(), number->end(), out.begin() + static_cast<std::ptrdiff_t>(end));
    }
    return inner.done() ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace mcuota::vectors
