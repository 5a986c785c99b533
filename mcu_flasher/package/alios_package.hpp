#pragma once
// Files of the AliOS Things updater: images with a trailer at their end, and packs of several files.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mcuota::package {

/// An image with the 28-byte trailer, perhaps with a 392-byte signature block before it. The spans point into
/// the file.
struct AliosImage {
    std::string_view kind;                ///< "application", "kernel", …
    std::span<const std::uint8_t> image;  ///< as many bytes as the trailer says, or all there are
    std::uint32_t announced_bytes{0};     ///< image size in the trailer
    std::uint8_t image_count{0};          ///< image_num
    std::uint16_t crc16{0};               ///< as told; what it covers is not published
    std::string_view signature;           ///< "RSA" or "ECC"; empty without signature block
    bool size_fits{false};
    bool md5_fits{false};
    bool crc16_is_xmodem{false};  ///< it is the image's CRC-16/XMODEM
    bool sha256_fits{true};       ///< of the signature block; true without one
};

/// Recognised by its magic at the place of the trailer.
[[nodiscard]] std::optional<AliosImage> recognise_alios_image(std::span<const std::uint8_t> file);

/// One file of a pack; the span points into the pack.
struct AliosMember {
    std::string name;
    std::span<const std::uint8_t> content;
    bool md5_fits{false};
};

struct AliosPack {
    std::uint16_t version{0};
    std::vector<AliosMember> members;
};

/// Most files a pack may hold here.
constexpr std::size_t kAliosMembersMax = 64;

/// A pack has no magic: it is one when its sizes lead exactly to the file's end.
[[nodiscard]] std::optional<AliosPack> recognise_alios_pack(std::span<const std::uint8_t> file);

}  // namespace mcuota::package
