// RSA signatures that are none: every block that a lenient reader of PKCS#1 v1.5 would let pass.

#include <openssl/core_names.h>

#include <catch2/catch.hpp>

#include "mcu_loader/core/sha256.hpp"
#include "tests/unit/vectors/suite.hpp"

namespace mcuota::vectors::test {
namespace {

constexpr std::size_t kSize = 256;
const Bytes kMessage = {'f', 'i', 'r', 'm', 'w', 'a', 'r', 'e'};
/// DigestInfo before the digest: SHA-256 with NULL.
const Bytes kInfo = {0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                     0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

Bytes concat(std::initializer_list<Bytes> parts) {
    Bytes out;
    for (const Bytes& part : parts)
        out.insert(out.end(), part.begin(), part.end());
    return out;
}

Bytes digest() {
    const Sha256Digest value = sha256(kMessage);
    return {value.begin(), value.end()};
}

/// A key whose private half signs whatever block it is given.
class Rsa {
  public:
    explicit Rsa(unsigned bits = 2048) : key_(EVP_RSA_gen(bits)), der_(public_der(key_)) {}

    /// block^d mod n.
    [[nodiscard]] Bytes sign(const Bytes& block) const {
        EVP_PKEY_CTX* const context = EVP_PKEY_CTX_new(key_.get(), nullptr);
        Bytes out(block.size());
        std::size_t size = out.size();
        const bool made = EVP_PKEY_sign_init(context) == 1 &&
                          EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) == 1 &&
                          EVP_PKEY_sign(context, out.data(), &size, block.data(), block.size()) == 1;
        EVP_PKEY_CTX_free(context);
        REQUIRE(made);
        return out;
    }
    [[nodiscard]] bool accepted(const Bytes& signature) const { return judged(der_, signature).valid; }
    [[nodiscard]] static Verdict judged(const Bytes& der, const Bytes& signature) {
        return judge_line(line("rsa-2048-pkcs1-sha256", der, kMessage, signature));
    }
    [[nodiscard]] const Bytes& der() const { return der_; }
    [[nodiscard]] Bytes modulus() const {
        BIGNUM* n = nullptr;
        REQUIRE(EVP_PKEY_get_bn_param(key_.get(), OSSL_PKEY_PARAM_RSA_N, &n) == 1);
        Bytes out(kSize);
        REQUIRE(BN_bn2binpad(n, out.data(), static_cast<int>(out.size())) > 0);
        BN_free(n);
        return out;
    }

  private:
    Key key_;
    Bytes der_;
};

const Rsa& rsa() {
    static const Rsa key;
    return key;
}

/// 00 01 FF…FF 00 `text`.
Bytes block_of(const Bytes& text) {
    return concat({{0, 1}, Bytes(kSize - 3 - text.size(), 0xFF), {0}, text});
}

}  // namespace

TEST_CASE("the one right block is accepted, and no other one", "[vectors]") {
    const Bytes good = block_of(concat({kInfo, digest()}));
    REQUIRE(rsa().accepted(rsa().sign(good)));

    const Bytes text = concat({kInfo, digest()});
    const auto changed = [&](std::size_t at, std::uint8_t value) {
        Bytes out = good;
        out[at] = value;
        return out;
    };
    Bytes no_null = concat(
        {{0x30, 0x2F, 0x30, 0x0B}, Bytes(kInfo.begin() + 4, kInfo.begin() + 15), {0x04, 0x20}, digest()});
    Bytes sha1_oid = kInfo, sha512_oid = kInfo;
    sha512_oid[14] = 0x03;
    sha1_oid[14] = 0x04;  // SHA-224
    const std::vector<std::pair<const char*, Bytes>> cases{
        {"padding type 0", changed(1, 0)},
        {"padding type 2", changed(1, 2)},
        {"first byte not zero", changed(0, 1)},
        {"a padding byte of 0xFE", changed(100, 0xFE)},
        {"a padding byte of 0", changed(100, 0)},
        {"the last padding byte of 0", changed(kSize - 4 - text.size(), 0)},
        {"the separator of 0xFF", changed(kSize - 1 - text.size(), 0xFF)},
        {"no padding at all", concat({{0, 1, 0}, text, Bytes(kSize - 3 - text.size(), 0xA5)})},
        {"eight bytes of padding, the rest behind",
         concat({{0, 1}, Bytes(8, 0xFF), {0}, text, Bytes(kSize - 11 - text.size(), 0x5A)})},
        {"one byte of padding less, one zero behind",
         concat({{0, 1}, Bytes(kSize - 4 - text.size(), 0xFF), {0}, text, {0}})},
        {"a byte behind the digest inside the DER",
         block_of(concat({{0x30, 0x32}, Bytes(kInfo.begin() + 2, kInfo.end()), digest(), {0}}))},
        {"NULL missing", block_of(no_null)},
        {"NULL with content", block_of(concat({{0x30, 0x33, 0x30, 0x0F},
                                               Bytes(kInfo.begin() + 4, kInfo.begin() + 15),
                                               {0x05, 0x02, 0xAA, 0xBB, 0x04, 0x20},
                                               digest()}))},
        {"hidden bytes in long lengths",
         block_of(concat({{0x30, 0x81, 0x31}, Bytes(kInfo.begin() + 2, kInfo.end()), digest()}))},
        {"OID of SHA-512", block_of(concat({sha512_oid, digest()}))},
        {"OID of SHA-224", block_of(concat({sha1_oid, digest()}))},
        {"bare digest", block_of(digest())},
        {"digest of another message", block_of(concat({kInfo, Bytes(32, 0x11)}))},
        {"digest reversed", block_of(concat({kInfo,
                                             [] {
                                                 Bytes d = digest();
                                                 std::reverse(d.begin(), d.end());
                                                 return d;
                                             }()}))},
        {"OCTET STRING shorter", block_of(concat({{0x30, 0x30},
                                                  Bytes(kInfo.begin() + 2, kInfo.end() - 1),
                                                  {0x1F},
                                                  Bytes(text.begin() + 19, text.end() - 1)}))},
        {"all zero", Bytes(kSize, 0)},
        {"one", concat({Bytes(kSize - 1, 0), {1}})},
    };
    for (const auto& [name, block] : cases) {
        INFO(name);
        REQUIRE(block.size() == kSize);
        if (block[0] != 0) {  // may be above the modulus: then there is nothing to sign
            CHECK_FALSE(rsa().accepted(block));
            continue;
        }
        CHECK_FALSE(rsa().accepted(rsa().sign(block)));
    }
}

TEST_CASE("signatures at and above the modulus, padded and cut ones are refused", "[vectors]") {
    const Bytes good = rsa().sign(block_of(concat({kInfo, digest()})));
    const Bytes n = rsa().modulus();
    // good + n is the same number modulo n; it fits 256 bytes only sometimes.
    Bytes above(kSize + 1);
    int carry = 0;
    for (std::size_t i = kSize; i-- > 0;) {
        const int sum = int{good[i]} + int{n[i]} + carry;
        above[i + 1] = static_cast<std::uint8_t>(sum);
        carry = sum >> 8;
    }
    above[0] = static_cast<std::uint8_t>(carry);
    CHECK_FALSE(rsa().accepted(above));
    CHECK_FALSE(rsa().accepted(Bytes(above.begin() + 1, above.end())));
    CHECK_FALSE(rsa().accepted(n));
    CHECK_FALSE(rsa().accepted(Bytes(kSize, 0xFF)));
    CHECK_FALSE(rsa().accepted(Bytes(kSize, 0)));
    CHECK_FALSE(rsa().accepted({}));
    CHECK_FALSE(rsa().accepted(concat({{0}, good})));
    CHECK_FALSE(rsa().accepted(concat({good, {0}})));
    CHECK_FALSE(rsa().accepted(Bytes(good.begin(), good.end() - 1)));
    CHECK_FALSE(rsa().accepted(Bytes(good.begin() + 1, good.end())));
    CHECK_FALSE(rsa().accepted(Bytes(good.rbegin(), good.rend())));
}

TEST_CASE("a cube root with rubbish behind a short padding forges nothing", "[vectors]") {
    // Bleichenbacher 2006: with exponent 3 the cube root of such a block needs no private key. Keys with
    // exponent 3 are refused altogether, and with 65537 the block itself would be.
    const Bytes head = concat({{0, 1}, Bytes(8, 0xFF), {0}, kInfo, digest()});
    Bytes block = concat({head, Bytes(kSize - head.size(), 0xFF)});
    BIGNUM *target = BN_bin2bn(block.data(), static_cast<int>(block.size()), nullptr), *low = BN_new(),
           *high = BN_new(), *middle = BN_new(), *cube = BN_new();
    BN_CTX* const context = BN_CTX_new();
    BN_one(high);
    BN_lshift(high, high, 700);
    for (BN_zero(low); BN_cmp(low, high) < 0;) {  // the largest number whose cube is not above the block
        BN_add(middle, low, high);
        BN_add_word(middle, 1);
        BN_rshift1(middle, middle);
        BN_sqr(cube, middle, context);
        BN_mul(cube, cube, middle, context);
        if (BN_cmp(cube, target) <= 0) {
            BN_copy(low, middle);
        } else {
            BN_sub_word(middle, 1);
            BN_copy(high, middle);
        }
    }
    BN_sqr(cube, low, context);
    BN_mul(cube, cube, low, context);
    Bytes cubed(kSize), forged(kSize);
    REQUIRE(BN_bn2binpad(cube, cubed.data(), static_cast<int>(kSize)) > 0);
    REQUIRE(BN_bn2binpad(low, forged.data(), static_cast<int>(kSize)) > 0);
    for (BIGNUM* number : {target, low, high, middle, cube})
        BN_free(number);
    BN_CTX_free(context);
    REQUIRE(std::equal(head.begin(), head.end(), cubed.begin()));  // the forgery is a real one

    CHECK_FALSE(rsa().accepted(forged));
    CHECK_FALSE(rsa().accepted(rsa().sign(cubed)));
    Bytes exponent_3 = rsa().der();  // … 02 03 01 00 01 becomes … 02 01 03, with the lengths around it
    exponent_3.resize(exponent_3.size() - 5);
    exponent_3.insert(exponent_3.end(), {0x02, 0x01, 0x03});
    for (const std::size_t at : {std::size_t{3}, std::size_t{22}, std::size_t{27}})
        exponent_3[at] = static_cast<std::uint8_t>(exponent_3[at] - 2);
    const Verdict verdict = Rsa::judged(exponent_3, forged);
    CHECK_FALSE(verdict.valid);
    CHECK(verdict.complaint == "\"key\" is no RSA-2048 key with exponent 65537");
}

TEST_CASE("RSA keys of other sizes are refused with a word", "[vectors]") {
    for (const unsigned bits : {1024U, 2040U, 3072U}) {
        const Rsa other(bits);
        const Verdict verdict = Rsa::judged(other.der(), Bytes(bits / 8, 1));
        CHECK_FALSE(verdict.valid);
        CHECK_FALSE(verdict.complaint.empty());
    }
}

}  // namespace mcuota::vectors::test
