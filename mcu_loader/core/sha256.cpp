// SHA-256 (FIPS 180-4), written for the Cortex-M4: rotations fold into the additions, eight rounds a turn
// keep the state in registers. Compiled for speed also where all else is compiled for size: a start of the
// device waits for it.

#include "mcu_loader/core/sha256.hpp"

#include <algorithm>
#include <bit>

namespace mcuota {
namespace {

constexpr std::size_t kBlockBytes = 64;
constexpr std::size_t kLengthBytes = 8;
constexpr unsigned kRounds = 64;

/// First 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2).
constexpr std::array<std::uint32_t, kRounds> kConstants{
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/// The same of the square roots of the first 8 primes (5.3.3).
constexpr std::array<std::uint32_t, 8> kStart{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                              0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/// One round without moving the eight words: the caller names them in turn. `bc` holds b ^ c and then a ^ b.
/// The rotations by 6, 11, 25 and 2, 13, 22 are nested, so that each is part of an instruction.
[[gnu::always_inline]] inline void round(std::uint32_t a, std::uint32_t b, std::uint32_t& d, std::uint32_t e,
                                         std::uint32_t f, std::uint32_t g, std::uint32_t& h,
                                         std::uint32_t& bc, std::uint32_t word) noexcept {
    h += word + (((f ^ g) & e) ^ g) + std::rotr(e ^ std::rotr(e ^ std::rotr(e, 14), 5), 6);
    d += h;
    const std::uint32_t ab = a ^ b;
    h += ((ab & bc) ^ b) + std::rotr(a ^ std::rotr(a ^ std::rotr(a, 9), 11), 2);
    bc = ab;
}

void compress(std::array<std::uint32_t, 8>& state, const std::uint8_t* block) noexcept {
    std::array<std::uint32_t, kRounds> w;
    for (unsigned i = 0; i < 16; ++i, block += 4) {
        w[i] = std::uint32_t{block[0]} << 24U | std::uint32_t{block[1]} << 16U |
               std::uint32_t{block[2]} << 8U | std::uint32_t{block[3]};
    }
    for (unsigned i = 0; i < kRounds - 16; ++i) {
        const std::uint32_t x = w[i + 1];
        const std::uint32_t y = w[i + 14];
        w[i + 16] = w[i] + w[i + 9] + (std::rotr(x ^ std::rotr(x, 11), 7) ^ (x >> 3U)) +
                    (std::rotr(y ^ std::rotr(y, 2), 17) ^ (y >> 10U));
    }
    auto [a, b, c, d, e, f, g, h] = state;
    std::uint32_t bc = b ^ c;
    for (unsigned i = 0; i < kRounds; i += 8) {
        round(a, b, d, e, f, g, h, bc, kConstants[i] + w[i]);
        round(h, a, c, d, e, f, g, bc, kConstants[i + 1] + w[i + 1]);
        round(g, h, b, c, d, e, f, bc, kConstants[i + 2] + w[i + 2]);
        round(f, g, a, b, c, d, e, bc, kConstants[i + 3] + w[i + 3]);
        round(e, f, h, a, b, c, d, bc, kConstants[i + 4] + w[i + 4]);
        round(d, e, g, h, a, b, c, bc, kConstants[i + 5] + w[i + 5]);
        round(c, d, f, g, h, a, b, bc, kConstants[i + 6] + w[i + 6]);
        round(b, c, e, f, g, h, a, bc, kConstants[i + 7] + w[i + 7]);
    }
    const std::array<std::uint32_t, 8> end{a, b, c, d, e, f, g, h};
    for (unsigned i = 0; i < end.size(); ++i) {
        state[i] += end[i];
    }
}

}  // namespace

Sha256::Sha256() noexcept : state_{kStart} {}

void Sha256::update(std::span<const std::uint8_t> bytes) noexcept {
    while (!bytes.empty()) {
        const std::size_t fill = bytes_ % kBlockBytes;
        const std::size_t count = std::min(bytes.size(), kBlockBytes - fill);
        if (count == kBlockBytes) {
            compress(state_, bytes.data());
        } else {
            std::copy_n(bytes.begin(), count, block_.begin() + fill);
            if (fill + count == kBlockBytes) {
                compress(state_, block_.data());
            }
        }
        bytes_ += count;
        bytes = bytes.subspan(count);
    }
}

Sha256Digest Sha256::digest() const noexcept {
    // A one bit, zeros, the length in bits: 9 bytes at least, to the end of a block (5.1.1).
    Sha256 padded = *this;
    std::array<std::uint8_t, kBlockBytes + kLengthBytes> padding{0x80};
    const std::size_t room = kBlockBytes - (bytes_ + kLengthBytes) % kBlockBytes;
    for (std::size_t i = 0; i < kLengthBytes; ++i) {
        padding[room + i] = static_cast<std::uint8_t>(bytes_ << 3U >> (8 * (kLengthBytes - 1 - i)));
    }
    padded.update(std::span{padding}.first(room + kLengthBytes));
    Sha256Digest out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<std::uint8_t>(padded.state_[i / 4] >> (24 - 8 * (i % 4)));
    }
    return out;
}

Sha256Digest sha256(std::span<const std::uint8_t> bytes) noexcept {
    Sha256 hash;
    hash.update(bytes);
    return hash.digest();
}

}  // namespace mcuota
