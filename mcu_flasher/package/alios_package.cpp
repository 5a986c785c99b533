// Reads AliOS Things trailers and packs; everything in them is little-endian.

#include "mcu_flasher/package/alios_package.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "mcu_loader/core/little_endian.hpp"
#include "mcu_loader/core/sha256.hpp"

namespace mcuota::package {
namespace {

using View = std::span<const std::uint8_t>;

constexpr std::size_t kTrailerBytes = 28;
constexpr std::size_t kSignatureBlockBytes = 392;
constexpr std::size_t kSignatureHashAt = 104;
constexpr std::size_t kMd5Bytes = 16;

struct Kind {
    std::uint32_t magic;
    std::string_view name;
};
constexpr std::array<Kind, 5> kKinds = {{{0xABABABAB, "application"},
                                         {0xCDCDCDCD, "kernel"},
                                         {0xEFEFEFEF, "whole image"},
                                         {0xEFCDEFCD, "attached MCU"},
                                         {0xABCDABCD, "file system"}}};
constexpr std::array<Kind, 2> kSignatures = {{{0xAABBCCDD, "RSA"}, {0xDDCCBBAA, "ECC"}}};

template <std::size_t N>
std::string_view name_of(const std::array<Kind, N>& kinds, std::uint32_t magic) {
    const auto kind =
        std::find_if(kinds.begin(), kinds.end(), [&](const Kind& k) { return k.magic == magic; });
    return kind == kinds.end() ? std::string_view() : kind->name;
}

bool md5_is(View bytes, View expected) {
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    return EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_md5(), nullptr) == 1 &&
           size == kMd5Bytes && std::equal(expected.begin(), expected.end(), digest.begin());
}

std::uint16_t crc16_xmodem(View bytes) {
    unsigned crc = 0;
    for (const std::uint8_t byte : bytes) {
        crc ^= static_cast<unsigned>(byte) << 8U;
        for (int bit = 0; bit < 8; ++bit)
            crc = (crc & 0x8000U) != 0 ? (crc << 1U) ^ 0x1021U : crc << 1U;
    }
    return static_cast<std::uint16_t>(crc & 0xFFFFU);
}

}  // namespace

std::optional<AliosImage> recognise_alios_image(View file) {
    if (file.size() < kTrailerBytes) return std::nullopt;
    const View trailer = file.last(kTrailerBytes);
    AliosImage out;
    out.kind = name_of(kKinds, load_u32(trailer.data()));
    if (out.kind.empty()) return std::nullopt;
    View before = file.first(file.size() - kTrailerBytes);
    View block;
    if (before.size() >= kSignatureBlockBytes) {
        out.signature = name_of(kSignatures, load_u32(&before[before.size() - kSignatureBlockBytes]));
        if (!out.signature.empty()) {
            block = before.last(kSignatureBlockBytes);
            before = before.first(before.size() - kSignatureBlockBytes);
        }
    }
    out.announced_bytes = load_u32(&trailer[4]);
    out.size_fits = out.announced_bytes == before.size();
    out.image = before.first(std::min<std::size_t>(before.size(), out.announced_bytes));
    out.md5_fits = out.announced_bytes <= before.size() && md5_is(out.image, trailer.subspan(8, kMd5Bytes));
    out.image_count = trailer[24];
    out.crc16 = static_cast<std::uint16_t>(load_u16(&trailer[26]));
    out.crc16_is_xmodem = crc16_xmodem(out.image) == out.crc16;
    if (!block.empty()) {
        const Sha256Digest digest = sha256(out.image);
        out.sha256_fits = std::equal(digest.begin(), digest.end(), block.begin() + kSignatureHashAt);
    }
    return out;
}

std::optional<AliosPack> recognise_alios_pack(View file) {
    constexpr std::size_t kHeadBytes = 8, kMemberHeadBytes = 24;
    if (file.size() < kHeadBytes || load_u32(&file[4]) != file.size()) return std::nullopt;
    const std::size_t count = load_u16(file.data());
    if (count == 0 || count > kAliosMembersMax) return std::nullopt;
    AliosPack out;
    out.version = static_cast<std::uint16_t>(load_u16(&file[2]));
    View rest = file.subspan(kHeadBytes);
    for (std::size_t i = 0; i < count; ++i) {
        if (rest.size() < kMemberHeadBytes) return std::nullopt;
        const std::size_t head = load_u32(rest.data()), content = load_u32(&rest[4]);
        if (head < kMemberHeadBytes || head > rest.size() || content > rest.size() - head)
            return std::nullopt;
        AliosMember member;
        for (const std::uint8_t byte : rest.subspan(kMemberHeadBytes, head - kMemberHeadBytes))
            if (byte != 0) member.name += static_cast<char>(byte);
        member.content = rest.subspan(head, content);
        member.md5_fits = md5_is(member.content, rest.subspan(8, kMd5Bytes));
        out.members.push_back(std::move(member));
        rest = rest.subspan(head + content);
    }
    if (!rest.empty()) return std::nullopt;
    return out;
}

}  // namespace mcuota::package
