// Following an installation through the resets of the device.
#include "mcu_flasher/link/follow.hpp"

#include <algorithm>
#include <array>

#include "mcu_flasher/link/connect.hpp"

namespace mcuota::flasher {

namespace {
constexpr Micros kHelloEvery = 400 * kMicrosPerMs;
constexpr Micros kOutcomeEvery = 250 * kMicrosPerMs;
constexpr Patience kQuestionPatience{400, 800, 2'000};
}  // namespace

void FollowMachine::start(Channel& channel, Micros now) {
    give_up_at_ = now + options_.timeout_ms * kMicrosPerMs;
    nonce_ = options_.nonce;
    hello_sequence_ = channel.next_sequence();
    channel.drop_session();
    channel.set_baud(kBaseBaud);  // where every device starts
    say_hello(channel, now);
}

void FollowMachine::say_hello(Channel& channel, Micros now) {
    stage_ = Stage::hello;
    link::Hello hello;
    hello.nonce = nonce_;
    std::array<std::uint8_t, 16> body{};
    const std::size_t size = link::encode(hello, body);
    channel.send(link::Type::hello, 0, hello_sequence_, {body.data(), size}, now);
    deadline_ = std::max(channel.line_free_at(), now) + kHelloEvery;
}

void FollowMachine::start_over(Channel& channel, Micros now, Micros wait) {
    channel.drop_session();
    ++nonce_;
    hello_sequence_ = channel.next_sequence();
    stage_ = Stage::hello;
    deadline_ = now + wait;
}

Micros FollowMachine::deadline() const {
    const bool asking = stage_ == Stage::outcome || stage_ == Stage::identify;
    return std::min(asking ? ask_.deadline() : deadline_, give_up_at_);
}

void FollowMachine::on_frame(Channel& channel, const link::Frame& frame, Micros now) {
    const link::FrameHeader& header = frame.header;
    if (header.type == link::wire(link::Type::progress)) {
        link::ProgressEvent event;
        if (link::decode(frame.body, event) && event.token == token_) {
            step_ = event.step;
            percent_ = event.percent;
            const bool settled = event.step == link::Step::trial && event.percent == 100;
            if (settled && stage_ == Stage::waiting) return ask_outcome(channel, now);
            if (settled) return;  // the question is on its way
        }
        // The loader works and listens to nobody: ask again when it falls silent.
        return start_over(channel, now, kHelloEvery);
    }
    if (header.type == link::wire(link::Type::boot)) {
        link::BootEvent event;
        if (link::decode(frame.body, event)) boot_status_ = event.status;
        return start_over(channel, now, 0);
    }
    if (stage_ == Stage::outcome || stage_ == Stage::identify) {
        if (ask_.on_frame(frame)) settle(channel, now);
        return;
    }
    link::HelloAnswer answer;
    if (stage_ != Stage::hello || header.type != link::answer_to(link::Type::hello) ||
        header.sequence != hello_sequence_ || !link::decode(frame.body, answer) || answer.nonce != nonce_)
        return;
    channel.open_session({answer.session, answer.role, answer.window_frames, answer.chunk_bytes});
    ask_outcome(channel, now);
}

void FollowMachine::ask_outcome(Channel& channel, Micros now) {
    stage_ = Stage::outcome;
    std::vector<std::uint8_t> body(8);
    (void)link::encode_u64(token_, body);
    ask_.begin(channel, link::Type::outcome, channel.session().number, std::move(body), kQuestionPatience,
               now);
}

void FollowMachine::on_time(Channel& channel, Micros now) {
    if (now >= give_up_at_) return fail({Failure::Kind::unproven});
    switch (stage_) {
        case Stage::hello:
            return say_hello(channel, now);
        case Stage::waiting:
            return ask_outcome(channel, now);
        case Stage::outcome:
        case Stage::identify:
            ask_.on_time(channel, now);
            return settle(channel, now);
    }
}

void FollowMachine::settle(Channel& channel, Micros now) {
    if (ask_.state() == Ask::State::asking) return;
    if (ask_.state() != Ask::State::answered) {
        const Failure failure = ask_.failure();
        if (failure.kind == Failure::Kind::refused) return fail(failure);
        return start_over(channel, now, 0);  // it has reset meanwhile
    }
    if (stage_ == Stage::identify) {
        identity_ = {};
        return link::decode(ask_.answer(), identity_) ? end_well() : fail({Failure::Kind::nonsense});
    }
    if (!link::decode(ask_.answer(), outcome_)) return fail({Failure::Kind::nonsense});
    if (outcome_.status == Status::in_progress) {
        step_ = outcome_.step;
        percent_ = outcome_.percent;
        stage_ = Stage::waiting;
        deadline_ = now + kOutcomeEvery;
        return;
    }
    stage_ = Stage::identify;
    ask_.begin(channel, link::Type::identify, channel.session().number, {}, kQuestionPatience, now);
}

}  // namespace mcuota::flasher
