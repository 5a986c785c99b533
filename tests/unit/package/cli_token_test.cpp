// mcuota-pack signs with keys that live in a token: SoftHSM, with keys made inside it by pkcs11-tool.
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/unit/package/pack_run.hpp"

using boost::json::parse;
using mcuota::write_file;
using pack_test::Pack;
using samples::Bytes;

namespace {

void shell(const std::string& line) {
    INFO(line);
    REQUIRE(std::system((line + " >/dev/null 2>&1").c_str()) == 0);
}

Bytes bytes_of(const std::string& text) {
    return {text.begin(), text.end()};
}

/// A token "release" with an EC key "ec" (id 01), an RSA key "rsa" (id 02) and an RSA key of 3072 bits
/// "long".
struct Token : Pack {
    Token() {
        const std::string tokens = (folder / "tokens").string();
        std::filesystem::create_directory(tokens);
        REQUIRE(write_file(folder / "softhsm2.conf",
                           bytes_of("directories.tokendir = " + tokens + "\nobjectstore.backend = file\n")));
        ::setenv("SOFTHSM2_CONF", (folder / "softhsm2.conf").c_str(), 1);
        ::unsetenv("MCUOTA_PIN");
        shell("softhsm2-util --init-token --free --label release --pin 4711 --so-pin 0815");
        make_key("EC:prime256v1", "ec", "01");
        make_key("rsa:2048", "rsa", "02");
        make_key("rsa:3072", "long", "03");
        REQUIRE(write_file(folder / "app.bin", samples::image(3000)));
        REQUIRE(write_file(folder / "pin", bytes_of("4711\n")));
    }
    ~Token() {
        ::unsetenv("SOFTHSM2_CONF");
        ::unsetenv("MCUOTA_PIN");
    }
    static void make_key(const std::string& type, const std::string& label, const std::string& id) {
        shell(
            "pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --token-label release --login --pin 4711 "
            "--keypairgen --key-type " +
            type + " --label " + label + " --id " + id);
    }
    /// A URI of the token's key, as a shell word.
    [[nodiscard]] std::string uri(const std::string& object, const std::string& query = "") const {
        return "'pkcs11:token=release;" + object + (query.empty() ? "" : "?" + query) + "'";
    }
    [[nodiscard]] std::string with_pin_file() const { return "pin-source=file:" + (folder / "pin").string(); }
};

const std::string kSign = "create --image app.bin --version 1.0 --hardware h --out p.mcup --pkcs11 ";

}  // namespace

TEST_CASE("a package signed in a token verifies with the token's public key", "[pack][token]") {
    const Token pack;
    for (const std::string object : {"object=ec", "object=rsa", "id=%01", "object=rsa;type=private"}) {
        const std::string key = pack.uri(object, pack.with_pin_file());
        INFO(key);
        const auto told =
            parse(pack.good("keygen --from " + key + " --public k.pub.pem --header k.hpp --json"));
        const auto made = parse(pack.good(kSign + key + " --json"));
        CHECK(made.at("key_id") == told.at("key_id"));
        pack.good("verify p.mcup --pubkey k.pub.pem");
        CHECK(pack.good("keygen --from k.pub.pem --header again.hpp").find("key") != std::string::npos);
        CHECK(pack.file("again.hpp") == pack.file("k.hpp"));
    }
}

TEST_CASE("a rotation is signed in the token like a package", "[pack][token]") {
    const Token pack;
    pack.good("keygen --out next.pem");
    const std::string key = pack.uri("object=ec", pack.with_pin_file());
    pack.good("rotate --pkcs11 " + key + " --next next.pub.pem --generation 1 --out 1.mcuk");
    pack.good(kSign + key + " --rotation 1.mcuk");
    pack.good("keygen --from " + key + " --public k.pub.pem");
    CHECK(parse(pack.good("verify p.mcup --pubkey k.pub.pem --json"))
              .at("rotations")
              .at("first_by_given_key")
              .as_bool());
}

TEST_CASE("the PIN comes from the environment, a file or the URI; the module may be named", "[pack][token]") {
    const Token pack;
    const std::string module = "module-path=/usr/lib/softhsm/libsofthsm2.so";
    pack.good(kSign + pack.uri("object=ec", module + "&pin-value=4711"));
    CHECK(pack(kSign + pack.uri("object=ec")).code == 2);
    ::setenv("MCUOTA_PIN", "4711", 1);
    pack.good(kSign + pack.uri("object=ec"));
    pack.good(kSign + pack.uri("object=ec", module));
}

TEST_CASE("tokens and keys that cannot be used are refused in words", "[pack][token]") {
    const Token pack;
    ::setenv("MCUOTA_PIN", "4711", 1);
    struct Row {
        std::string key;
        int code;
        const char* words;
    };
    const Row rows[] = {
        {"pkcs11", 2, "no PKCS#11 URI"},
        {"'pkcs11:token=release;nonsense=1'", 2, "no PKCS#11 URI"},
        {"'pkcs11:token=other;object=ec'", 3, "no token fits"},
        {pack.uri("object=none"), 3, "holds no private key"},
        {"'pkcs11:token=release'", 2, "several keys"},
        {pack.uri("object=ec", "pin-value=1234"), 2, "refuses the PIN"},
        {pack.uri("object=ec", "pin-source=file:/nonexistent"), 3, "reading the PIN"},
        {pack.uri("object=ec", "module-path=/nonexistent.so"), 2, "cannot be loaded"},
        {pack.uri("object=long"), 2, "2048"},
        {pack.uri("object=ec") + " --key k.pem", 2, "excludes"},
    };
    for (const Row& row : rows) {
        const auto run = pack(kSign + row.key);
        INFO(row.key << '\n' << run.err);
        CHECK(run.code == row.code);
        CHECK(run.err.find(row.words) != std::string::npos);
        CHECK(run.err.find("1234") == std::string::npos);
        CHECK_FALSE(pack.exists("p.mcup"));
    }
    CHECK(pack("create --image app.bin --version 1.0 --hardware h --out p.mcup").code == 2);
}
