// The container has one valid form; every other file is refused with a reason and a next step.
#include <catch2/catch.hpp>
#include <filesystem>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/package/package.hpp"
#include "mcu_loader/core/little_endian.hpp"
#include "tests/unit/package/samples.hpp"

using namespace mcuota;
using namespace mcuota::package;

namespace {

/// Whatever is refused says what happened and what helps.
void check_refused(const Result<Package>& result, ErrorCode code) {
    REQUIRE_FALSE(result);
    CHECK(result.error().code == code);
    CHECK_FALSE(result.error().what.empty());
    CHECK_FALSE(result.error().next.empty());
}

Bytes small_file() {
    return *serialize(samples::package(samples::image(40)));
}

/// Container bytes from entries as they are, without serialize()'s sorting and checks.
Bytes glue(const std::vector<Entry>& entries) {
    Bytes out = small_file();
    out.resize(16);
    for (const Entry& entry : entries) {
        Bytes head(4);
        store_u16(head.data(), static_cast<std::uint32_t>(entry.manifest_bytes.size()));
        store_u16(&head[2], static_cast<std::uint32_t>(entry.signature.size()));
        for (const Bytes& part : {head, entry.manifest_bytes, entry.signature})
            out.insert(out.end(), part.begin(), part.end());
        for (const Bytes& payload : entry.payloads)
            out.insert(out.end(), payload.begin(), payload.end());
    }
    store_u16(&out[10], static_cast<std::uint32_t>(entries.size()));
    store_u32(&out[12], static_cast<std::uint32_t>(out.size()));
    return out;
}

}  // namespace

TEST_CASE("a package survives writing and reading", "[package]") {
    Package before = samples::package(samples::image(3000), "pump-3");
    before.entries.push_back(samples::package(samples::image(500, 2), "fan-1").entries[0]);
    const auto bytes = serialize(before);
    REQUIRE(bytes);
    const auto after = parse(*bytes);
    REQUIRE(after);
    REQUIRE(after->entries.size() == 2);
    CHECK(after->entries[0].manifest.hardware.view() == "fan-1");  // sorted
    REQUIRE(after->find("pump-3") != nullptr);
    CHECK(after->find("pump-3")->payloads == before.entries[0].payloads);
    CHECK(after->find("pump-3")->manifest_bytes == before.entries[0].manifest_bytes);
    CHECK(after->find("pump-4") == nullptr);
    CHECK(*serialize(*after) == *bytes);
    for (const Entry& entry : after->entries)
        CHECK(samples::keyring().verify(entry));
}

TEST_CASE("a package cut at any byte is called truncated", "[package]") {
    const Bytes file = small_file();
    for (std::size_t size = 0; size < file.size(); ++size)
        check_refused(parse(std::span(file).first(size)), ErrorCode::package_truncated);
}

TEST_CASE("a cut package is refused even when its size field agrees", "[package]") {
    const Bytes file = small_file();
    for (std::size_t size = 16; size < file.size(); ++size) {
        Bytes cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
        store_u32(&cut[12], static_cast<std::uint32_t>(size));
        check_refused(parse(cut), ErrorCode::package_malformed);
    }
}

TEST_CASE("no single changed byte goes unnoticed", "[package]") {
    const Bytes file = small_file();
    const Keyring keys = samples::keyring();
    for (std::size_t at = 0; at < file.size(); ++at) {
        for (const unsigned flip : {0x01U, 0x80U, 0xFFU}) {
            Bytes changed = file;
            changed[at] ^= static_cast<std::uint8_t>(flip);
            const auto package = parse(changed);
            INFO("byte " << at << " flipped with " << flip);
            // Either the form is broken, or the signature is.
            REQUIRE((!package || !keys.verify(package->entries[0])));
        }
    }
}

