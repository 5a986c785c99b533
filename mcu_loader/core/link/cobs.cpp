// COBS encoder and decoder.
#include "mcu_loader/core/link/cobs.hpp"

namespace mcuota::link {

namespace {
constexpr std::uint8_t kFullGroup = 0xFF;  // 254 bytes without an implied 00
}

void CobsEncoder::open_group() noexcept {
    if (size_ >= out_.size()) {
        overflow_ = true;
        return;
    }
    code_at_ = size_++;
    code_ = 1;
}

void CobsEncoder::push(std::span<const std::uint8_t> bytes) noexcept {
    for (const std::uint8_t byte : bytes) {
        if (code_ == 0) open_group();
        if (overflow_) return;
        if (byte == 0) {
            out_[code_at_] = code_;
            open_group();
            continue;
        }
        if (size_ >= out_.size()) {
            overflow_ = true;
            return;
        }
        out_[size_++] = byte;
        ++code_;
        if (code_ == kFullGroup) {
            out_[code_at_] = code_;
            code_ = 0;
        }
    }
}

std::size_t CobsEncoder::finish() noexcept {
    if (size_ == 0) open_group();  // the encoding of nothing is one byte
    if (overflow_) return 0;
    if (code_ != 0) out_[code_at_] = code_;
    return size_;
}

CobsDecoder::Step CobsDecoder::push(std::uint8_t encoded) noexcept {
    if (left_ != 0) {
        --left_;
        return {true, encoded};
    }
    const Step step{begun_ && zero_follows_, 0};
    begun_ = true;
    left_ = static_cast<std::uint8_t>(encoded - 1);
    zero_follows_ = encoded != kFullGroup;
    return step;
}

}  // namespace mcuota::link
