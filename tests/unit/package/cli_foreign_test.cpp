// mcuota-pack with files of other schemes: LiteOS packages, AliOS Things images and packs, bare deltas.
#include <openssl/evp.h>

#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "mcu_loader/core/little_endian.hpp"
#include "mcu_loader/core/sha256.hpp"
#include "tests/unit/package/pack_run.hpp"

using boost::json::parse;
using mcuota::store_u16;
using mcuota::store_u32;
using mcuota::write_file;
using pack_test::Pack;
using samples::Bytes;

namespace {

void append(Bytes& out, const Bytes& more) {
    out.insert(out.end(), more.begin(), more.end());
}

Bytes md5(const Bytes& bytes) {
    Bytes out(16);
    REQUIRE(EVP_Digest(bytes.data(), bytes.size(), out.data(), nullptr, EVP_md5(), nullptr) == 1);
    return out;
}

/// Trailer of an AliOS Things image; the CRC is the image's CRC-16/XMODEM, of "123456789" it is 0x31C3.
Bytes trailer(const Bytes& image, std::uint32_t magic, std::uint16_t crc) {
    Bytes out(8);
    store_u32(out.data(), magic);
    store_u32(&out[4], static_cast<std::uint32_t>(image.size()));
    append(out, md5(image));
    append(out, {1, 0, static_cast<std::uint8_t>(crc & 0xFF), static_cast<std::uint8_t>(crc >> 8)});
    return out;
}

Bytes alios_pack(const std::vector<std::pair<std::string, Bytes>>& members) {
    Bytes out(8);
    for (const auto& [name, content] : members) {
        Bytes head(8);
        store_u32(head.data(), static_cast<std::uint32_t>(24 + name.size()));
        store_u32(&head[4], static_cast<std::uint32_t>(content.size()));
        append(out, head);
        append(out, md5(content));
        append(out, Bytes(name.begin(), name.end()));
        append(out, content);
    }
    store_u16(out.data(), static_cast<std::uint32_t>(members.size()));
    store_u16(&out[2], 2);
    store_u32(&out[4], static_cast<std::uint32_t>(out.size()));
    return out;
}

const Bytes kNine = {'1', '2', '3', '4', '5', '6', '7', '8', '9'};

struct Images : Pack {
    Images() {
        Bytes image = samples::image(8000);
        REQUIRE(write_file(folder / "old", image));
        image[4000] ^= 1;
        REQUIRE(write_file(folder / "new", image));
        REQUIRE(write_file(folder / "empty", {}));
    }
    void write(const std::string& name, const Bytes& bytes) const {
        REQUIRE(write_file(folder / name, bytes));
    }
};

}  // namespace

TEST_CASE("packages of the original scheme are written, explained and applied", "[pack][foreign]") {
    const Images pack;
    struct Row {
        const char* from;
        std::uint8_t kind;
    };
    for (const auto& [from, kind] : {Row{"old", 1}, Row{"empty", 0}}) {
        pack.good(std::string("diff ") + from + " new package --format hdiff13 --prefix");
        const Bytes package = pack.file("package");
        CHECK(package[0] == kind);
        CHECK(Bytes(package.begin() + 1, package.begin() + 32) == Bytes(31));
        CHECK(Bytes(package.begin() + 32, package.begin() + 40) ==
              Bytes({'H', 'D', 'I', 'F', 'F', '1', '3', '&'}));
        const auto applied = parse(pack.good(std::string("patch ") + from + " package again --json"));
        CHECK(applied.at("prefix").as_bool());
        CHECK((pack.file("again") == pack.file("new")));
        const auto told = parse(pack.good("inspect package --json"));
        CHECK(told.at("type").as_string() == "liteos");
        CHECK(told.at("kind").as_string() == (kind == 0 ? "full" : "delta"));
        CHECK_FALSE(told.at("signed").as_bool());
        CHECK(told.at("delta").at("new_bytes").as_int64() == 8000);
        CHECK(told.at("delta").at("old_bytes").as_int64() == (kind == 0 ? 0 : 8000));
        CHECK(told.at("delta").at("memory_bytes").as_int64() > 0);
        CHECK(pack.good("inspect package").find("LiteOS") != std::string::npos);
    }
    CHECK(pack("diff old new x --prefix").code == 2);
    CHECK_FALSE(pack.exists("x"));
}

