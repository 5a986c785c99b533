// mcuota-pack as a program: outputs, exit codes, and that nothing half-done stays behind.
#include <sys/stat.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "mcu_flasher/base/file.hpp"
#include "tests/unit/package/pack_run.hpp"

namespace fs = std::filesystem;
using mcuota::write_file;
using pack_test::kCreate;
using pack_test::Pack;
using pack_test::Ready;
using pack_test::Run;
using samples::Bytes;

TEST_CASE("keygen, create, verify, apply: the image comes out again", "[pack]") {
    for (const std::string type : {"ecdsa-p256", "rsa-2048"}) {
        const Pack pack;
        REQUIRE(write_file(pack.folder / "app.bin", samples::image(50000)));
        pack.good("keygen --type " + type + " --out k.pem");
        pack.good(kCreate);
        pack.good("verify p.mcup --pubkey k.pub.pem");
        pack.good("apply p.mcup --out again.bin");
        CHECK((pack.file("again.bin") == pack.file("app.bin")));
        CHECK(pack.files() == 5);  // k.pem k.pub.pem app.bin p.mcup again.bin
    }
}

TEST_CASE("a private key is for its owner only and never overwritten", "[pack]") {
    const Ready pack;
    struct stat info {};
    REQUIRE(::stat((pack.folder / "k.pem").c_str(), &info) == 0);
    CHECK((info.st_mode & 0777U) == 0600U);
    const Bytes before = pack.file("k.pem");
    const Run again = pack("keygen --out k.pem");
    CHECK(again.code == 1);
    CHECK(pack.file("k.pem") == before);

    fs::remove(pack.folder / "k.pub.pem");  // the private half alone is not overwritten either
    CHECK(pack("keygen --out k.pem").code == 1);
    CHECK(pack.file("k.pem") == before);
    CHECK_FALSE(pack.exists("k.pub.pem"));
}

TEST_CASE("the loader's key header compiles and holds the key", "[pack]") {
    const Ready pack;
    pack.good("keygen --from k.pem --header from_private.hpp");
    pack.good("keygen --from k.pub.pem --header from_public.hpp");
    CHECK(pack.file("from_private.hpp") == pack.file("from_public.hpp"));
    REQUIRE(write_file(pack.folder / "try.cpp", [] {
        const std::string text =
            "#include \"from_private.hpp\"\n"
            "static_assert(mcuota::keys::kTrusted[0].bytes.size() == 65);\n"
            "static_assert(mcuota::keys::kTrusted[0].bytes[0] == 0x04);\n"
            "static_assert(std::size(mcuota::keys::kTrusted) == 1);\n";
        return Bytes(text.begin(), text.end());
    }()));
    const std::string compile = "c++ -std=c++20 -fsyntax-only -Wall -Wextra -Werror -I" MCUOTA_SOURCE_DIR
                                " -I" +
                                (pack.folder / "").string() + " " + (pack.folder / "try.cpp").string();
    CHECK(std::system(compile.c_str()) == 0);

    // With a next key the loader is built for rotations.
    pack.good("keygen --type rsa-2048 --out next.pem");
    pack.good("keygen --from k.pem --next next.pub.pem --header from_private.hpp");
    const std::string text =
        "#include \"from_private.hpp\"\n"
        "static_assert(std::size(mcuota::keys::kTrusted) == 2);\n"
        "static_assert(mcuota::keys::kTrusted[0].bytes.size() == 65);\n"
        "static_assert(mcuota::keys::kTrusted[1].bytes.size() == 256);\n";
    REQUIRE(write_file(pack.folder / "try.cpp", Bytes(text.begin(), text.end())));
    CHECK(std::system(compile.c_str()) == 0);
    CHECK(pack("keygen --from k.pem --next k.pub.pem --header x.hpp").code == 2);
    CHECK(pack("keygen --from k.pem --next next.pub.pem --public x.pem").code == 2);
    CHECK_FALSE(pack.exists("x.hpp"));
}

