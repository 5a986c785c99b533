// ECDSA signatures that are none: values out of range, wrong halves, every trick of DER.

#include <catch2/catch.hpp>

#include "tests/unit/vectors/suite.hpp"

namespace mcuota::vectors::test {
namespace {

const Bytes kMessage = {'f', 'i', 'r', 'm', 'w', 'a', 'r', 'e'};
const Bytes kOrder = {0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF,
                      0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17,
                      0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51};

Bytes concat(std::initializer_list<Bytes> parts) {
    Bytes out;
    for (const Bytes& part : parts)
        out.insert(out.end(), part.begin(), part.end());
    return out;
}

Bytes element(std::uint8_t tag, const Bytes& content) {
    Bytes out{tag};
    if (content.size() >= 128) out.push_back(0x81);
    out.push_back(static_cast<std::uint8_t>(content.size()));
    return concat({out, content});
}

/// The shortest non-negative INTEGER of a big-endian number.
Bytes integer(Bytes number) {
    while (number.size() > 1 && number[0] == 0)
        number.erase(number.begin());
    if ((number[0] & 0x80U) != 0) number.insert(number.begin(), 0);
    return element(0x02, number);
}

/// A key, and one good signature in both forms.
struct Good {
    Key key{EVP_EC_gen("P-256")};
    Bytes key_der = public_der(key);
    Bytes der = sign();
    Bytes r = number(0), s = number(1);
    Bytes raw = concat({r, s});

    [[nodiscard]] bool accepted(const Bytes& signature) const {
        const Verdict verdict = judge_line(line("ecdsa-p256-sha256", key_der, kMessage, signature));
        CHECK(verdict.complaint.empty());
        return verdict.valid;
    }

