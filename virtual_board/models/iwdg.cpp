// SPDX-License-Identifier: GPL-2.0-or-later
// Watchdog timing.

#include "virtual_board/models/iwdg.hpp"

#include <algorithm>
#include <utility>

namespace mcuota::board {
namespace {

constexpr std::uint64_t kUpdateLsiCycles = 5;  // RM0090 §21.4.4: up to five RC cycles

}  // namespace

Iwdg::Iwdg(const Clock& clock, std::uint64_t lsi_hz, std::function<bool()> lsi_on, std::function<void()> bite)
    : clock_(clock), lsi_hz_(lsi_hz), lsi_on_(std::move(lsi_on)), bite_(std::move(bite)) {}

void Iwdg::reset() {
    pr_ = 0;
    rlr_ = 0xFFF;
    sr_ = 0;
    unlocked_ = running_ = false;
    bite_at_ = update_end_ = kNever;
}

std::uint32_t Iwdg::peek(std::uint32_t offset) const {
    switch (offset) {
        case kPr:
            return pr_;
        case kRlr:
            return rlr_;
        case kSr:
            return sr_;
        default:
            return 0;
    }
}

void Iwdg::write(std::uint32_t offset, std::uint32_t value) {
    value &= 0xFFFF;
    switch (offset) {
        case kKr:
            unlocked_ = value == 0x5555;
            if (value == 0xCCCC && !running_) {
                running_ = true;
                if (sr_ != 0) update_end_ = clock_.now() + kUpdateLsiCycles * kSecond / lsi_hz_;
                reload();
            } else if (value == 0xAAAA) {
                ++reloads_;
                if (running_) reload();
            }
            break;
        case kPr:
            if (!unlocked_ || (sr_ & kPvu)) return;
            pr_ = value & 7;
            start_update(kPvu);
            break;
        case kRlr:
            if (!unlocked_ || (sr_ & kRvu)) return;
            rlr_ = value & 0xFFF;
            start_update(kRvu);
            break;
        default:
            break;
    }
}

void Iwdg::start_update(std::uint32_t flag) {
    sr_ |= flag;
    // Without the LSI nothing takes the value over and the flag stays.
    if (running_ || lsi_on_()) update_end_ = clock_.now() + kUpdateLsiCycles * kSecond / lsi_hz_;
}

void Iwdg::reload() {
    const std::uint64_t prescaler = std::uint64_t{4} << std::min(pr_, 6u);
    bite_at_ = clock_.now() + prescaler * (rlr_ + 1) * kSecond / lsi_hz_;
}

Time Iwdg::deadline() const {
    return std::min(bite_at_, update_end_);
}

void Iwdg::advance() {
    if (update_end_ <= clock_.now()) {
        update_end_ = kNever;
        sr_ = 0;
    }
    if (bite_at_ <= clock_.now()) {
        bite_at_ = kNever;
        bite_();
    }
}

}  // namespace mcuota::board
