// The build's own key scripts against OpenSSL: what the loader is made to trust is what the signer signs
// with.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "mcu_flasher/package/openssl_key.hpp"

using mcuota::SignatureAlgorithm;
using mcuota::package::OpensslKey;

namespace {

const std::string kScripts = std::string{MCUOTA_SOURCE_DIR} + "/mcu_loader/port/";

/// A folder of its own that goes with the test.
struct Folder {
    Folder() {
        std::string name =
            (std::filesystem::temp_directory_path() / "mcuota-keys-").string() + std::string(6, 'X');
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::filesystem::path path;
};

std::string read(const std::filesystem::path& file) {
    std::ifstream in{file};
    return {std::istreambuf_iterator<char>{in}, {}};
}

int run(const std::string& command) {
    return std::system(command.c_str());
}

/// The numbers of an initializer, as hex digits.
std::string initializer(const std::string& header, const std::string& after) {
    const std::size_t begin = header.find("{{", header.find(after) + after.size());
    REQUIRE(begin != std::string::npos);
    std::string digits;
    for (std::size_t at = begin; at < header.size() && header[at] != '}'; ++at) {
        if (header.compare(at, 2, "0x") == 0) digits += header.substr(at + 2, 2);
    }
    return digits;
}

template <class Bytes>
std::string hex(const Bytes& bytes) {
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

void check_header_of(SignatureAlgorithm algorithm, const std::string& word) {
    const Folder folder;
    const auto key = OpensslKey::generate(algorithm);
    REQUIRE(key);
    std::ofstream{folder.path / "key.pub.pem"} << key->public_pem().value();
    REQUIRE(run(kScripts + "key_header.sh " + (folder.path / "key.pub.pem").string() + " " +
                (folder.path / "key.hpp").string()) == 0);
    const std::string header = read(folder.path / "key.hpp");
    CHECK(initializer(header, "kKeyBytes =") == hex(key->loader_bytes().value()));
    CHECK(initializer(header, "SignatureAlgorithm::" + word) == hex(key->id()));
    CHECK(header.find("kNextKeyBytes") == std::string::npos);
}

}  // namespace

TEST_CASE("the key header carries point and key id of a P-256 key") {
    check_header_of(SignatureAlgorithm::ecdsa_p256_sha256, "ecdsa_p256_sha256");
}

TEST_CASE("the key header carries modulus and key id of an RSA-2048 key") {
    check_header_of(SignatureAlgorithm::rsa_2048_pkcs1_sha256, "rsa_2048_pkcs1_sha256");
}

TEST_CASE("the key header carries current and next key, in this order") {
    const Folder folder;
    const auto current = OpensslKey::generate(SignatureAlgorithm::ecdsa_p256_sha256);
    const auto next = OpensslKey::generate(SignatureAlgorithm::rsa_2048_pkcs1_sha256);
    REQUIRE((current && next));
    const std::string pem = (folder.path / "current.pem").string();
    const std::string next_pem = (folder.path / "next.pem").string();
    const std::string out = (folder.path / "keys.hpp").string();
    std::ofstream{pem} << current->public_pem().value();
    std::ofstream{next_pem} << next->public_pem().value();
    REQUIRE(run(kScripts + "key_header.sh " + pem + " " + next_pem + " " + out) == 0);
    const std::string header = read(out);
    CHECK(initializer(header, "kKeyBytes =") == hex(current->loader_bytes().value()));
    CHECK(initializer(header, "kNextKeyBytes =") == hex(next->loader_bytes().value()));
    CHECK(initializer(header, "SignatureAlgorithm::ecdsa_p256_sha256") == hex(current->id()));
    CHECK(initializer(header, "SignatureAlgorithm::rsa_2048_pkcs1_sha256") == hex(next->id()));
    CHECK(header.find("::ecdsa_p256_sha256") < header.find("::rsa_2048_pkcs1_sha256"));

    std::filesystem::remove(out);
    CHECK(run(kScripts + "key_header.sh " + pem + " " + pem + " " + out + " 2>/dev/null") != 0);
    CHECK_FALSE(std::filesystem::exists(out));
}

TEST_CASE("other keys and other files are refused and leave no header") {
    const Folder folder;
    const std::string out = (folder.path / "key.hpp").string();
    const std::string pem = (folder.path / "key.pem").string();
    for (const char* make : {"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out ",
                             "openssl genpkey -algorithm ED25519 -out ", "echo nonsense > "}) {
        INFO(make);
        REQUIRE(run(make + pem + " 2>/dev/null") == 0);
        CHECK(run(kScripts + "key_header.sh " + pem + " " + out + " 2>/dev/null") != 0);
        CHECK_FALSE(std::filesystem::exists(out));
    }
}

TEST_CASE("the development keys are made once, are private, and fit their public halves") {
    const std::string name = GENERATE("dev-key", "dev-next-key");
    const Folder folder;
    const std::string command = kScripts + "dev_key.sh " + folder.path.string();
    REQUIRE(run(command) == 0);
    const std::string first = read(folder.path / (name + ".pem"));
    struct stat info {};
    REQUIRE(stat((folder.path / (name + ".pem")).c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);

    const auto pair = OpensslKey::from_private_pem(first, name + ".pem");
    const auto half = OpensslKey::from_public_pem(read(folder.path / (name + ".pub.pem")), name + ".pub.pem");
    REQUIRE(pair);
    REQUIRE(half);
    CHECK(pair->id() == half->id());

    std::filesystem::remove(folder.path / (name + ".pub.pem"));
    REQUIRE(run(command) == 0);
    CHECK(read(folder.path / (name + ".pem")) == first);
    CHECK(std::filesystem::exists(folder.path / (name + ".pub.pem")));
}
