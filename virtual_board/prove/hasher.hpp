// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// A 128-bit fingerprint of machine states, about as fast as memory. No cryptography: nobody attacks it.

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

namespace mcuota::board {

using Fingerprint = std::array<std::uint64_t, 2>;

/// Two independent multiply-and-fold hashes over 64-bit words.
class Hasher {
  public:
    void add(std::uint64_t word) noexcept {
        a_ = fold(a_ ^ word, 0x9E37'79B9'7F4A'7C15u);
        b_ = fold(b_ + word, 0xC2B2'AE3D'27D4'EB4Fu);
    }
    void add(std::span<const std::uint8_t> bytes) noexcept {
        std::size_t at = 0;
        for (; bytes.size() - at >= 8; at += 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, bytes.data() + at, 8);
            add(word);
        }
        for (; at < bytes.size(); ++at)
            add(bytes[at] | 0x100u);
    }
    void add(const Fingerprint& print) noexcept {
        add(print[0]);
        add(print[1]);
    }
    [[nodiscard]] Fingerprint result() const noexcept { return {a_ | 1, b_}; }

  private:
    __extension__ using Wide = unsigned __int128;
    [[nodiscard]] static std::uint64_t fold(std::uint64_t x, std::uint64_t k) noexcept {
        const Wide product = Wide{x ^ k} * (k ^ 0xD6E8'FEB8'6659'FD93u);
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64) ^
               (x << 1 | x >> 63);
    }
    std::uint64_t a_{0x243F'6A88'85A3'08D3u};
    std::uint64_t b_{0x1319'8A2E'0370'7344u};
};

}  // namespace mcuota::board
