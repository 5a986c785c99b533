// SPDX-License-Identifier: GPL-2.0-or-later
// Pages without rights, and the handler that gives the rights back.

#include "virtual_board/prove/watched_memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

namespace mcuota::board {

WatchedMemory* WatchedMemory::watched_ = nullptr;
struct ::sigaction WatchedMemory::before_ = {};

WatchedMemory::WatchedMemory(std::span<const std::uint8_t> content) {
    void* at = ::mmap(nullptr, content.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) std::abort();                  // as any other allocation that fails
    (void)::madvise(at, content.size(), MADV_HUGEPAGE);  // only speeds forks up
    bytes_ = {static_cast<std::uint8_t*>(at), content.size()};
    std::copy(content.begin(), content.end(), bytes_.begin());
}

WatchedMemory::~WatchedMemory() {
    if (watched_ == this) watched_ = nullptr;
    ::munmap(bytes_.data(), bytes_.size());
}

bool WatchedMemory::protect(bool closed) {
    return ::mprotect(part_.data(), part_.size(), closed ? PROT_NONE : PROT_READ | PROT_WRITE) == 0;
}

bool WatchedMemory::watch(std::size_t begin, std::size_t size_bytes) {
    if (watched_ == nullptr) {
        struct ::sigaction action = {};
        action.sa_sigaction = fault;
        action.sa_flags = SA_SIGINFO;
        if (::sigaction(SIGSEGV, &action, &before_) != 0) return false;
    } else {
        watched_->pause();
    }
    watched_ = this;
    part_ = bytes_.subspan(begin, size_bytes);
    accessed_ = 0;
    return protect(true);
}

void WatchedMemory::pause() {
    if (watched_ == this && !accessed()) (void)protect(false);
}

void WatchedMemory::resume() {
    // Unprotected, an access would not be noticed: then it counts as accessed.
    if (watched_ == this && !accessed() && !protect(true)) accessed_ = 1;
}

/// Runs inside the access: it is repeated when this returns, and succeeds.
void WatchedMemory::fault(int number, ::siginfo_t* info, void*) {
    WatchedMemory* const memory = watched_;
    const auto* at = static_cast<const std::uint8_t*>(info->si_addr);
    if (memory != nullptr && memory->accessed_ == 0 && at >= memory->part_.data() &&
        at < memory->part_.data() + memory->part_.size()) {
        memory->accessed_ = 1;
        if (memory->protect(false)) return;
    }
    ::sigaction(number, &before_, nullptr);  // repeated, it goes to whom it would have gone
}

}  // namespace mcuota::board