TEST_CASE("the original scheme's signature is made and proven with RSA keys", "[pack][foreign]") {
    const Images pack;
    pack.good("keygen --type rsa-2048 --out r.pem");
    pack.good("keygen --type rsa-2048 --out other.pem");
    pack.good("keygen --out e.pem");
    pack.good("diff old new package --format hdiff13 --prefix --key r.pem");
    CHECK(parse(pack.good("inspect package --json")).at("signed").as_bool());
    pack.good("patch old package again");
    CHECK((pack.file("again") == pack.file("new")));
    pack.good("verify package --pubkey e.pub.pem --pubkey r.pub.pem");
    // As openssl sees it: 256 bytes over everything that follows.
    const std::string line =
        "cd " + (pack.folder / "").string() +
        " && head -c 256 package > s && tail -c +257 package > m && openssl dgst -sha256 "
        "-verify r.pub.pem -signature s m > /dev/null";
    CHECK(std::system(line.c_str()) == 0);
    CHECK(pack("verify package --pubkey other.pub.pem").code == 4);
    CHECK(pack("verify package --pubkey missing.pem").code == 3);
    Bytes changed = pack.file("package");
    changed[256] ^= 1;
    pack.write("changed", changed);
    CHECK(pack("verify changed --pubkey r.pub.pem").code == 4);
    pack.good("diff old new unsigned --format hdiff13 --prefix");
    CHECK(pack("verify unsigned --pubkey r.pub.pem").code == 4);
    CHECK(pack("diff old new x --format hdiff13 --prefix --key e.pem").code == 2);
    CHECK(pack("diff old new x --format hdiff13 --key r.pem").code == 2);
    CHECK_FALSE(pack.exists("x"));
    pack.good("extract package --out parts");
    CHECK(pack.file("parts/signature").size() == 256);
    pack.good("patch old parts/image.hdiff13 again");
    CHECK((pack.file("again") == pack.file("new")));
}

