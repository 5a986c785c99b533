// A package may come in a zip; no zip from outside costs more than its limits or is read in two ways.
#include <archive.h>
#include <archive_entry.h>

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/package/artifact.hpp"
#include "mcu_flasher/package/zip_writer.hpp"
#include "mcu_loader/core/little_endian.hpp"
#include "tests/unit/package/samples.hpp"

using namespace mcuota;
using namespace mcuota::package;

namespace {

struct Member {
    std::string name;
    Bytes content;
    unsigned type = AE_IFREG;
};

/// A zip as tools make it, deflated.
Bytes zip(const std::vector<Member>& members, const char* options = "compression=deflate",
          const char* passphrase = nullptr) {
    archive* const out = archive_write_new();
    Bytes room(8U << 20);
    std::size_t size = 0;
    REQUIRE(archive_write_set_format_zip(out) == ARCHIVE_OK);
    REQUIRE(archive_write_set_options(out, options) == ARCHIVE_OK);
    if (passphrase != nullptr) REQUIRE(archive_write_set_passphrase(out, passphrase) == ARCHIVE_OK);
    archive_write_set_bytes_in_last_block(out, 1);
    REQUIRE(archive_write_open_memory(out, room.data(), room.size(), &size) == ARCHIVE_OK);
    for (const Member& member : members) {
        archive_entry* const entry = archive_entry_new();
        archive_entry_set_pathname(entry, member.name.c_str());
        archive_entry_set_filetype(entry, member.type);
        archive_entry_set_perm(entry, 0644);
        if (member.type == AE_IFLNK) archive_entry_set_symlink(entry, "/etc/passwd");
        archive_entry_set_size(entry, static_cast<la_int64_t>(member.content.size()));
        REQUIRE(archive_write_header(out, entry) == ARCHIVE_OK);
        if (!member.content.empty())
            REQUIRE(archive_write_data(out, member.content.data(), member.content.size()) ==
                    static_cast<la_ssize_t>(member.content.size()));
        archive_entry_free(entry);
    }
    REQUIRE(archive_write_close(out) == ARCHIVE_OK);
    archive_write_free(out);
    room.resize(size);
    return room;
}

Bytes mcup() {
    static const Bytes bytes = *serialize(samples::package(samples::image(3000)));
    return bytes;
}

void check_refused(const Result<Artifact>& result, ErrorCode code, const std::string& words) {
    INFO(words);
    REQUIRE_FALSE(result);
    INFO(result.error().line());
    CHECK(result.error().code == code);
    CHECK(result.error().what.find(words) != std::string::npos);
    CHECK_FALSE(result.error().next.empty());
}

}  // namespace

TEST_CASE("a package comes out of a zip as it went in", "[artifact]") {
    const Bytes package = mcup();
    const std::vector<Bytes> zips = {
        *zip_of("p.mcup", package),
        zip({{"p.mcup", package}}),
        zip({{"p.mcup", package}}, "compression=store"),
        zip({{"a/b/../c/p.bin", package}}),
        zip({{"folder/", {}, AE_IFDIR}, {"folder/p.mcup", package}}),
        zip({{"META-INF/MANIFEST.MF", {1}},
             {"p.mcup", package},
             {"x/meta.txt", {1}},
             {"a.CER", {1}},
             {"a.cms", {1}},
             {"a.p7s", {1}},
             {"p.mcup.sig", {1}},
             {"UpgradeDesc.json", {1}}}),
    };
    for (std::size_t i = 0; i < zips.size(); ++i) {
        INFO("zip " << i);
        const auto artifact = unwrap_artifact(zips[i]);
        REQUIRE(artifact);
        CHECK((artifact->package == package));
        CHECK_FALSE(artifact->member.empty());
    }
    const auto plain = unwrap_artifact(package);
    REQUIRE(plain);
    CHECK((plain->package == package));
    CHECK(plain->member.empty());
}

TEST_CASE("zips without exactly one package are refused in words", "[artifact]") {
    const Bytes package = mcup();
    const auto malformed = ErrorCode::package_malformed;
    check_refused(unwrap_artifact(zip({})), malformed, "no package");
    check_refused(unwrap_artifact(zip({{"readme.json", {1}}})), malformed, "no package");
    check_refused(unwrap_artifact(zip({{"a.mcup", package}, {"b.mcup", package}})), malformed, "exactly one");
    check_refused(unwrap_artifact(zip({{"a.mcup", package}, {"b.txt", {1}}})), malformed, "exactly one");
    check_refused(unwrap_artifact(zip({{"a.mcup", {}}})), malformed, "no .mcup");
    check_refused(unwrap_artifact(zip({{"a.bin", samples::image(100)}})), malformed, "no .mcup");
    check_refused(unwrap_artifact(zip({{"a.mcup", {}, AE_IFLNK}})), malformed, "is no file");
    check_refused(unwrap_artifact(zip({{"a\x1b[2J.bin", {1}}})), malformed, "a?[2J.bin");
    check_refused(unwrap_artifact(zip({{"a.mcup", package}}, "encryption=zipcrypt", "secret")), malformed,
                  "encrypted");
}

