// mcuota-pack with deltas, several packages and rotations, as a program.
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <random>
#include <string>

#include "mcu_flasher/package/artifact.hpp"
#include "tests/unit/package/pack_run.hpp"

using boost::json::parse;
using mcuota::write_file;
using pack_test::kCreate;
using pack_test::Pack;
using pack_test::Ready;
using samples::Bytes;

namespace {

Bytes noise(std::size_t size, unsigned seed = 4) {
    std::mt19937 random(seed);
    Bytes out(size);
    for (auto& byte : out)
        byte = static_cast<std::uint8_t>(random());
    return out;
}

/// Two versions of an image, a stranger, and a package with deltas.
struct Versions : Pack {
    Versions() {
        Bytes image = samples::image(30000);
        REQUIRE(write_file(folder / "old.bin", image));
        for (std::size_t at = 50; at < image.size(); at += 1500)
            image[at] ^= 0x55;
        image.insert(image.begin() + 9000, 40, 0x11);
        REQUIRE(write_file(folder / "app.bin", image));
        REQUIRE(write_file(folder / "stranger.bin", noise(9000)));
        good("keygen --out k.pem");
    }
};

}  // namespace

TEST_CASE("create tells the new image by each base that is worth it", "[pack]") {
    const Versions pack;
    const auto made =
        parse(pack.good(kCreate + "--base old.bin@1.9.0 --base stranger.bin --base app.bin --json"));
    REQUIRE(made.at("payloads").as_array().size() == 2);
    CHECK(made.at("payloads").at(0).at("base").is_null());
    CHECK(made.at("payloads").at(1).at("base").at("name").as_string() == "old.bin (1.9.0)");
    CHECK(made.at("payloads").at(1).at("memory_bytes").as_int64() > 0);
    REQUIRE(made.at("left_out").as_array().size() == 2);
    CHECK(made.at("left_out").at(0).at("reason").as_string().find("the full image") != std::string::npos);
    CHECK(made.at("left_out").at(1).at("reason").as_string() == "it is the new image itself");
    CHECK(made.at("load_address_source").as_string() == "assumed");

    const std::string told = pack.good(kCreate + "--base old.bin@1.9.0 --base stranger.bin");
    CHECK(told.find("from old.bin (1.9.0)") != std::string::npos);
    CHECK(told.find("left out   stranger.bin: the smallest delta takes") != std::string::npos);

    pack.good("apply p.mcup --base old.bin --out again.bin");
    CHECK((pack.file("again.bin") == pack.file("app.bin")));
    CHECK(pack("apply p.mcup --base stranger.bin --out x.bin").code == 4);
    CHECK(pack.good("verify p.mcup --pubkey k.pub.pem").find("to decode 1 delta, give the base") !=
          std::string::npos);
    const auto proven = parse(pack.good("verify p.mcup --pubkey k.pub.pem --base old.bin --json"));
    CHECK(proven.at("entries").at(0).at("payloads_decoded").as_int64() == 2);
    CHECK(proven.at("entries").at(0).at("deltas_without_base").as_int64() == 0);
}

TEST_CASE("inspect explains what a package updates from and what it takes", "[pack]") {
    const Versions pack;
    pack.good(kCreate +
              "--base old.bin --security-counter 3 --allow-downgrade-from 9 --requires 'fan-1>=1.2'");
    const auto entry = parse(pack.good("inspect p.mcup --json --base old.bin@1.9.0")).at("entries").at(0);
    CHECK(entry.at("allow_downgrade_from").as_int64() == 9);
    CHECK(entry.at("requires").at(0).at("name").as_string() == "fan-1");
    const auto& full = entry.at("payloads").at(0);
    const auto& delta = entry.at("payloads").at(1);
    CHECK(delta.at("base").at("name").as_string() == "old.bin (1.9.0)");
    CHECK(delta.at("saved_percent").as_double() > 50);
    for (const char* const baud : {"9600", "115200", "460800", "921600"}) {
        CHECK(delta.at("transfer_ms").at(baud).as_int64() < full.at("transfer_ms").at(baud).as_int64());
        CHECK(delta.at("update_ms").at(baud).as_int64() > delta.at("transfer_ms").at(baud).as_int64());
    }
    const std::string told = pack.good("inspect p.mcup");
    for (const char* const words : {"any image", "image ", "fan-1 at 1.2 or newer", "up to 9", "460800"})
        CHECK(told.find(words) != std::string::npos);
    CHECK(pack.good("inspect p.mcup --base old.bin@1.9.0").find("old.bin (1.9.0)") != std::string::npos);
}

