// SPDX-License-Identifier: GPL-2.0-or-later
// Fingerprints and the shared table.

#include "virtual_board/prove/proven_states.hpp"

#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <new>
#include <span>

#include "virtual_board/prove/bench_device.hpp"

namespace mcuota::board {
namespace {

constexpr std::size_t kEntries = 1u << 18;
constexpr unsigned kProbes = 32;

/// Two independent multiply-and-fold hashes over 64-bit words, about as fast as memory.
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
    [[nodiscard]] ProvenStates::Fingerprint result() const noexcept { return {a_ | 1, b_}; }

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

}  // namespace

struct ProvenStates::Entry {
    std::atomic<std::uint64_t> key;  ///< first half; 0 = free
    std::atomic<std::uint64_t> check;
    std::atomic<std::uint32_t> image;  ///< index + 1 once the entry is whole
};

ProvenStates::ProvenStates() {
    void* at =
        ::mmap(nullptr, kEntries * sizeof(Entry), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at != MAP_FAILED) entries_ = static_cast<Entry*>(at);  // zeros are empty entries
}

ProvenStates::~ProvenStates() {
    if (entries_) ::munmap(entries_, kEntries * sizeof(Entry));
}

std::optional<ProvenStates::Fingerprint> ProvenStates::of(BenchDevice& device) {
    Board& board = device.board();
    if (!board.powered() || !board.flash().settled() || !board.nor().settled()) return std::nullopt;
    Hasher hash;
    hash.add(device.flash_bytes());
    hash.add(device.nor_bytes());
    hash.add(board.sram());
    for (const Reg reg : {Reg::r0, Reg::r1, Reg::r2, Reg::r3, Reg::r12, Reg::sp, Reg::lr, Reg::pc, Reg::xpsr})
        hash.add(board.reg(reg));
    hash.add(board.instructions() - device.instructions_at_power_up());
    hash.add(board.now() - device.time_of_power_up());
    hash.add(device.gateway_state());
    return hash.result();
}

std::optional<std::uint8_t> ProvenStates::find(const Fingerprint& state) const {
    for (unsigned probe = 0; entries_ && probe < kProbes; ++probe) {
        const Entry& entry = entries_[(state[0] + probe) % kEntries];
        const std::uint64_t key = entry.key;
        if (key == 0) return std::nullopt;
        const std::uint32_t image = entry.image;
        if (key == state[0] && image != 0 && entry.check == state[1])
            return static_cast<std::uint8_t>(image - 1);
    }
    return std::nullopt;
}

void ProvenStates::add(const Fingerprint& state, std::uint8_t first_image) {
    for (unsigned probe = 0; entries_ && probe < kProbes; ++probe) {
        Entry& entry = entries_[(state[0] + probe) % kEntries];
        std::uint64_t free = 0;
        if (!entry.key.compare_exchange_strong(free, state[0])) {
            if (free == state[0]) return;
            continue;
        }
        entry.check = state[1];
        entry.image = first_image + 1u;
        return;
    }
}

}  // namespace mcuota::board
