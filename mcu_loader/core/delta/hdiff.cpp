#include "mcu_loader/core/delta/hdiff.hpp"

#include <algorithm>

namespace mcuota::delta {
namespace {

constexpr std::size_t kCompressionNameMax = 8;
constexpr std::uint32_t kRawBufferBytes = 256;
/// A packed section begins with one byte that says how long its LZMA properties are: always 5.
constexpr std::uint32_t kLzmaHeadBytes = 1;

}  // namespace

std::uint32_t PayloadReader::next_byte() noexcept {
    if (at_ == filled_) {
        const std::uint32_t left = source_.size_bytes() > offset_ ? source_.size_bytes() - offset_ : 0;
        const auto take = std::min<std::uint32_t>(left, static_cast<std::uint32_t>(buffer_.size()));
        at_ = filled_ = 0;
        if (take == 0 || status_ != Status::ok) {
            missing_ = true;
            return 0;
        }
        status_ = source_.read(offset_, std::span(buffer_).first(take));
        if (status_ != Status::ok) return 0;
        filled_ = take;
        offset_ += take;
    }
    return buffer_[at_++];
}

bool take_magic(PayloadReader& reader, std::string_view magic, Compression& compression) noexcept {
    for (const char expected : magic)
        if (reader.next_byte() != static_cast<std::uint8_t>(expected)) return false;
    if (reader.next_byte() != '&') return false;
    std::array<char, kCompressionNameMax> name{};
    for (std::size_t length = 0; length < name.size(); ++length) {
        const std::uint32_t byte = reader.next_byte();
        if (reader.failed()) return false;
        if (byte == 0) {
            const std::string_view text(name.data(), length);
            compression = text == "lzma" ? Compression::lzma : Compression::none;
            return text.empty() || text == "lzma";
        }
        name[length] = static_cast<char>(byte);
    }
    return false;
}

std::uint32_t Section::memory_bytes(ByteSource& payload, bool& sound) const noexcept {
    if (!packed) return plain_bytes == 0 ? 0 : kRawBufferBytes;
    LzmaPlan plan;
    std::array<std::uint8_t, kLzmaHeadBytes> head{};
    if (stored_bytes <= kLzmaHeadBytes + kLzmaPropertiesBytes || payload.read(offset, head) != Status::ok ||
        head[0] != kLzmaPropertiesBytes ||
        plan_lzma(payload, offset + kLzmaHeadBytes, plain_bytes, plan) != Status::ok) {
        sound = false;
        return 0;
    }
    return plan.memory_bytes();
}

Status SectionReader::open(ByteSource& payload, const Section& section,
                           std::span<std::uint8_t> work) noexcept {
    payload_ = &payload;
    left_ = section.plain_bytes;
    packed_ = section.packed;
    offset_ = section.offset;
    buffer_ = work;
    status_ = Status::ok;
    if (packed_)
        status_ = lzma_.open(payload, section.offset + kLzmaHeadBytes, section.stored_bytes - kLzmaHeadBytes,
                             section.plain_bytes, work);
    else if (left_ != 0 && work.size() < kRawBufferBytes)
        status_ = Status::memory_budget;
    return status_;
}

bool SectionReader::refill() noexcept {
    at_ = 0;
    piece_ = {};
    if (status_ != Status::ok) return false;
    if (left_ == 0) {  // more is asked for than the section holds
        status_ = Status::payload_malformed;
        return false;
    }
    if (packed_) {
        status_ = lzma_.next(1024, piece_);
        if (status_ == Status::ok && piece_.empty()) status_ = Status::payload_malformed;
        return status_ == Status::ok;
    }
    const auto piece = buffer_.first(std::min(left_, kRawBufferBytes));
    status_ = payload_->read(offset_, piece);
    offset_ += static_cast<std::uint32_t>(piece.size());
    if (status_ == Status::ok) piece_ = piece;
    return status_ == Status::ok;
}

}  // namespace mcuota::delta