TEST_CASE("a package without full image holds deltas only, or is refused", "[pack]") {
    const Versions pack;
    const auto made =
        parse(pack.good(kCreate + "--no-full --format hdiffsf20 --format hdiff13 --base old.bin --json"));
    CHECK(made.at("payloads").as_array().size() == 1);
    CHECK(made.at("payload").at("kind").as_string().starts_with("hdiff"));
    CHECK(pack("apply p.mcup --out x.bin").code == 4);
    pack.good("apply p.mcup --base old.bin --out again.bin");
    CHECK((pack.file("again.bin") == pack.file("app.bin")));
    const std::string other =
        "create --image app.bin --version 2 --hardware h --key k.pem --out none.mcup --no-full ";
    CHECK(pack(other).code == 2);
    CHECK(pack(other + "--base stranger.bin").code == 4);
    CHECK_FALSE(pack.exists("none.mcup"));
}

TEST_CASE("the same request gives the same manifest and payloads", "[pack]") {
    const Versions pack;
    pack.good("keygen --type rsa-2048 --out r.pem");
    const std::string line = "create --image app.bin --version 2 --hardware h --base old.bin ";
    // RSA signatures have no random part: the whole file is the same.
    pack.good(line + "--key r.pem --out 1.mcup");
    pack.good(line + "--key r.pem --out 2.mcup");
    CHECK((pack.file("1.mcup") == pack.file("2.mcup")));
}

TEST_CASE("any pair of files makes the round trip in every format", "[pack]") {
    const Pack pack;
    struct Row {
        const char* name;
        Bytes from, to;
    };
    Bytes odd = samples::image(50001);
    odd.erase(odd.begin() + 777);
    const Row rows[] = {
        {"both empty", {}, {}},
        {"from nothing", {}, samples::image(3000)},
        {"to nothing", samples::image(3000), {}},
        {"one byte", {1}, {2}},
        {"equal", samples::image(5000), samples::image(5000)},
        {"unrelated", noise(4000, 1), noise(5000, 2)},
        {"a byte less", samples::image(50001), odd},
    };
    for (const Row& row : rows) {
        REQUIRE(write_file(pack.folder / "old", row.from));
        REQUIRE(write_file(pack.folder / "new", row.to));
        for (const std::string format : {"mcuota", "hdiffsf20", "hdiff13"}) {
            INFO(row.name << ' ' << format);
            const auto made = parse(pack.good("diff old new delta --json --format " + format));
            CHECK(made.at("bytes").as_int64() == static_cast<std::int64_t>(pack.file("delta").size()));
            const auto applied = parse(pack.good("patch old delta again --json"));
            CHECK(applied.at("format").as_string() == format);
            CHECK((pack.file("again") == row.to));
            const Bytes once = pack.file("delta");
            pack.good("diff old new delta --format " + format);
            CHECK((pack.file("delta") == once));
        }
    }
}

TEST_CASE("a delta for another file or a damaged one is refused and writes nothing", "[pack]") {
    const Versions pack;
    pack.good("diff old.bin app.bin delta --load-address 0x08020000 --memory 60000");
    CHECK(pack("patch stranger.bin delta out").code == 4);
    Bytes cut = pack.file("delta");
    cut.pop_back();
    REQUIRE(write_file(pack.folder / "cut", cut));
    CHECK(pack("patch old.bin cut out").code == 4);
    CHECK(pack("patch old.bin app.bin out").code == 4);
    CHECK(pack("patch old.bin missing out").code == 3);
    CHECK(pack("diff old.bin app.bin x --memory 10").code == 4);
    CHECK(pack("diff old.bin app.bin x --format bsdiff").code == 2);
    CHECK(pack("diff old.bin app.bin missing/x").code == 1);
    CHECK_FALSE(pack.exists("out"));
    CHECK_FALSE(pack.exists("x"));
}

