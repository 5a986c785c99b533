#pragma once
// One line of a signature test suite, judged by the loader's own verification code.

#include <string>
#include <string_view>

namespace mcuota::vectors {

struct Verdict {
    bool valid{false};
    /// Why the line could not be judged at all; empty when the loader's code has spoken.
    std::string complaint;
};

/// `line` is an object of strings: alg ("ecdsa-p256-sha256" or "rsa-2048-pkcs1-sha256"), key (hexadecimal DER
/// of the SubjectPublicKeyInfo), msg and sig (hexadecimal). An ECDSA signature is canonical DER; what is not,
/// but is 64 bytes long, is taken for r and s as they are. That cannot make a bad signature good: as r and s
/// it would have to fit the message, too. Other members are ignored.
[[nodiscard]] Verdict judge_line(std::string_view line);

}  // namespace mcuota::vectors
