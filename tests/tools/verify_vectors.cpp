// Runs public signature test suites against the loader's verification code: one JSON object a line from
// standard input (see vector_line.hpp), one {"valid":true|false} a line to standard output. What cannot be
// judged is false, with the reason on standard error.

#include <iostream>
#include <string>

#include "tests/tools/vector_line.hpp"

int main(int argc, char** argv) {
    if (argc > 1) {
        const bool help = std::string_view(argv[1]) == "--help";
        (help ? std::cout : std::cerr)
            << "usage: verify_vectors < LINES\n"
               "Each line: {\"alg\":\"ecdsa-p256-sha256\"|\"rsa-2048-pkcs1-sha256\",\"key\":HEX,\"msg\":HEX,"
               "\"sig\":HEX}\nkey: DER of the SubjectPublicKeyInfo; sig: DER or 64 bytes (ECDSA), 256 bytes "
               "(RSA).\nAnswers {\"valid\":true} or {\"valid\":false} for each line.\n";
        return help ? 0 : 2;
    }
    std::string line;
    for (std::size_t number = 1; std::getline(std::cin, line); ++number) {
        const mcuota::vectors::Verdict verdict = mcuota::vectors::judge_line(line);
        if (!verdict.complaint.empty())
            std::cerr << "verify_vectors: line " << number << ": " << verdict.complaint << '\n';
        std::cout << (verdict.valid ? "{\"valid\":true}\n" : "{\"valid\":false}\n") << std::flush;
    }
    return 0;
}