TEST_CASE("merge makes one upload for several hardware types", "[pack]") {
    const Ready pack;
    pack.good("create --image app.bin --version 1.0 --hardware fan-1 --key k.pem --out fan.mcup");
    pack.good("create --image app.bin --version 1.1 --hardware fan-1 --key k.pem --out fan2.mcup");
    const auto merged = parse(pack.good("merge p.mcup fan.mcup p.mcup --out all.mcup --json"));
    REQUIRE(merged.at("entries").as_array().size() == 2);
    CHECK(merged.at("entries").at(0).at("hardware").as_string() == "fan-1");
    pack.good("verify all.mcup --pubkey k.pub.pem");
    pack.good("apply all.mcup --hardware fan-1 --out again.bin");
    CHECK(pack("apply all.mcup --out again.bin").code == 2);
    CHECK(pack("merge all.mcup fan2.mcup --out x.mcup").code == 2);
    CHECK(pack("merge --out x.mcup").code == 2);
    CHECK(pack("merge app.bin --out x.mcup").code == 4);
    CHECK_FALSE(pack.exists("x.mcup"));
}

TEST_CASE("a zipped package reads like the package", "[pack]") {
    const Ready pack;
    CHECK(parse(pack.good("zip p.mcup --out p.zip --json")).at("member").as_string() == "p.mcup");
    const auto artifact = mcuota::package::read_artifact(pack.folder / "p.zip");
    REQUIRE(artifact);
    CHECK((artifact->package == pack.file("p.mcup")));
    pack.good("verify p.zip --pubkey k.pub.pem");
    pack.good("apply p.zip --out again.bin");
    CHECK(parse(pack.good("inspect p.zip --json")).at("member").as_string() == "p.mcup");
    const Bytes once = pack.file("p.zip");
    pack.good("zip p.mcup --out p.zip");
    CHECK((pack.file("p.zip") == once));
    CHECK(pack("zip app.bin --out x.zip").code == 4);
    CHECK(pack("zip p.zip --out x.zip").code == 4);  // not twice
}

TEST_CASE("rotate makes records that packages carry and verify proves", "[pack]") {
    const Ready pack;
    for (const char* const name : {"next", "next2", "next3"})
        pack.good("keygen --out " + std::string(name) + ".pem");
    const auto made =
        parse(pack.good("rotate --key next.pem --next next2.pub.pem --generation 1 --out 1.mcuk --json"));
    CHECK(made.at("generation").as_int64() == 1);
    pack.good("rotate --key next2.pem --next next3.pub.pem --generation 2 --out 2.mcuk");
    const std::string create = "create --image app.bin --version 1 --hardware h --out r.mcup ";
    pack.good(create + "--key next2.pem --rotation 2.mcuk --rotation 1.mcuk");
    const auto inspected = parse(pack.good("inspect r.mcup --json"));
    REQUIRE(inspected.at("rotations").as_array().size() == 2);
    CHECK(inspected.at("rotations").at(0).at("next").as_string() ==
          inspected.at("rotations").at(1).at("current").as_string());
    CHECK(pack.good("inspect r.mcup").find("key rotation to generation 2") != std::string::npos);
    CHECK(pack.good("verify r.mcup --pubkey next2.pub.pem").find("was not given") != std::string::npos);
    const auto proven = parse(pack.good("verify r.mcup --pubkey next2.pub.pem --pubkey next.pub.pem --json"));
    CHECK(proven.at("rotations").at("count").as_int64() == 2);
    CHECK(proven.at("rotations").at("first_by_given_key").as_bool());
    // The same generation made twice: each record is right, together they are not.
    pack.good("rotate --key k.pem --next next3.pub.pem --generation 2 --out other2.mcuk");
    CHECK(pack(create + "--key k.pem --rotation 1.mcuk --rotation other2.mcuk").code == 4);

    CHECK(pack(create + "--key k.pem --rotation 1.mcuk").code == 2);  // not the key it makes current
    CHECK(pack(create + "--key k.pem --rotation app.bin").code == 4);
    CHECK(pack(create + "--key k.pem --rotation none.mcuk").code == 3);
    CHECK(pack("rotate --key next.pem --next next2.pem --generation 1 --out x").code == 2);  // private
    CHECK(pack("rotate --key next.pem --next next.pub.pem --generation 1 --out x").code == 2);
    CHECK(pack("rotate --key next.pem --next next2.pub.pem --generation 9 --out x").code == 2);
    CHECK_FALSE(pack.exists("x"));
}