  private:
    [[nodiscard]] Bytes sign() const {
        EVP_MD_CTX* const context = EVP_MD_CTX_new();
        Bytes out(80);
        std::size_t size = out.size();
        const bool made = EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
                          EVP_DigestSign(context, out.data(), &size, kMessage.data(), kMessage.size()) == 1;
        EVP_MD_CTX_free(context);
        REQUIRE(made);
        out.resize(size);
        return out;
    }
    [[nodiscard]] Bytes number(std::size_t which) const {
        std::size_t at = 2;
        for (; which > 0; --which)
            at += 2U + der[at + 1];
        Bytes out(der.begin() + static_cast<std::ptrdiff_t>(at) + 2,
                  der.begin() + static_cast<std::ptrdiff_t>(at) + 2 + der[at + 1]);
        while (out.size() > 32)
            out.erase(out.begin());
        out.insert(out.begin(), 32 - out.size(), 0);
        return out;
    }
};

Bytes plus_one(Bytes number) {
    for (std::size_t i = number.size(); i-- > 0;)
        if (++number[i] != 0) break;
    return number;
}

/// a - b of numbers of the same length.
Bytes minus(const Bytes& a, const Bytes& b) {
    Bytes out(a.size());
    int borrow = 0;
    for (std::size_t i = a.size(); i-- > 0;) {
        const int difference = int{a[i]} - int{b[i]} - borrow;
        borrow = difference < 0 ? 1 : 0;
        out[i] = static_cast<std::uint8_t>(difference);
    }
    return out;
}

}  // namespace

TEST_CASE("both forms of a good ECDSA signature are accepted, and its mirror image", "[vectors]") {
    const Good good;
    CHECK(good.accepted(good.der));
    CHECK(good.accepted(good.raw));
    // (r, n - s) fits as well: ECDSA itself allows it, and a package's identity is its hash, not its
    // signature.
    CHECK(good.accepted(element(0x30, concat({integer(good.r), integer(minus(kOrder, good.s))}))));
}

TEST_CASE("r and s outside 1 to n-1 are refused in both forms", "[vectors]") {
    const Good good;
    const Bytes zero(32, 0), one = plus_one(zero), above = plus_one(kOrder), most(32, 0xFF);
    for (const Bytes& value : {zero, one, kOrder, above, minus(kOrder, one), most})
        for (const auto& [r, s] :
             {std::pair(value, good.s), std::pair(good.r, value), std::pair(value, value)}) {
            INFO(hex(r) << " " << hex(s));
            CHECK_FALSE(good.accepted(concat({r, s})));
            CHECK_FALSE(good.accepted(element(0x30, concat({integer(r), integer(s)}))));
        }
    // The same residues, one order higher: 33 bytes in DER.
    Bytes high = good.s;
    int carry = 0;
    for (std::size_t i = 32; i-- > 0;) {
        const int sum = int{high[i]} + int{kOrder[i]} + carry;
        high[i] = static_cast<std::uint8_t>(sum);
        carry = sum >> 8;
    }
    high.insert(high.begin(), static_cast<std::uint8_t>(carry));
    CHECK_FALSE(good.accepted(element(0x30, concat({integer(good.r), integer(high)}))));
}

TEST_CASE("swapped, missing, repeated and padded halves are refused", "[vectors]") {
    const Good good;
    const Bytes zero_padded = concat({{0}, good.r, {0}, good.s});
    const std::vector<std::pair<const char*, Bytes>> cases{
        {"empty", {}},
        {"swapped", concat({good.s, good.r})},
        {"r twice", concat({good.r, good.r})},
        {"only r", good.r},
        {"63 bytes", Bytes(good.raw.begin(), good.raw.end() - 1)},
        {"65 bytes", concat({good.raw, {0}})},
        {"a zero in front", concat({{0}, good.raw})},
        {"both padded to 33", zero_padded},
        {"little-endian",
         concat({Bytes(good.r.rbegin(), good.r.rend()), Bytes(good.s.rbegin(), good.s.rend())})},
        {"swapped in DER", element(0x30, concat({integer(good.s), integer(good.r)}))},
        {"128 bytes of zeros and the signature", concat({Bytes(64, 0), good.raw})},
    };
    for (const auto& [name, signature] : cases) {
        INFO(name);
        CHECK_FALSE(good.accepted(signature));
    }
}

TEST_CASE("DER that is not canonical is refused", "[vectors]") {
    const Good good;
    const Bytes r = integer(good.r), s = integer(good.s), both = concat({r, s});
    const auto size = static_cast<std::uint8_t>(both.size());
    const auto with_value = [](const Bytes& value) { return element(0x02, value); };
    const Bytes r_value(r.begin() + 2, r.end());
    Bytes negative = good.r;
    negative[0] |= 0x80U;
    const std::vector<std::pair<const char*, Bytes>> cases{
        {"length in two bytes", concat({{0x30, 0x81, size}, both})},
        {"length in three bytes", concat({{0x30, 0x82, 0, size}, both})},
        {"length in nine bytes", concat({{0x30, 0x88, 0, 0, 0, 0, 0, 0, 0, size}, both})},
        {"indefinite length", concat({{0x30, 0x80}, both, {0, 0}})},
        {"length one too large", concat({{0x30, static_cast<std::uint8_t>(size + 1)}, both})},
        {"length one too small", concat({{0x30, static_cast<std::uint8_t>(size - 1)}, both})},
        {"length of 4 GiB", concat({{0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF}, both})},
        {"a byte behind", concat({element(0x30, both), {0}})},
        {"a byte behind s inside", element(0x30, concat({both, {0}}))},
        {"NULL behind s inside", element(0x30, concat({both, {0x05, 0}}))},
        {"three integers", element(0x30, concat({both, s}))},
        {"one integer", element(0x30, r)},
        {"nothing inside", element(0x30, {})},
        {"zero in front of r", element(0x30, concat({with_value(concat({{0}, r_value})), s}))},
        {"negative r", element(0x30, concat({with_value(negative), s}))},
        {"empty r", element(0x30, concat({with_value({}), s}))},
        {"r's length in two bytes",
         element(0x30, concat({{0x02, 0x81, static_cast<std::uint8_t>(r_value.size())}, r_value, s}))},
        {"r beyond the end", element(0x30, concat({{0x02, 0x7F}, r_value, s}))},
        {"SET instead of SEQUENCE", element(0x31, both)},
        {"BIT STRING instead of INTEGER", element(0x30, concat({element(0x03, r_value), s}))},
        {"r an ENUMERATED", element(0x30, concat({element(0x0A, r_value), s}))},
        {"without SEQUENCE", both},
        {"SEQUENCE twice", element(0x30, element(0x30, both))},
        {"as text", element(0x04, element(0x30, both))},
        {"cut", Bytes(good.der.begin(), good.der.end() - 1)},
        {"infinity", element(0x30, concat({Bytes{0x09, 0x01, 0x40}, s}))},
    };
    for (const auto& [name, signature] : cases) {
        INFO(name << ": " << hex(signature));
        CHECK_FALSE(good.accepted(signature));
    }
    for (std::size_t at = 0; at < good.der.size(); ++at)
        for (const unsigned bit : {0U, 7U}) {
            Bytes changed = good.der;
            changed[at] ^= static_cast<std::uint8_t>(1U << bit);
            INFO("bit " << bit << " of byte " << at);
            CHECK_FALSE(good.accepted(changed));
        }
}

}  // namespace mcuota::vectors::test
