// The fuzz targets without a fuzzer: seeds, every input that ever broke something, and plain damage.

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "tests/fuzz/targets.hpp"

namespace mcuota::fuzz {
namespace {

std::vector<Bytes> regressions(std::string_view target) {
    const auto folder = std::filesystem::path(MCUOTA_SOURCE_DIR) / "tests/fuzz/regressions" / target;
    std::vector<Bytes> out;
    if (!std::filesystem::is_directory(folder)) return out;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        std::ifstream file(entry.path(), std::ios::binary);
        out.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    return out;
}

/// A few bytes changed, removed, or doubled.
Bytes damaged(Bytes bytes, std::mt19937& random) {
    for (auto n = 1 + random() % 3; n > 0 && !bytes.empty(); --n) {
        // Half of the hits go where the structure is: the head.
        const std::size_t at =
            random() % (random() % 2 == 0 ? bytes.size() : std::min<std::size_t>(32, bytes.size()));
        const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
        switch (random() % 4) {
            case 0:
                *place = static_cast<std::uint8_t>(random());
                break;
            case 1:
                *place = random() % 2 == 0 ? 0x00 : 0xFF;
                break;
            case 2:
                bytes.erase(place, bytes.begin() + static_cast<std::ptrdiff_t>(
                                                       std::min(bytes.size(), at + 1 + random() % 8)));
                break;
            default:
                bytes.insert(place, *place);
                break;
        }
    }
    return bytes;
}

/// Runs a target on its seeds, on regressions and, each of them `damages` times, on damaged ones.
void run_all(const Target& target, unsigned damages) {
    std::vector<Bytes> inputs = target.seeds();
    REQUIRE_FALSE(inputs.empty());
    for (const Bytes& input : regressions(target.name))
        inputs.push_back(input);
    inputs.emplace_back();
    std::mt19937 random(1);
    for (const Bytes& input : inputs) {
        target.run(input);
        for (unsigned n = 0; n < damages; ++n)
            target.run(damaged(input, random));
    }
    SUCCEED("a broken promise would have ended the program");
}

}  // namespace

TEST_CASE("every target runs on its seeds, on regressions and on damaged seeds", "[fuzz]") {
    for (const Target& target : targets())
        SECTION(std::string(target.name)) {
            run_all(target, 60);
        }
}

TEST_CASE("decoders run on whole and damaged payloads", "[.][valgrind]") {
    for (const std::string_view name : {"hdiffsf20", "hdiff13", "relocated", "lzma", "manifest", "container"})
        run_all(*find(name), 8);
}

TEST_CASE("regression inputs belong to a target", "[fuzz]") {
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(MCUOTA_SOURCE_DIR) /
                                                                 "tests/fuzz/regressions"))
        if (entry.is_directory()) CHECK(find(entry.path().filename().string()) != nullptr);
}

}  // namespace mcuota::fuzz
