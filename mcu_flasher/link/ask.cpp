// One request and its answer.
#include "mcu_flasher/link/ask.hpp"

#include <algorithm>
#include <utility>

namespace mcuota::flasher {

void Ask::begin(Channel& channel, link::Type type, std::uint16_t session, std::vector<std::uint8_t> body,
                Patience patience, Micros now) {
    *this = Ask{};
    state_ = State::asking;
    type_ = type;
    session_ = session;
    sequence_ = channel.next_sequence();
    body_ = std::move(body);
    patience_ = patience;
    wait_ms_ = patience.first_wait_ms;
    heard_before_ = channel.bytes_heard();
    give_up_at_ = std::max(channel.line_free_at(), now) + patience.total_ms * kMicrosPerMs;
    send(channel, now);
}

void Ask::send(Channel& channel, Micros now) {
    channel.send(type_, session_, sequence_, body_, now);
    deadline_ = std::min(channel.line_free_at() + wait_ms_ * kMicrosPerMs, give_up_at_);
    deadline_ = std::max(deadline_, now + 1);
    wait_ms_ = std::min(wait_ms_ + wait_ms_ / 2, std::max(patience_.wait_ms_max, patience_.first_wait_ms));
}

bool Ask::on_frame(const link::Frame& frame) {
    if (state_ != State::asking) return false;
    const link::FrameHeader& header = frame.header;
    if (header.sequence != sequence_ || header.session != session_) return false;
    if (header.type == link::answer_to(type_)) {
        answer_.assign(frame.body.begin(), frame.body.end());
        state_ = State::answered;
        return true;
    }
    link::Refusal refusal;
    if (header.type != link::wire(link::Type::refused) || !link::decode(frame.body, refusal) ||
        refusal.type != link::wire(type_))
        return false;
    refusal_ = refusal.status;
    detail_ = std::string(refusal.detail);
    state_ = State::refused;
    return true;
}

void Ask::on_time(Channel& channel, Micros now) {
    if (state_ != State::asking || now < deadline_) return;
    if (now >= give_up_at_) {
        heard_bytes_ = channel.bytes_heard() != heard_before_;
        state_ = State::unanswered;
        return;
    }
    send(channel, now);
}

Failure Ask::failure() const {
    if (state_ == State::refused) {
        const auto kind =
            refusal_ == Status::no_session ? Failure::Kind::session_lost : Failure::Kind::refused;
        return {kind, refusal_, detail_};
    }
    return {heard_bytes_ ? Failure::Kind::garbled : Failure::Kind::silent};
}

void AskMachine::start(Channel& channel, Micros now) {
    ask_.begin(channel, type_, channel.session().number, body_, patience_, now);
}

void AskMachine::on_frame(Channel& channel, const link::Frame& frame, Micros) {
    // The device has restarted: the session is gone, no need to wait for the answer.
    if (frame.header.type == link::wire(link::Type::boot)) {
        channel.drop_session();
        return fail({Failure::Kind::session_lost});
    }
    if (ask_.on_frame(frame)) settle();
}

void AskMachine::on_time(Channel& channel, Micros now) {
    ask_.on_time(channel, now);
    settle();
}

void AskMachine::settle() {
    if (ask_.state() == Ask::State::answered) return end_well();
    if (ask_.state() != Ask::State::asking) fail(ask_.failure());
}

}  // namespace mcuota::flasher
