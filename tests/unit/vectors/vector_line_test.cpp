// Lines that are none, keys that are none: false and a word each time.

#include <catch2/catch.hpp>

#include "tests/tools/der.hpp"
#include "tests/unit/vectors/suite.hpp"

namespace mcuota::vectors::test {

TEST_CASE("what is no test line is false, with a reason", "[vectors]") {
    for (const char* bad :
         {"", " ", "nonsense", "{}", "[]", "null", "\"text\"", "{\"alg\":1}",
          "{\"alg\":\"rsa-2048-pkcs1-sha256\"}", R"({"alg":"ecdsa-p384-sha384","key":"","msg":"","sig":""})",
          R"({"alg":"ecdsa-p256-sha256","key":"0","msg":"","sig":""})",
          R"({"alg":"ecdsa-p256-sha256","key":"zz","msg":"","sig":""})",
          R"({"alg":"ecdsa-p256-sha256","key":"30","msg":"","sig":""})",
          R"({"alg":"ecdsa-p256-sha256","key":"","msg":7,"sig":""})",
          R"({"alg":"ecdsa-p256-sha256","key":"","msg":""})",
          R"({"alg":"ecdsa-p256-sha256","key":"","msg":"","sig":""} trailing)"}) {
        const Verdict verdict = judge_line(bad);
        INFO(bad);
        CHECK_FALSE(verdict.valid);
        CHECK_FALSE(verdict.complaint.empty());
    }
    std::string deep;
    for (int i = 0; i < 100000; ++i)
        deep += '[';
    CHECK_FALSE(judge_line(deep).complaint.empty());
}

TEST_CASE("only whole and canonical public keys are taken", "[vectors]") {
    const Key ec(EVP_EC_gen("P-256")), other(EVP_EC_gen("P-384")), rsa(EVP_RSA_gen(2048));
    const Bytes ec_der = public_der(ec), rsa_der = public_der(rsa);
    REQUIRE(p256_key(ec_der));
    REQUIRE(rsa_2048_key(rsa_der));
    CHECK(p256_key(ec_der)->size() == 65);
    CHECK(rsa_2048_key(rsa_der)->size() == 256);
    CHECK_FALSE(p256_key(rsa_der));
    CHECK_FALSE(rsa_2048_key(ec_der));
    CHECK_FALSE(p256_key(public_der(other)));
    for (const Bytes& der : {ec_der, rsa_der}) {
        for (std::size_t size = 0; size < der.size(); ++size) {
            const Bytes cut(der.begin(), der.begin() + static_cast<std::ptrdiff_t>(size));
            CHECK_FALSE(p256_key(cut));
            CHECK_FALSE(rsa_2048_key(cut));
        }
        Bytes longer = der;
        longer.push_back(0);
        CHECK_FALSE(p256_key(longer));
        CHECK_FALSE(rsa_2048_key(longer));
    }
}

TEST_CASE("a key that is no point of the curve verifies nothing", "[vectors]") {
    const Key ec(EVP_EC_gen("P-256"));
    Bytes der = public_der(ec);
    der.back() ^= 1;
    const Verdict verdict = judge_line(line("ecdsa-p256-sha256", der, {}, Bytes(64, 1)));
    CHECK_FALSE(verdict.valid);
}

}  // namespace mcuota::vectors::test
