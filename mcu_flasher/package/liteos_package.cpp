// The 32-byte prefix of the original scheme, and the signature before it.

#include "mcu_flasher/package/liteos_package.hpp"

#include <algorithm>

#include "mcu_flasher/package/delta/delta.hpp"

namespace mcuota::package {

std::optional<LiteosPackage> recognise_liteos(std::span<const std::uint8_t> file) {
    for (const std::size_t before : {std::size_t{0}, kLiteosSignatureBytes}) {
        if (file.size() < before + kLiteosInfoBytes) continue;
        const auto delta = file.subspan(before + kLiteosInfoBytes);
        if (delta::recognise(delta) != delta::Format::hdiff13) continue;
        return LiteosPackage{file.first(before), file.subspan(before), delta, file[before]};
    }
    return std::nullopt;
}

std::vector<std::uint8_t> make_liteos(std::span<const std::uint8_t> hdiff13, bool differential) {
    std::vector<std::uint8_t> out(kLiteosInfoBytes + hdiff13.size());
    out[0] = differential ? 1 : 0;
    std::copy(hdiff13.begin(), hdiff13.end(), out.begin() + kLiteosInfoBytes);
    return out;
}

}  // namespace mcuota::package