TEST_CASE("bare deltas are explained", "[pack][foreign]") {
    const Images pack;
    for (const std::string format : {"mcuota", "hdiffsf20", "hdiff13"}) {
        pack.good("diff old new delta --format " + format);
        const auto told = parse(pack.good("inspect delta --json")).at("delta");
        CHECK(told.at("format").as_string() == format);
        CHECK(told.at("old_bytes").as_int64() == 8000);
        CHECK(told.at("new_bytes").as_int64() == 8000);
        CHECK(told.at("memory_bytes").as_int64() > 0);
        CHECK(pack.good("inspect delta").find("an image of 8000 bytes") != std::string::npos);
        const Bytes whole = pack.file("delta");
        for (std::size_t size = 0; size < 24; ++size) {
            pack.write("cut", Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
            const int code = pack("inspect cut").code;
            CHECK((code == 0 || code == 4));
        }
    }
}

TEST_CASE("AliOS Things images are explained and their sums checked", "[pack][foreign]") {
    const Images pack;
    struct Row {
        std::uint32_t magic;
        const char* kind;
    };
    for (const auto& [magic, kind] :
         {Row{0xABABABAB, "application"}, Row{0xCDCDCDCD, "kernel"}, Row{0xEFEFEFEF, "whole image"},
          Row{0xEFCDEFCD, "attached MCU"}, Row{0xABCDABCD, "file system"}}) {
        Bytes file = kNine;
        append(file, trailer(kNine, magic, 0x31C3));
        pack.write("image", file);
        const auto told = parse(pack.good("inspect image --json"));
        CHECK(told.at("kind").as_string() == kind);
        CHECK(told.at("image_bytes").as_int64() == 9);
        CHECK(told.at("crc16_is_xmodem").as_bool());
    }
    pack.good("extract image --out parts");
    CHECK(pack.file("parts/image.bin") == kNine);
    CHECK(pack.good("inspect image").find("MD5               fits") != std::string::npos);

    Bytes other_crc = kNine;
    append(other_crc, trailer(kNine, 0xABABABAB, 1));
    pack.write("crc", other_crc);
    CHECK_FALSE(parse(pack.good("inspect crc --json")).at("crc16_is_xmodem").as_bool());

    Bytes damaged = kNine;
    append(damaged, trailer(kNine, 0xABABABAB, 0x31C3));
    damaged[3] ^= 1;
    pack.write("damaged", damaged);
    const auto run = pack("inspect damaged");
    CHECK(run.code == 4);
    CHECK(run.out.find("does not fit") != std::string::npos);
    CHECK(pack("extract damaged --out nothing").code == 4);
    CHECK_FALSE(pack.exists("nothing"));
    damaged[3] ^= 1;
    store_u32(&damaged[13], 0xFFFFFFFF);
    pack.write("damaged", damaged);
    CHECK(pack("inspect damaged").code == 4);
}

TEST_CASE("the signature block of an AliOS Things image is recognised", "[pack][foreign]") {
    const Images pack;
    for (const bool good : {true, false}) {
        Bytes block(392);
        store_u32(block.data(), 0xAABBCCDD);
        const auto digest = mcuota::sha256(kNine);
        std::copy(digest.begin(), digest.end(), block.begin() + 104);
        if (!good) block[104] ^= 1;
        Bytes file = kNine;
        append(file, block);
        append(file, trailer(kNine, 0xABABABAB, 0x31C3));
        pack.write("image", file);
        const auto run = pack("inspect image --json");
        CHECK(run.code == (good ? 0 : 4));
        CHECK(parse(run.out.substr(0, run.out.find('\n'))).at("signature").as_string() == "RSA");
    }
}

TEST_CASE("AliOS Things packs are listed, checked and taken apart", "[pack][foreign]") {
    const Images pack;
    pack.write("pack", alios_pack({{"app.bin", kNine},
                                   {"../../etc/evil", {1}},
                                   {"app.bin", {2}},
                                   {"..", {3}},
                                   {std::string("z\0\x1b", 3), {4}}}));
    const auto told = parse(pack.good("inspect pack --json"));
    CHECK(told.at("type").as_string() == "alios-pack");
    REQUIRE(told.at("members").as_array().size() == 5);
    CHECK(told.at("members").at(0).at("bytes").as_int64() == 9);
    CHECK(pack.good("inspect pack").find('\x1b') == std::string::npos);
    const std::size_t files = pack.files();
    pack.good("extract pack --out parts --json");
    CHECK(pack.files() == files + 1);
    CHECK(pack.file("parts/app.bin") == kNine);
    CHECK(pack.file("parts/evil") == Bytes{1});
    CHECK(pack.file("parts/3-app.bin") == Bytes{2});
    CHECK(pack.file("parts/file-4..") == Bytes{3});
    CHECK(pack.file("parts/z_") == Bytes{4});

    Bytes damaged = alios_pack({{"app.bin", kNine}});
    damaged.back() ^= 1;
    pack.write("damaged", damaged);
    CHECK(pack("inspect damaged").code == 4);
    CHECK(pack("extract damaged --out nothing").code == 4);
    CHECK_FALSE(pack.exists("nothing"));
    // Whatever does not lead exactly to the end is no pack.
    const Bytes whole = alios_pack({{"a", kNine}, {"b", {1, 2}}});
    for (std::size_t at = 0; at < 16; ++at) {
        Bytes changed = whole;
        changed[at] ^= 0x80;
        pack.write("changed", changed);
        const int code = pack("inspect changed").code;
        CHECK((code == 4 || (at >= 2 && at < 4)));  // bytes 2 and 3 are the version
    }
}

TEST_CASE("a package is taken apart for those who check it with openssl", "[pack][foreign]") {
    const pack_test::Ready pack;
    pack.good("zip p.mcup --out p.zip");
    const auto told = parse(pack.good("extract p.zip --out parts --json"));
    CHECK(told.at("files").as_array().size() == 4);
    CHECK(pack.file("parts/p.mcup") == pack.file("p.mcup"));
    CHECK(pack.file("parts/pump-3.signature").size() == 64);
    CHECK(pack.file("parts/pump-3.manifest").size() > 100);
    CHECK(pack("extract app.bin --out nothing").code == 4);
    CHECK(pack("extract p.mcup --out p.zip").code == 1);
    CHECK_FALSE(pack.exists("nothing"));
}
