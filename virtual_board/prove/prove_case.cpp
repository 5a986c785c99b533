// SPDX-License-Identifier: GPL-2.0-or-later
// Reading the files of a proof.

#include "virtual_board/prove/prove_case.hpp"

#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "virtual_board/image_file.hpp"

namespace mcuota::board {
namespace {

Outcome<Bytes> load(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    Bytes bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (!file.good() && !file.eof())
        return Failure{"cannot read " + path, "check the path and its permissions"};
    if (bytes.empty()) return Failure{path + " is missing or empty", "check the folder given with --case"};
    return bytes;
}

}  // namespace

Outcome<Case> load_case(const ProveOptions& options, bool wrong, bool rotates) {
    Case out;
    out.loader.assign(FlashGeometry(options.part).size_bytes(), 0xFF);
    if (const auto failure = load_firmware(options.loader, FlashGeometry(options.part), out.loader))
        return *failure;
    constexpr std::array<const char*, 3> kNames{"old", "new", "next"};
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        Outcome<Bytes> image = load(options.folder + "/" + kNames[i] + ".bin");
        if (!image) return image.failure();
        out.images[i] = std::move(*image);
        Outcome<Bytes> envelope = load(options.folder + "/" + kNames[i] + ".mce");
        if (!envelope) return envelope.failure();
        out.envelopes[i] = std::move(*envelope);
    }
    std::vector<std::pair<std::string, Bytes*>> more;
    if (wrong) more.emplace_back("wrong.mce", &out.wrong);
    if (rotates) {
        out.rotations_again.resize(3);
        for (std::size_t i = 0; i < kNames.size(); ++i) {
            const std::string name = kNames[i];
            more.emplace_back("rotated-" + name + ".mce", &out.twice_rotated[i]);
            if (i != kOld) more.emplace_back("rotated-again-" + name + ".mce", &out.again_rotated[i]);
            more.emplace_back("rotation-" + std::to_string(i + 1) + ".mcuk", &out.rotations_again[i]);
        }
    }
    for (const auto& [name, bytes] : more) {
        Outcome<Bytes> content = load(options.folder + "/" + name);
        if (!content) return content.failure();
        *bytes = std::move(*content);
    }
    if (rotates) out.rotations.assign(out.rotations_again.begin(), out.rotations_again.begin() + 2);
    return out;
}

}  // namespace mcuota::board
