// Unpacks an `.lzma` file with the loader's own LZMA decoder, so that any other tool's files can be tried on
// it.

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string_view>

#include "mcu_flasher/base/file.hpp"
#include "tests/tools/lzma_file.hpp"

namespace {

constexpr std::uint64_t kFileBytesMax = 1U << 30;

int usage(bool asked) {
    (asked ? std::cout : std::cerr)
        << "usage: lzma_decode [--memory BYTES] IN OUT\n"
           "Unpacks the .lzma file IN into OUT with the loader's decoder. --memory: most it may take for\n"
           "tables and dictionary (default 256 MiB). Exit code 1: IN is damaged or exceeds a limit.\n";
    return asked ? 0 : 2;
}

int fail(std::string_view what) {
    std::cerr << "lzma_decode: " << what << '\n';
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    mcuota::vectors::LzmaLimits limits;
    if (argc == 2 && std::string_view(argv[1]) == "--help") return usage(true);
    if (argc == 5 && std::string_view(argv[1]) == "--memory") {
        char* end = nullptr;
        errno = 0;
        limits.memory_bytes = std::strtoull(argv[2], &end, 10);
        if (errno != 0 || end == argv[2] || *end != '\0') return usage(false);
        argv += 2;
        argc -= 2;
    }
    if (argc != 3) return usage(false);
    const auto file = mcuota::read_file(argv[1], kFileBytesMax);
    if (!file) return fail(file.error().line());
    std::ofstream out(argv[2], std::ios::binary | std::ios::trunc);
    if (!out) return fail(std::string(argv[2]) + " cannot be written: " + std::strerror(errno));
    std::string complaint =
        mcuota::vectors::decode_lzma_file(*file, limits, [&out](std::span<const std::uint8_t> piece) {
            out.write(reinterpret_cast<const char*>(piece.data()),
                      static_cast<std::streamsize>(piece.size()));
            return out.good();
        });
    out.close();
    if (complaint.empty() && !out) complaint = "the output could not be written";
    if (complaint.empty()) return 0;
    static_cast<void>(std::remove(argv[2]));  // nobody shall take half a file for a whole one
    return fail(std::string(argv[1]) + ": " + complaint);
}
