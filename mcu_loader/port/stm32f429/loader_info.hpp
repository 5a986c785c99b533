#pragma once
// Facts about the loader at a fixed place of its flash, where the agent of an application finds them.

#include <array>
#include <cstdint>
#include <string_view>

namespace mcuota::stm32f429 {

constexpr std::uint32_t kLoaderInfoAddress = 0x0800'0200;
constexpr std::uint32_t kLoaderInfoMagic = 0x494C'434D;  // "MCLI"

struct LoaderInfo {
    std::uint32_t magic;
    std::uint32_t decoder_memory_bytes;  ///< what decoding a payload may use
    std::uint32_t payload_kinds;         ///< bit k = PayloadKind k
    std::array<char, 20> version;        ///< padded with zeros, the last byte always one
};
static_assert(sizeof(LoaderInfo) == 32);

[[nodiscard]] constexpr LoaderInfo make_loader_info(std::uint32_t decoder_memory_bytes,
                                                    std::uint32_t payload_kinds,
                                                    std::string_view version) noexcept {
    LoaderInfo info{kLoaderInfoMagic, decoder_memory_bytes, payload_kinds, {}};
    for (std::size_t i = 0; i < version.size() && i + 1 < info.version.size(); ++i)
        info.version[i] = version[i];
    return info;
}

/// What stands in the loader's flash, or null when there is no loader of ours (an application run by a
/// debugger).
[[nodiscard]] inline const LoaderInfo* loader_info() noexcept {
    const auto* info = reinterpret_cast<const LoaderInfo*>(static_cast<std::uintptr_t>(kLoaderInfoAddress));
    return info->magic == kLoaderInfoMagic && info->version.back() == '\0' ? info : nullptr;
}

}  // namespace mcuota::stm32f429
