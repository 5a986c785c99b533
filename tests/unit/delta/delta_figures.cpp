// Deltas in figures, for scripts/bench:
//   delta_figures OLD NEW             makes all three formats; prints size, seconds and decoder memory as
//   JSON lines delta_figures OLD NEW FORMAT OUT  makes one and writes it delta_figures OLD DELTA OUT applies
//   one

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "mcu_flasher/package/delta/delta.hpp"

namespace {

std::vector<std::uint8_t> read_all(const char* path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_all(const char* path, const std::vector<std::uint8_t>& bytes) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

int main(int argc, char** argv) {
    using namespace mcuota::delta;
    if (argc < 3 || argc > 5) return 2;
    const auto old_image = read_all(argv[1]), new_image = read_all(argv[2]);
    if (argc == 4) {
        const auto image = decode(old_image, new_image);
        if (image) write_all(argv[3], *image);
        return image ? 0 : 1;
    }
    for (const Format format : {Format::relocated, Format::hdiffsf20, Format::hdiff13}) {
        if (argc == 5 && format_from_string(argv[3]) != format) continue;
        const auto begin = std::chrono::steady_clock::now();
        const auto delta = encode(format, old_image, new_image);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        if (!delta) {
            std::fprintf(stderr, "%s\n", delta.error().line().c_str());
            return 1;
        }
        std::printf(R"({"format":"%.*s","bytes":%zu,"memory_bytes":%u,"seconds":%.3f})"
                    "\n",
                    static_cast<int>(to_string(format).size()), to_string(format).data(), delta->bytes.size(),
                    delta->memory_bytes, took.count());
        if (argc == 5) write_all(argv[4], delta->bytes);
    }
    return 0;
}