TEST_CASE("a zip bomb stops at the limit", "[artifact]") {
    Bytes zeros(6U << 20);
    std::copy_n(mcup().begin(), 16, zeros.begin());
    const Bytes bomb = zip({{"a.mcup", zeros}});
    CHECK(bomb.size() < 20000);
    ArtifactLimits limits;
    limits.package_bytes_max = 1U << 20;
    check_refused(unwrap_artifact(bomb, limits), ErrorCode::package_oversized, "unpacks to more than");
    limits.package_bytes_max = zeros.size();
    CHECK(unwrap_artifact(bomb, limits));
    limits.package_bytes_max = zeros.size() - 1;
    check_refused(unwrap_artifact(bomb, limits), ErrorCode::package_oversized, "unpacks to more than");
    // The one beside the package is never unpacked.
    limits.package_bytes_max = mcup().size();
    CHECK(unwrap_artifact(zip({{"META-INF/bomb", zeros}, {"a.mcup", mcup()}}), limits));
}

TEST_CASE("a zip of too many entries is refused, whatever it announces", "[artifact]") {
    std::vector<Member> members(65, {"a.json", {}});
    check_refused(unwrap_artifact(zip(members)), ErrorCode::package_malformed, "more than the 64 entries");
    Bytes liar = zip(members);
    store_u16(&liar[liar.size() - 22 + 10], 1);
    check_refused(unwrap_artifact(liar), ErrorCode::package_malformed, "damaged");
    members.resize(63);
    members.push_back({"p.mcup", mcup()});
    CHECK(unwrap_artifact(zip(members)));
}

TEST_CASE("a zip cut or changed anywhere never crashes and never yields other bytes", "[artifact]") {
    const Bytes whole = zip({{"a.cer", {1, 2, 3}}, {"p.mcup", mcup()}});
    for (std::size_t size = 4; size < whole.size(); ++size)
        CHECK_FALSE(unwrap_artifact(std::span(whole).first(size)));
    for (std::size_t at = 4; at < whole.size(); ++at) {
        for (const unsigned flip : {0x01U, 0x80U, 0xFFU}) {
            Bytes changed = whole;
            changed[at] ^= static_cast<std::uint8_t>(flip);
            const auto artifact = unwrap_artifact(changed);
            INFO("byte " << at);
            REQUIRE((!artifact || artifact->package == mcup()));
        }
    }
}

TEST_CASE("an artifact opens as a package, or its error names the file", "[artifact]") {
    const samples::Folder folder;
    REQUIRE(write_file(folder / "p.mcup", mcup()));
    REQUIRE(write_file(folder / "p.zip", *zip_of("inner.mcup", mcup())));
    CHECK(open_artifact(folder / "p.mcup")->entries.size() == 1);
    CHECK(open_artifact(folder / "p.zip")->entries.size() == 1);
    Bytes damaged = mcup();
    damaged.back() ^= 1;
    REQUIRE(write_file(folder / "damaged.zip", *zip_of("inner.mcup", damaged)));
    const auto refused = open_artifact(folder / "damaged.zip");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::payload_mismatch);
    CHECK(refused.error().what.find("damaged.zip (inner.mcup)") != std::string::npos);
    CHECK(open_artifact(folder / "missing").error().code == ErrorCode::not_found);
    REQUIRE(write_file(folder / "text", Bytes{'h', 'i'}));
    CHECK(open_artifact(folder / "text").error().code == ErrorCode::package_malformed);
    ArtifactLimits limits;
    limits.file_bytes_max = 100;
    CHECK(open_artifact(folder / "p.zip", limits).error().code == ErrorCode::package_oversized);
}

TEST_CASE("zipping the same package twice gives the same bytes in every time zone", "[artifact]") {
    const auto in_zone = [](const char* zone) {
        REQUIRE(::setenv("TZ", zone, 1) == 0);
        ::tzset();
        return *zip_of("p.mcup", mcup());
    };
    const Bytes utc = in_zone("UTC");
    CHECK((in_zone("Asia/Shanghai") == utc));
    CHECK((in_zone("America/Anchorage") == utc));
    ::unsetenv("TZ");
    ::tzset();
}
