// SPDX-License-Identifier: GPL-2.0-or-later
// Watched code, and calls a visitor answers: the core takes its time for them without executing them.

#include <algorithm>

#include "virtual_board/board.hpp"

namespace mcuota::board {

void Board::watch_code(std::uint32_t address, std::function<void()> visit) {
    watches_.push_back({address, false, std::move(visit)});
}

void Board::watch_code_once(std::uint32_t address, std::function<void()> visit) {
    watches_.push_back({address, true, std::move(visit)});
}

/// Calls who watches `address`; true when what is there is not to be executed.
bool Board::visit_watch(std::uint32_t address) {
    watch_passed_ = address;
    for (std::size_t i = 0; i < watches_.size(); ++i) {
        if (watches_[i].address != address) continue;
        const std::function<void()> visit = watches_[i].visit;
        if (watches_[i].once) watches_.erase(watches_.begin() + static_cast<std::ptrdiff_t>(i--));
        visit();
    }
    if (!call_ && cpu_->get(Reg::pc) == address) return false;
    watch_passed_ = 0;
    return true;
}

void Board::finish_call(std::uint32_t result, std::uint64_t instructions) {
    call_ = Call{cpu_->get(Reg::pc), result, std::max<std::uint64_t>(instructions, 1)};
}

/// Lets the answered call take its time until `horizon`. Interrupts come in between as they would in its
/// code: the core stands on the function's first instruction until the time is over.
void Board::go_on_with_call(Time horizon) {
    const std::uint64_t end = clock_.ticks_at(horizon);
    const std::uint64_t ticks = end > clock_.ticks() ? end - clock_.ticks() : 1;
    const std::uint64_t until_horizon = (ticks + config_.cpi_ticks - 1) / config_.cpi_ticks;
    const std::uint64_t until_cut = cut_instruction_ > instructions_ ? cut_instruction_ - instructions_ : 1;
    const std::uint64_t count = std::min({call_->left, until_horizon, until_cut});
    clock_.count_many(count);
    clock_.sync();
    instructions_ += count;
    call_->left -= count;
    if (instructions_ >= cut_instruction_) cut_now();
    if (call_->left != 0) return;
    cpu_->set(Reg::r0, call_->result);
    cpu_->set(Reg::pc, cpu_->get(Reg::lr));
    call_.reset();
}

}  // namespace mcuota::board
