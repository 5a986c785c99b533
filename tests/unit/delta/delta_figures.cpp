// Deltas and full payloads in figures, for scripts/bench:
//   delta_figures OLD NEW              makes all of them; size, seconds and decoder memory as JSON lines
//   delta_figures OLD NEW FORMAT OUT   makes one and writes it (FORMAT also full: OLD is not looked at)
//   delta_figures OLD DELTA OUT        applies a delta

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "mcu_flasher/package/delta/delta.hpp"
#include "mcu_flasher/package/encode_full.hpp"
#include "mcu_flasher/package/package.hpp"

namespace {

std::vector<std::uint8_t> read_all(const char* path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_all(const char* path, const std::vector<std::uint8_t>& bytes) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void print(std::string_view format, std::string_view kind, std::size_t bytes, std::uint32_t memory_bytes,
           double seconds) {
    std::printf(R"({"format":"%s","kind":"%s","bytes":%zu,"memory_bytes":%u,"seconds":%.3f})"
                "\n",
                std::string(format).c_str(), std::string(kind).c_str(), bytes, memory_bytes, seconds);
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
    const std::string_view only = argc == 5 ? argv[3] : "";
    for (const Format format : {Format::relocated, Format::hdiffsf20, Format::hdiff13}) {
        if (!only.empty() && only != to_string(format)) continue;
        const auto begin = std::chrono::steady_clock::now();
        const auto delta = encode(format, old_image, new_image);
        if (!delta) {
            std::fprintf(stderr, "%s\n", delta.error().line().c_str());
            return 1;
        }
        print(to_string(format), to_string(format), delta->bytes.size(), delta->memory_bytes,
              seconds_since(begin));
        if (argc == 5) write_all(argv[4], delta->bytes);
    }
    if (only.empty() || only == "full") {
        const auto begin = std::chrono::steady_clock::now();
        const auto full = mcuota::package::encode_full(new_image);
        if (!full) {
            std::fprintf(stderr, "%s\n", full.error().line().c_str());
            return 1;
        }
        print("full", mcuota::package::to_string(full->kind), full->bytes.size(), full->memory_bytes,
              seconds_since(begin));
        if (argc == 5) write_all(argv[4], full->bytes);
    }
    return 0;
}