TEST_CASE("json output is one document", "[pack]") {
    const Ready pack;
    const auto key_id = boost::json::parse(pack.good("keygen --out j.pem --json")).at("key_id").as_string();
    CHECK(key_id.size() == 16);

    const auto inspect = boost::json::parse(pack.good("inspect p.mcup --json"));
    const auto& entry = inspect.at("entries").at(0);
    CHECK(entry.at("hardware").as_string() == "pump-3");
    CHECK(entry.at("version").as_string() == "2.0.0");
    CHECK(entry.at("security_counter").as_int64() == 7);
    CHECK(entry.at("image").at("bytes").as_int64() == 5000);
    CHECK(entry.at("image").at("load_address").as_string() == "0x08020000");
    CHECK(entry.at("allow_derived").as_bool() == false);
    CHECK(entry.at("payloads").at(0).at("transfer_ms").at("115200").as_int64() > 0);
    CHECK(inspect.at("bytes").as_int64() == static_cast<std::int64_t>(pack.file("p.mcup").size()));

    CHECK(boost::json::parse(pack.good("verify p.mcup --pubkey k.pub.pem --json")).at("verified").as_bool());
    CHECK(boost::json::parse(pack.good("apply p.mcup --out a.bin --json")).at("bytes").as_int64() == 5000);
    CHECK(boost::json::parse(pack.good(kCreate + "--allow-derived --load-address 0x08040000 --json"))
              .at("image_bytes")
              .as_int64() == 5000);
    const auto derived = boost::json::parse(pack.good("inspect p.mcup --json"));
    CHECK(derived.at("entries").at(0).at("allow_derived").as_bool());
    CHECK(derived.at("entries").at(0).at("image").at("load_address").as_string() == "0x08040000");

    const Run refused = pack("verify p.mcup --pubkey j.pub.pem --json");
    CHECK(refused.code == 4);
    CHECK(boost::json::parse(refused.out).at("error").at("code").as_string() == "key_unknown");
}

TEST_CASE("exit codes say what kind of failure it was", "[pack]") {
    const Ready pack;
    pack.good("keygen --out other.pem");
    Bytes cut = pack.file("p.mcup");
    cut.pop_back();
    REQUIRE(write_file(pack.folder / "cut.mcup", cut));
    Bytes damaged = pack.file("p.mcup");
    damaged[120] ^= 1;
    REQUIRE(write_file(pack.folder / "damaged.mcup", damaged));
    REQUIRE(write_file(pack.folder / "empty", {}));
    const std::size_t files_before = pack.files();

    struct Row {
        std::string arguments;
        int code;
    };
    const Row rows[] = {
        {"", 2},
        {"nonsense", 2},
        {"inspect", 2},
        {"inspect p.mcup --nonsense", 2},
        {"inspect p.mcup extra", 2},
        {"keygen", 2},
        {"keygen --out a.pem --from k.pem", 2},
        {"keygen --from k.pem", 2},
        {"keygen --type dsa --out a.pem", 2},
        {"keygen --from missing.pem --header h.hpp", 3},
        {"keygen --from app.bin --header h.hpp", 2},
        {"keygen --out missing/a.pem", 1},
        {"inspect missing.mcup", 3},
        {"inspect .", 1},
        {"inspect empty", 4},
        {"inspect cut.mcup", 4},
        {"inspect app.bin", 4},
        {"verify p.mcup", 2},
        {"verify p.mcup --pubkey missing.pem", 3},
        {"verify p.mcup --pubkey k.pem", 2},  // a private key
        {"verify p.mcup --pubkey other.pub.pem", 4},
        {"verify damaged.mcup --pubkey k.pub.pem", 4},
        {"apply missing.mcup --out a.bin", 3},
        {"apply cut.mcup --out a.bin", 4},
        {"apply p.mcup --out a.bin --hardware fan-1", 3},
        {"apply p.mcup --out missing/a.bin", 1},
        {"create --image app.bin --version 1 --hardware h --out a.mcup", 2},
        {"create --image missing --version 1 --hardware h --key k.pem --out a.mcup", 3},
        {"create --image empty --version 1 --hardware h --key k.pem --out a.mcup", 2},
        {"create --image . --version 1 --hardware h --key k.pem --out a.mcup", 1},
        {"create --image app.bin --version '1 2' --hardware h --key k.pem --out a.mcup", 2},
        {"create --image app.bin --version 1 --hardware h --key k.pub.pem --out a.mcup", 2},
        {"create --image app.bin --version 1 --hardware h --key missing.pem --out a.mcup", 3},
        {"create --image app.bin --version 1 --hardware h --key k.pem --out a.mcup --security-counter -1", 2},
        {"create --image app.bin --version 1 --hardware h --key k.pem --out a.mcup --security-counter "
         "4294967296",
         2},
        {"create --image app.bin --version 1 --hardware h --key k.pem --out a.mcup --load-address x", 2},
        {"create --image app.bin --version 1 --hardware h --key k.pem --out missing/a.mcup", 1},
    };
    for (const Row& row : rows) {
        const Run run = pack(row.arguments);
        INFO("mcuota-pack " << row.arguments << "\n" << run.err);
        CHECK(run.code == row.code);
        CHECK(run.out.empty());
        CHECK_FALSE(run.err.empty());
        CHECK(pack.files() == files_before);  // nothing half-done, no temporary file
    }
}

