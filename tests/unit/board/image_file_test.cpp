// Image files and firmware loading.

#include <elf.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/unit/board/temp_dir.hpp"
#include "virtual_board/image_file.hpp"

using namespace mcuota::board;
using mcuota::board::test::TempDir;

namespace {

void write(const std::string& path, const std::vector<std::uint8_t>& bytes) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

/// An ARM ELF file with one segment.
std::vector<std::uint8_t> elf(std::uint32_t address, const std::vector<std::uint8_t>& content) {
    Elf32_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS32;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_machine = EM_ARM;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf32_Phdr);
    header.e_phnum = 1;
    Elf32_Phdr program{};
    program.p_type = PT_LOAD;
    program.p_offset = sizeof header + sizeof program;
    program.p_paddr = address;
    program.p_filesz = static_cast<std::uint32_t>(content.size());
    std::vector<std::uint8_t> file(sizeof header + sizeof program + content.size());
    std::memcpy(file.data(), &header, sizeof header);
    std::memcpy(file.data() + sizeof header, &program, sizeof program);
    std::copy(content.begin(), content.end(), file.begin() + program.p_offset);
    return file;
}

}  // namespace

TEST_CASE("a missing image is created erased; what is written stays", "[board][image]") {
    TempDir dir;
    const std::string path = dir / "flash.img";
    {
        Outcome<ImageFile> image = ImageFile::open(path, 4096, 0xFF);
        REQUIRE(image);
        CHECK(image->created());
        CHECK(image->bytes()[4095] == 0xFF);
        image->bytes()[7] = 0x42;
    }
    Outcome<ImageFile> again = ImageFile::open(path, 4096, 0xFF);
    REQUIRE(again);
    CHECK_FALSE(again->created());
    CHECK(again->bytes()[7] == 0x42);
}

TEST_CASE("an image of another size or in use is refused with words", "[board][image]") {
    TempDir dir;
    const std::string path = dir / "flash.img";
    Outcome<ImageFile> first = ImageFile::open(path, 4096, 0xFF);
    REQUIRE(first);
    Outcome<ImageFile> second = ImageFile::open(path, 4096, 0xFF);
    REQUIRE_FALSE(second);
    CHECK(second.failure().what.find("in use") != std::string::npos);
    write(dir / "small.img", {1, 2, 3});
    Outcome<ImageFile> small = ImageFile::open(dir / "small.img", 4096, 0xFF);
    REQUIRE_FALSE(small);
    CHECK(small.failure().what.find("3 bytes") != std::string::npos);
    CHECK_FALSE(ImageFile::open(dir / "no/such/folder.img", 4096, 0xFF));
}

TEST_CASE("loading erases the sectors it covers and keeps the others", "[board][image]") {
    TempDir dir;
    const FlashGeometry geometry(Part::single_1mb);
    std::vector<std::uint8_t> flash(geometry.size_bytes(), 0x11);
    write(dir / "app.elf", elf(0x0800'4000, {1, 2, 3}));
    CHECK_FALSE(load_firmware(dir / "app.elf", geometry, flash).has_value());
    CHECK(flash[0x3FFF] == 0x11);
    CHECK(flash[0x4000] == 1);
    CHECK(flash[0x4002] == 3);
    CHECK(flash[0x4003] == 0xFF);
    CHECK(flash[0x7FFF] == 0xFF);
    CHECK(flash[0x8000] == 0x11);
    write(dir / "raw.bin", {9, 8});
    CHECK_FALSE(load_firmware(dir / "raw.bin", geometry, flash).has_value());
    CHECK(flash[0] == 9);
    CHECK(flash[0x4000] == 1);
}

TEST_CASE("files that are no firmware for this flash are refused and change nothing", "[board][image]") {
    TempDir dir;
    const FlashGeometry geometry(Part::single_1mb);
    std::vector<std::uint8_t> good = elf(0x0800'0000, {1, 2, 3, 4});
    std::vector<std::uint8_t> truncated(good.begin(), good.end() - 2);
    std::vector<std::uint8_t> header_only(good.begin(), good.begin() + 60);
    std::vector<std::uint8_t> tiny(good.begin(), good.begin() + 10);
    std::vector<std::uint8_t> x86 = good;
    x86[18] = EM_386;
    struct Row {
        const char* name;
        std::vector<std::uint8_t> file;
    };
    const Row row = GENERATE_COPY(
        Row{"empty", {}}, Row{"truncated content", truncated}, Row{"truncated headers", header_only},
        Row{"truncated at the start", tiny}, Row{"another machine", x86},
        Row{"RAM segment", elf(0x2000'0000, {1})}, Row{"before the flash", elf(0x07FF'FFFF, {1, 2})},
        Row{"across the end", elf(0x080F'FFFF, {1, 2})}, Row{"nothing to load", elf(0x0800'0000, {})},
        Row{"a binary too large", std::vector<std::uint8_t>((1u << 20) + 1)});
    CAPTURE(row.name);
    std::vector<std::uint8_t> flash(geometry.size_bytes(), 0x11);
    write(dir / "file", row.file);
    CHECK(load_firmware(dir / "file", geometry, flash).has_value());
    CHECK(std::count(flash.begin(), flash.end(), 0x11) == static_cast<std::ptrdiff_t>(flash.size()));
    CHECK(load_firmware(dir / "missing", geometry, flash).has_value());
}
