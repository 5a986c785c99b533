// SPDX-License-Identifier: GPL-2.0-or-later
// Fingerprints and the shared table.

#include "virtual_board/prove/proven_states.hpp"

#include <sys/mman.h>

#include <atomic>
#include <new>

#include "virtual_board/prove/bench_device.hpp"

namespace mcuota::board {
namespace {

constexpr std::size_t kEntries = 1u << 21;
constexpr unsigned kProbes = 32;

void add_unsteady(Hasher& hash, const TornCells& torn) {
    for (const TornCells::Area& area : torn.areas()) {
        hash.add(area.begin << 1 | (area.deceptive ? 1u : 0u));
        hash.add(area.unsteady);
    }
}

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

Fingerprint ProvenStates::lasting(BenchDevice& device, const EraseUnit* unseen) {
    Board& board = device.board();
    Hasher hash;
    hash.add(device.memory_state(unseen));
    if (unseen) {
        hash.add(unseen->internal ? 1 : 2);
        hash.add(std::uint64_t{unseen->begin} << 32 | unseen->size_bytes);
    } else if (!device.steady()) {
        add_unsteady(hash, board.flash().torn());
        add_unsteady(hash, board.nor().torn());
        hash.add(board.randomness());
    }
    hash.add(device.proof_state());
    return hash.result();
}

Fingerprint ProvenStates::running(BenchDevice& device) {
    Board& board = device.board();
    Hasher hash;
    hash.add(board.sram());
    hash.add(board.ccm());
    for (const Reg reg :
         {Reg::r0,   Reg::r1,  Reg::r2,  Reg::r3,      Reg::r4,      Reg::r5,      Reg::r6,       Reg::r7,
          Reg::r8,   Reg::r9,  Reg::r10, Reg::r11,     Reg::r12,     Reg::sp,      Reg::lr,       Reg::pc,
          Reg::xpsr, Reg::msp, Reg::psp, Reg::control, Reg::primask, Reg::basepri, Reg::faultmask})
        hash.add(board.reg(reg));
    hash.add(board.instructions() - device.instructions_at_start());
    hash.add(board.now() - device.time_of_start());
    hash.add(board.nor().busy() ? board.nor().deadline() - device.time_of_start() : kNever);
    hash.add(static_cast<std::uint64_t>(board.last_reset()));
    board.visit_registers([&hash](std::uint32_t value) { hash.add(value); });
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
