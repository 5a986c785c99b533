// A sweep checks the same few signatures millions of times. The linker puts these functions in front of
// BearSSL's: each signature is really checked once, and the answer is remembered by every byte it hangs on.
#include <bearssl_ec.h>

#include <cstdint>
#include <map>
#include <string>

// The names are the linker's (--wrap).
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" std::uint32_t __real_br_ecdsa_i31_vrfy_raw(const br_ec_impl* impl, const void* hash,
                                                      std::size_t hash_len, const br_ec_public_key* key,
                                                      const void* signature, std::size_t signature_len);
extern "C" std::uint32_t __wrap_br_ecdsa_i31_vrfy_raw(const br_ec_impl* impl, const void* hash,
                                                      std::size_t hash_len, const br_ec_public_key* key,
                                                      const void* signature, std::size_t signature_len);
// NOLINTEND(bugprone-reserved-identifier)

extern "C" std::uint32_t __wrap_br_ecdsa_i31_vrfy_raw(const br_ec_impl* impl, const void* hash,
                                                      std::size_t hash_len, const br_ec_public_key* key,
                                                      const void* signature, std::size_t signature_len) {
    static std::map<std::string, std::uint32_t> answers;
    std::string question;
    const auto append = [&](const void* bytes, std::size_t length) {
        question.append(static_cast<const char*>(bytes), length);
        question.push_back('/');
    };
    append(hash, hash_len);
    append(key->q, key->qlen);
    append(signature, signature_len);
    const auto [answer, fresh] = answers.try_emplace(std::move(question), 0);
    if (fresh) {
        answer->second = __real_br_ecdsa_i31_vrfy_raw(impl, hash, hash_len, key, signature, signature_len);
    }
    return answer->second;
}