TEST_CASE("malformed containers are refused", "[package]") {
    struct Row {
        const char* name;
        void (*spoil)(Bytes&);
        ErrorCode code;
    };
    const Row rows[] = {
        {"trailing byte", [](Bytes& b) { b.push_back(0); }, ErrorCode::package_malformed},
        {"trailing byte, counted",
         [](Bytes& b) {
             b.push_back(0);
             store_u32(&b[12], static_cast<std::uint32_t>(b.size()));
         },
         ErrorCode::package_malformed},
        {"other magic", [](Bytes& b) { b[0] = 'Z'; }, ErrorCode::package_malformed},
        {"CR LF made LF", [](Bytes& b) { b.erase(b.begin() + 4); }, ErrorCode::package_malformed},
        {"container version 2", [](Bytes& b) { b[8] = 2; }, ErrorCode::package_malformed},
        {"no entries", [](Bytes& b) { b[10] = 0; }, ErrorCode::package_malformed},
        {"seventeen entries", [](Bytes& b) { b[10] = 17; }, ErrorCode::package_malformed},
        {"one entry more than there is", [](Bytes& b) { b[10] = 2; }, ErrorCode::package_malformed},
        {"size of 4 GiB", [](Bytes& b) { store_u32(&b[12], 0xFFFFFFFF); }, ErrorCode::package_truncated},
        {"size smaller than the head", [](Bytes& b) { store_u32(&b[12], 3); }, ErrorCode::package_malformed},
        {"manifest of 65535 bytes", [](Bytes& b) { store_u16(&b[16], 0xFFFF); },
         ErrorCode::package_malformed},
        {"manifest of no bytes", [](Bytes& b) { store_u16(&b[16], 0); }, ErrorCode::package_malformed},
        {"signature of 65535 bytes", [](Bytes& b) { store_u16(&b[18], 0xFFFF); },
         ErrorCode::package_malformed},
        {"signature of 63 bytes", [](Bytes& b) { store_u16(&b[18], 63); }, ErrorCode::package_malformed},
    };
    for (const Row& row : rows) {
        Bytes file = small_file();
        row.spoil(file);
        INFO(row.name);
        check_refused(parse(file), row.code);
    }
    check_refused(parse(Bytes(100, 0)), ErrorCode::package_malformed);
    check_refused(parse(Bytes(100, 'M')), ErrorCode::package_malformed);
}

TEST_CASE("an unsigned entry is refused", "[package]") {
    Package package = samples::package(samples::image(40));
    package.entries[0].signature.clear();
    const auto result = parse(glue(package.entries));
    check_refused(result, ErrorCode::package_malformed);
    CHECK(result.error().what.find("not signed") != std::string::npos);
    CHECK_FALSE(serialize(package));
}

TEST_CASE("two entries for one hardware, or entries out of order, are refused", "[package]") {
    const Entry a = samples::package(samples::image(40), "a").entries[0];
    const Entry b = samples::package(samples::image(40), "b").entries[0];
    CHECK(parse(glue({a, b})));
    check_refused(parse(glue({b, a})), ErrorCode::package_malformed);
    check_refused(parse(glue({a, a})), ErrorCode::package_malformed);
    CHECK_FALSE(serialize(Package{{a, a}}));
    CHECK_FALSE(serialize(Package{}));
}

TEST_CASE("a corrupted payload byte is noticed", "[package]") {
    Bytes file = *serialize(samples::package(samples::image(2000)));
    file.back() ^= 1;
    check_refused(parse(file), ErrorCode::payload_mismatch);
}

TEST_CASE("sizes a hostile manifest may announce are refused, not allocated", "[package]") {
    Package package = samples::package(samples::image(40));
    Entry& entry = package.entries[0];
    entry.manifest.payloads[0].size_bytes = 0xFFFFFFFF;
    samples::sign_again(entry);
    check_refused(parse(glue(package.entries)), ErrorCode::package_malformed);

    package = samples::package(samples::image(40));
    package.entries[0].manifest.image_size_bytes = 0xFFFFFFFF;
    samples::sign_again(package.entries[0]);
    const auto image = decode_image(package.entries[0], 0);
    REQUIRE_FALSE(image);
    CHECK(image.error().code == ErrorCode::image_too_large);
}

TEST_CASE("files that cannot be a package are refused before they are read", "[package]") {
    const samples::Folder folder;
    check_refused(read(folder / "missing.mcup"), ErrorCode::not_found);
    check_refused(read(folder / ""), ErrorCode::file_unreadable);  // the folder itself
    check_refused(read("/dev/zero"), ErrorCode::file_unreadable);

    REQUIRE(write_file(folder / "empty.mcup", {}));
    check_refused(read(folder / "empty.mcup"), ErrorCode::package_truncated);

    const Bytes good = small_file();
    REQUIRE(write_file(folder / "good.mcup", good));
    CHECK(read(folder / "good.mcup"));
    CHECK(read(folder / "good.mcup", Limits{good.size()}));
    check_refused(read(folder / "good.mcup", Limits{good.size() - 1}), ErrorCode::package_oversized);

    // A file system object of a terabyte costs nothing: it is never read.
    REQUIRE(write_file(folder / "huge.mcup", good));
    std::filesystem::resize_file(folder / "huge.mcup", 1ULL << 40);
    check_refused(read(folder / "huge.mcup"), ErrorCode::package_oversized);

    if (::geteuid() != 0) {
        REQUIRE(write_file(folder / "secret.mcup", good, 0));
        check_refused(read(folder / "secret.mcup"), ErrorCode::file_unreadable);
    }
}
