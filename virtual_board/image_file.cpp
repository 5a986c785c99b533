// SPDX-License-Identifier: GPL-2.0-or-later
// Mapping files and reading ELF.

#include "virtual_board/image_file.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

namespace mcuota::board {
namespace {

[[nodiscard]] Failure system_failure(const std::string& what, const std::string& path) {
    return {what + " " + path + ": " + std::strerror(errno), "check the path and its permissions"};
}

struct Segment {
    std::uint32_t address;
    std::span<const std::uint8_t> bytes;
};

[[nodiscard]] Outcome<std::vector<Segment>> segments_of(const std::string& path,
                                                        std::span<const std::uint8_t> file) {
    std::vector<Segment> segments;
    if (file.size() < SELFMAG || std::memcmp(file.data(), ELFMAG, SELFMAG) != 0) {
        segments.push_back({kFlashBase, file});
        return segments;
    }
    Elf32_Ehdr header{};
    if (file.size() < sizeof header)
        return Failure{path + " is a truncated ELF file", "build the firmware again"};
    std::memcpy(&header, file.data(), sizeof header);
    if (header.e_ident[EI_CLASS] != ELFCLASS32 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_machine != EM_ARM || header.e_phentsize != sizeof(Elf32_Phdr))
        return Failure{path + " is not a 32-bit little-endian ARM program",
                       "load firmware built with arm-none-eabi-gcc"};
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        Elf32_Phdr program{};
        const std::uint64_t at = std::uint64_t{header.e_phoff} + std::uint64_t{i} * sizeof program;
        if (at + sizeof program > file.size())
            return Failure{path + " is a truncated ELF file", "build the firmware again"};
        std::memcpy(&program, file.data() + at, sizeof program);
        if (program.p_type != PT_LOAD || program.p_filesz == 0) continue;
        if (std::uint64_t{program.p_offset} + program.p_filesz > file.size())
            return Failure{path + " is a truncated ELF file", "build the firmware again"};
        segments.push_back({program.p_paddr, file.subspan(program.p_offset, program.p_filesz)});
    }
    return segments;
}

/// Takes the file for this process. A board that was killed a moment ago may still hold it while the kernel
/// tears it down, and flock() has no time-out: hence a short series of tries.
[[nodiscard]] bool lock(int fd) {
    for (int tries = 0; tries < 50; ++tries) {
        if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
        if (errno != EWOULDBLOCK && errno != EINTR) return false;
        ::usleep(20'000);
    }
    return false;
}

}  // namespace

Outcome<ImageFile> ImageFile::open(const std::string& path, std::size_t size_bytes, std::uint8_t fill) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return system_failure("cannot open", path);
    const auto fail = [fd](Failure failure) {
        ::close(fd);
        return failure;
    };
    if (!lock(fd)) return fail({path + " is in use by another board", "give each board its own image files"});
    struct stat info {};
    if (::fstat(fd, &info) != 0) return fail(system_failure("cannot examine", path));
    const bool fresh = info.st_size == 0;
    if (!fresh && static_cast<std::size_t>(info.st_size) != size_bytes)
        return fail(
            {path + " has " + std::to_string(info.st_size) + " bytes, needs " + std::to_string(size_bytes),
             "use the --part the image was made for, or remove the file to begin erased"});
    if (fresh && ::ftruncate(fd, static_cast<off_t>(size_bytes)) != 0)
        return fail(system_failure("cannot size", path));
    void* at = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return fail(system_failure("cannot map", path));
    if (fresh && fill != 0) std::memset(at, fill, size_bytes);
    return ImageFile(fd, static_cast<std::uint8_t*>(at), size_bytes, fresh);
}

ImageFile::ImageFile(ImageFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      bytes_(std::exchange(other.bytes_, nullptr)),
      size_bytes_(other.size_bytes_),
      created_(other.created_) {}

ImageFile::~ImageFile() {
    if (bytes_) ::munmap(bytes_, size_bytes_);
    if (fd_ >= 0) ::close(fd_);
}

std::optional<Failure> load_firmware(const std::string& path, const FlashGeometry& geometry,
                                     std::span<std::uint8_t> flash) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream) return system_failure("cannot read", path);
    const std::vector<std::uint8_t> file{std::istreambuf_iterator<char>(stream),
                                         std::istreambuf_iterator<char>()};
    if (file.empty()) return Failure{path + " is empty", "build the firmware again"};
    Outcome<std::vector<Segment>> segments = segments_of(path, file);
    if (!segments) return segments.failure();
    if (segments->empty())
        return Failure{path + " has nothing to load", "link the firmware for flash at 0x08000000"};
    for (const Segment& segment : *segments) {
        const std::uint64_t offset = std::uint64_t{segment.address} - kFlashBase;
        if (segment.address < kFlashBase || offset + segment.bytes.size() > flash.size())
            return Failure{path + " has a segment outside the flash",
                           "link the firmware for flash at 0x08000000"};
    }
    for (const Sector& sector : geometry.sectors()) {
        const bool covered = std::any_of(segments->begin(), segments->end(), [&](const Segment& segment) {
            return segment.address < sector.end() && segment.address + segment.bytes.size() > sector.begin;
        });
        if (covered)
            std::fill_n(flash.begin() + (sector.begin - kFlashBase), sector.size_bytes, std::uint8_t{0xFF});
    }
    for (const Segment& segment : *segments)
        std::copy(segment.bytes.begin(), segment.bytes.end(), flash.begin() + (segment.address - kFlashBase));
    return std::nullopt;
}

std::optional<std::uint32_t> symbol_address(const std::string& path, const std::string& name) {
    std::ifstream stream(path, std::ios::binary);
    const std::vector<std::uint8_t> file{std::istreambuf_iterator<char>(stream),
                                         std::istreambuf_iterator<char>()};
    const auto take = [&file](std::uint64_t at, auto& out) {
        if (at > file.size() || file.size() - at < sizeof out) return false;
        std::memcpy(&out, file.data() + at, sizeof out);
        return true;
    };
    Elf32_Ehdr header{};
    if (!take(0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_shentsize != sizeof(Elf32_Shdr))
        return std::nullopt;
    for (unsigned section = 0; section < header.e_shnum; ++section) {
        Elf32_Shdr symbols{};
        Elf32_Shdr names{};
        if (!take(header.e_shoff + std::uint64_t{section} * sizeof symbols, symbols)) return std::nullopt;
        if (symbols.sh_type != SHT_SYMTAB || symbols.sh_link >= header.e_shnum) continue;
        if (!take(header.e_shoff + std::uint64_t{symbols.sh_link} * sizeof names, names)) return std::nullopt;
        Elf32_Sym symbol{};
        for (std::uint64_t at = 0; at + sizeof symbol <= symbols.sh_size; at += sizeof symbol) {
            if (!take(symbols.sh_offset + at, symbol)) return std::nullopt;
            const std::uint64_t text = std::uint64_t{names.sh_offset} + symbol.st_name;
            if (text + name.size() + 1 > file.size()) continue;
            if (std::memcmp(file.data() + text, name.c_str(), name.size() + 1) == 0) return symbol.st_value;
        }
    }
    return std::nullopt;
}

}  // namespace mcuota::board
