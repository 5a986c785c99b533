// LzmaDec's dictionary interface with the dictionary as a ring of caller's memory and input in small reads.

#include "mcu_loader/core/lzma_stream.hpp"

#include <algorithm>
#include <array>

#include "mcu_loader/core/little_endian.hpp"

namespace mcuota {
namespace {

constexpr std::uint32_t kInputBufferBytes = 512;
constexpr std::uint32_t kAlignmentSlack = alignof(CLzmaProb) - 1;
/// Probabilities outside the literal coder, and per literal context (LzmaDec.c, LzmaProps_GetNumProbs).
constexpr std::uint32_t kBaseProbabilities = 1846;
constexpr std::uint32_t kLiteralProbabilities = 768;

}  // namespace

std::uint32_t LzmaPlan::memory_bytes() const noexcept {
    const std::uint64_t sum = std::uint64_t{probability_count} * sizeof(CLzmaProb) + dictionary_bytes +
                              kInputBufferBytes + kAlignmentSlack;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(sum, UINT32_MAX));
}

Status plan_lzma(ByteSource& source, std::uint32_t offset, std::uint32_t output_bytes,
                 LzmaPlan& out) noexcept {
    const std::uint32_t size = source.size_bytes();
    if (offset > size || size - offset < kLzmaPropertiesBytes || output_bytes == 0)
        return Status::payload_malformed;
    std::array<std::uint8_t, kLzmaPropertiesBytes> properties{};
    if (const Status status = source.read(offset, properties); status != Status::ok) return status;

    const unsigned packed = properties[0];
    const std::uint32_t dictionary = load_u32(&properties[1]);
    if (packed >= 9U * 5U * 5U || dictionary < kLzmaDictionaryBytesMin) return Status::payload_malformed;
    out.lc = packed % 9;
    out.lp = packed / 9 % 5;
    out.pb = packed / 45;
    out.probability_count = kBaseProbabilities + (kLiteralProbabilities << (out.lc + out.lp));
    out.dictionary_bytes = std::min(dictionary, output_bytes);
    return Status::ok;
}

Status LzmaStream::open(ByteSource& source, std::uint32_t offset, std::uint32_t length,
                        std::uint32_t output_bytes, std::span<std::uint8_t> work,
                        LzmaEndMark end_mark) noexcept {
    if (length < kLzmaPropertiesBytes || offset > source.size_bytes() ||
        length > source.size_bytes() - offset)
        return Status::payload_malformed;
    LzmaPlan plan;
    if (const Status status = plan_lzma(source, offset, output_bytes, plan); status != Status::ok)
        return status;
    if (work.size() < plan.memory_bytes()) return Status::memory_budget;

    const auto misalignment = reinterpret_cast<std::uintptr_t>(work.data()) % alignof(CLzmaProb);
    work = work.subspan(misalignment == 0 ? 0 : alignof(CLzmaProb) - misalignment);
    const std::size_t table_bytes = plan.probability_count * sizeof(CLzmaProb);
    decoder_ = CLzmaDec{};
    decoder_.prop = {plan.lc, plan.lp, plan.pb, plan.dictionary_bytes};
    decoder_.probs = reinterpret_cast<CLzmaProb*>(work.data());
    decoder_.numProbs = plan.probability_count;
    decoder_.dic = work.data() + table_bytes;
    decoder_.dicBufSize = plan.dictionary_bytes;
    // The decoder looks at the byte "before" the first one for the first literal's context.
    std::fill_n(decoder_.dic, plan.dictionary_bytes, std::uint8_t{0});
    LzmaDec_Init(&decoder_);

    source_ = &source;
    end_mark_ = end_mark;
    input_at_ = offset + kLzmaPropertiesBytes;
    input_left_ = length - kLzmaPropertiesBytes;
    output_left_ = output_bytes;
    buffer_ = work.subspan(table_bytes + plan.dictionary_bytes, kInputBufferBytes);
    buffered_ = {};
    return Status::ok;
}

Status LzmaStream::refill() noexcept {
    const std::uint32_t count = std::min(input_left_, kInputBufferBytes);
    if (count == 0) return Status::payload_malformed;
    const auto target = buffer_.first(count);
    if (const Status status = source_->read(input_at_, target); status != Status::ok) return status;
    input_at_ += count;
    input_left_ -= count;
    buffered_ = target;
    return Status::ok;
}

Status LzmaStream::decode_to(std::size_t end, ELzmaFinishMode mode, ELzmaStatus& reached) noexcept {
    do {
        if (buffered_.empty() && input_left_ != 0) {
            if (const Status status = refill(); status != Status::ok) return status;
        }
        const std::size_t before = decoder_.dicPos;
        SizeT consumed = buffered_.size();
        if (LzmaDec_DecodeToDic(&decoder_, end, buffered_.data(), &consumed, mode, &reached) != SZ_OK)
            return Status::payload_malformed;
        buffered_ = buffered_.subspan(consumed);
        if (reached == LZMA_STATUS_FINISHED_WITH_MARK) return Status::ok;
        // Neither input taken nor output made: the stream ends before the image does.
        if (consumed == 0 && decoder_.dicPos == before && input_left_ == 0) {
            if (decoder_.dicPos == end && mode == LZMA_FINISH_ANY) break;
            return Status::payload_malformed;
        }
    } while (decoder_.dicPos < end || reached == LZMA_STATUS_NEEDS_MORE_INPUT);
    return Status::ok;
}

Status LzmaStream::check_end(ELzmaStatus reached) noexcept {
    const auto input_waits = [this] { return input_left_ != 0 || !buffered_.empty(); };
    if (end_mark_ != LzmaEndMark::forbidden && reached != LZMA_STATUS_FINISHED_WITH_MARK && input_waits()) {
        // Nothing but the marker may follow: with FINISH_END the decoder refuses any other symbol.
        if (const Status status = decode_to(decoder_.dicPos, LZMA_FINISH_END, reached); status != Status::ok)
            return status;
    }
    const bool marked = reached == LZMA_STATUS_FINISHED_WITH_MARK;
    const bool proper =
        marked ? end_mark_ != LzmaEndMark::forbidden
               : end_mark_ != LzmaEndMark::required && reached == LZMA_STATUS_MAYBE_FINISHED_WITHOUT_MARK;
    return proper && !input_waits() ? Status::ok : Status::payload_malformed;
}

Status LzmaStream::next(std::uint32_t bytes_max, std::span<const std::uint8_t>& piece) noexcept {
    piece = {};
    if (output_left_ == 0 || bytes_max == 0) return Status::ok;
    if (decoder_.dicPos == decoder_.dicBufSize) decoder_.dicPos = 0;
    const std::size_t begin = decoder_.dicPos;
    const std::size_t end =
        begin + std::min<std::size_t>({decoder_.dicBufSize - begin, bytes_max, output_left_});

    ELzmaStatus reached = LZMA_STATUS_NOT_SPECIFIED;
    if (const Status status = decode_to(end, LZMA_FINISH_ANY, reached); status != Status::ok) return status;
    const std::size_t made = decoder_.dicPos - begin;
    output_left_ -= static_cast<std::uint32_t>(made);
    if (reached == LZMA_STATUS_FINISHED_WITH_MARK && end_mark_ == LzmaEndMark::required) output_left_ = 0;
    if (output_left_ == 0) {
        if (const Status status = check_end(reached); status != Status::ok) return status;
    } else if (reached == LZMA_STATUS_FINISHED_WITH_MARK) {
        return Status::payload_malformed;  // the image is longer than that
    }
    piece = {decoder_.dic + begin, made};
    return Status::ok;
}

}  // namespace mcuota
