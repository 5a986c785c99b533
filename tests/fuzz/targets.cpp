// The list of all fuzz targets; what they do: formats.cpp, link.cpp, payloads.cpp.
#include "tests/fuzz/targets.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/target_list.hpp"

namespace mcuota::fuzz {
namespace {

constexpr std::array<Target, 11> kTargets{{
    {"manifest", run_manifest, manifest_seeds},
    {"rotation", run_rotation, rotation_seeds},
    {"container", run_container, container_seeds},
    {"envelope_head", run_envelope_head, envelope_head_seeds},
    {"hdiffsf20", run_hdiffsf20, hdiffsf20_seeds},
    {"hdiff13", run_hdiff13, hdiff13_seeds},
    {"relocated", run_relocated, relocated_seeds},
    {"lzma", run_lzma, lzma_seeds},
    {"link_frame", run_link_frame, link_frame_seeds},
    {"link_server", run_link_server, link_server_seeds},
    {"vector_line", run_vector_line, vector_line_seeds},
}};

}  // namespace

std::span<const Target> targets() {
    return kTargets;
}

const Target* find(std::string_view name) {
    const auto* const found =
        std::find_if(kTargets.begin(), kTargets.end(), [name](const Target& t) { return t.name == name; });
    return found == kTargets.end() ? nullptr : found;
}

void broken(const char* promise) {
    std::fprintf(stderr, "broken promise: %s\n", promise);
    std::abort();
}

}  // namespace mcuota::fuzz
