// The receive window of the link server: chunks come in any order and with gaps, the target gets them in
// order.
#include <algorithm>
#include <bit>

#include "mcu_loader/core/link/link_server.hpp"

namespace mcuota::link {

namespace {
constexpr std::uint32_t kRefuseDataEveryMs = 200;
constexpr std::uint32_t kChunk = kChunkBytes;
}  // namespace

void LinkServer::on_offer(const Frame& frame) noexcept {
    Offer offer;
    if (!decode(frame.body, offer) || offer.envelope_bytes == 0)
        return refuse(frame.header, Status::malformed_request);
    transfer_ = {};
    Held held;
    if (const Status status = target_.offer(offer, held); status != Status::ok)
        return refuse(frame.header, status);
    transfer_.open = true;
    transfer_.total_bytes = offer.envelope_bytes;
    transfer_.chunks = offer.envelope_bytes / kChunk + (offer.envelope_bytes % kChunk != 0 ? 1 : 0);
    transfer_.written_bytes = std::min(held.held_bytes, offer.envelope_bytes);
    transfer_.next =
        transfer_.written_bytes == offer.envelope_bytes ? transfer_.chunks : transfer_.written_bytes / kChunk;
    ack_due_ = true;  // tells the first limit
    answer(frame, encode(held, body_));
}

void LinkServer::on_finish(const Frame& frame) noexcept {
    if (transfer_.failed != Status::ok) return refuse(frame.header, transfer_.failed);
    if (transfer_.open && transfer_.written_bytes != transfer_.total_bytes)
        return refuse(frame.header, Status::package_incomplete);
    const Status status = target_.finish();
    if (status == Status::ok) transfer_.open = false;
    answer_status(frame, status);
}

void LinkServer::on_data(const Frame& frame, std::uint32_t now_ms) noexcept {
    const FrameHeader& header = frame.header;
    if (session_ == 0 || header.session != session_)
        return refuse_data(Status::no_session, header.session, header.sequence, now_ms);
    if (!transfer_.open) return refuse_data(Status::wrong_state, session_, header.sequence, now_ms);
    if (transfer_.failed != Status::ok)
        return refuse_data(transfer_.failed, session_, header.sequence, now_ms);

    const std::uint32_t chunk = header.sequence;
    if (chunk >= transfer_.chunks || frame.body.size() != chunk_length(chunk))
        return refuse_data(Status::malformed_request, session_, chunk, now_ms);
    const std::uint32_t ahead = chunk - transfer_.next;  // wraps for chunks long done
    if (chunk < transfer_.next || (ahead < window_frames_ && (transfer_.have >> ahead & 1U) != 0)) {
        ++counters_.duplicate_chunks;
        ack_due_ = true;
        return;
    }
    if (ahead >= window_frames_) {
        ack_due_ = true;
        return;
    }
    ++transfer_.unacknowledged;
    if (ahead == 0) {
        // Said before it is done: storing may take longer than the window lasts, and the bytes are safe here.
        transfer_.have |= 1U;
        if (transfer_.unacknowledged >= std::max<std::uint32_t>(window_frames_ / 4, 1) ||
            chunk + 1 == transfer_.chunks || transfer_.have != 1U)
            ack_due_ = true;
        (void)pump();
        transfer_.have &= ~1U;
        return write_chunk(frame.body);
    }
    if ((transfer_.have & ((1U << ahead) - 1)) != (1U << ahead) - 1) ack_due_ = true;  // a gap before it
    if (window_.size() < kChunkBytes) return;
    std::copy(frame.body.begin(), frame.body.end(), slot(chunk));
    transfer_.have |= 1U << ahead;
}

// One waiting chunk a poll.
bool LinkServer::deliver_waiting() noexcept {
    if (!transfer_.open || transfer_.failed != Status::ok || (transfer_.have & 1U) == 0) return false;
    write_chunk({slot(transfer_.next), chunk_length(transfer_.next)});
    if ((transfer_.have & 1U) == 0) ack_due_ = true;  // the limit moved
    return true;
}

void LinkServer::write_chunk(std::span<const std::uint8_t> bytes) noexcept {
    const std::uint32_t begin = transfer_.next * kChunk;
    const std::uint32_t held = transfer_.written_bytes - begin;  // of the first chunk after a resume
    const auto fresh = bytes.subspan(std::min<std::size_t>(held, bytes.size()));
    const Status status = target_.write(transfer_.written_bytes, fresh);
    if (status != Status::ok) {
        transfer_.failed = status;
        refusal_ = {status, wire(Type::data), {}};
        refusal_to_ = {wire(Type::refused), config_.address, session_, transfer_.next};
        refusal_due_ = true;
        return;
    }
    transfer_.written_bytes += static_cast<std::uint32_t>(fresh.size());
    ++transfer_.next;
    transfer_.have >>= 1;
}

std::uint32_t LinkServer::chunk_length(std::uint32_t chunk) const noexcept {
    const std::uint32_t begin = chunk * kChunk;
    return std::min(kChunk, transfer_.total_bytes - begin);
}

std::uint8_t* LinkServer::slot(std::uint32_t chunk) noexcept {
    return window_.data() + static_cast<std::size_t>(chunk % window_frames_) * kChunkBytes;
}

Ack LinkServer::present_ack() const noexcept {
    const auto in_order = static_cast<std::uint32_t>(std::countr_one(transfer_.have));
    Ack out;
    out.next = transfer_.next + in_order;
    out.limit = std::min(transfer_.next + window_frames_, transfer_.chunks);
    out.bitmap = in_order >= 31 ? 0 : transfer_.have >> (in_order + 1);
    return out;
}

// A gateway that sends on without a session or after a failure is told, but not once a frame.
void LinkServer::refuse_data(Status status, std::uint16_t session, std::uint32_t sequence,
                             std::uint32_t now_ms) noexcept {
    if (refused_before_ && now_ms - refused_ms_ < kRefuseDataEveryMs) return;
    refused_before_ = true;
    refused_ms_ = now_ms;
    refusal_ = {status, wire(Type::data), {}};
    refusal_to_ = {wire(Type::refused), config_.address, session, sequence};
    refusal_due_ = true;
}

}  // namespace mcuota::link