TEST_CASE("an image over 16 MiB is refused before it is read", "[pack]") {
    const Ready pack;
    REQUIRE(write_file(pack.folder / "big.bin", Bytes(1)));
    fs::resize_file(pack.folder / "big.bin", (16U << 20) + 1);
    CHECK(pack("create --image big.bin --version 1 --hardware h --key k.pem --out a.mcup").code == 4);
}

TEST_CASE("a key under a passphrase is refused, not asked for", "[pack]") {
    const Ready pack;
    const std::string line = "cd " + (pack.folder / "").string() +
                             " && openssl pkey -in k.pem -aes256 -passout pass:secret -out locked.pem";
    REQUIRE(std::system(line.c_str()) == 0);
    const Run run =
        pack("create --image app.bin --version 1 --hardware h --key locked.pem --out a.mcup </dev/null");
    CHECK(run.code == 2);
    CHECK(run.err.find("passphrase") != std::string::npos);
}

TEST_CASE("every command explains itself with an example", "[pack]") {
    const Pack pack;
    CHECK(pack.good("--version").rfind("mcuota-pack ", 0) == 0);
    CHECK(pack.good("--help").find("Example:") != std::string::npos);
    for (const std::string command : {"keygen", "create", "merge", "zip", "inspect", "verify", "apply",
                                      "diff", "patch", "extract", "rotate"})
        CHECK(pack.good(command + " --help").find("Example:\n  mcuota-pack " + command) != std::string::npos);
}

TEST_CASE("a closed or full standard output is a failure", "[pack]") {
    const Ready pack;
    CHECK(pack("inspect p.mcup >/dev/full").code == 1);
}

TEST_CASE("images that will hardly run are remarked on", "[pack]") {
    const Ready pack;
    Bytes runs(64);
    runs[0x04] = 0x11, runs[0x07] = 0x08, runs[0x06] = 0x02;  // reset vector 0x08020011
    REQUIRE(write_file(pack.folder / "app.bin", runs));
    CHECK(pack(kCreate).err.empty());
    CHECK(pack(kCreate + "--load-address 0x08040000").err.find("reset vector") != std::string::npos);
    REQUIRE(write_file(pack.folder / "app.bin", Bytes{0x7F, 'E', 'L', 'F', 0, 0, 0, 0}));
    const Run elf = pack(kCreate);
    CHECK(elf.code == 0);
    CHECK(elf.err.find("objcopy") != std::string::npos);
}
