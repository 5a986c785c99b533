// Finding a device and opening a session.
#include "mcu_flasher/link/connect.hpp"

#include <algorithm>
#include <array>

namespace mcuota::flasher {

namespace {
constexpr std::size_t kTriesPerSpeed = 2;
constexpr Micros kHelloWait = 150 * kMicrosPerMs;
constexpr Micros kHelloWaitMax = 600 * kMicrosPerMs;
// A device that switched its speed and heard nothing is back at the base speed after 500 ms
// (docs/link-protocol.md §5).
constexpr Micros kFallBackWait = 600 * kMicrosPerMs;
constexpr Micros kSwitchPause = 20 * kMicrosPerMs;  // for the device to follow
constexpr Patience kSpeedPatience{200, 400, 1'500};
constexpr Patience kProofPatience{80, 120, 400};
// Bytes a line at a wrong speed would not carry through by accident.
constexpr std::array<std::uint8_t, 12> kProofBytes{0x00, 0xFF, 0x55, 0xAA, 0x0F, 0xF0,
                                                   0x01, 0x80, 0x7F, 0xFE, 0x33, 0xCC};
}  // namespace

void ConnectMachine::start(Channel& channel, Micros now) {
    channel.drop_session();
    bytes_before_ = channel.bytes_heard();
    frames_before_ = channel.frames_heard();
    give_up_at_ = now + options_.timeout_ms * kMicrosPerMs;
    speeds_ = {channel.baud()};
    if (channel.baud() != 0) {
        // A device that is still in a session listens at its speed, any other at the base speed: first where
        // it was heard last.
        speeds_ = {options_.wanted_baud};
        if (options_.wanted_baud != kBaseBaud) {
            speeds_.insert(channel.baud() == options_.wanted_baud ? speeds_.end() : speeds_.begin(),
                           kBaseBaud);
        }
    }
    hello_sequence_ = channel.next_sequence();
    say_hello(channel, now);
}

void ConnectMachine::say_hello(Channel& channel, Micros now) {
    stage_ = Stage::hello;
    const std::size_t turn = tries_ / kTriesPerSpeed;
    channel.set_baud(speeds_[turn % speeds_.size()]);
    link::Hello hello;
    hello.flags = options_.stay_in_loader ? link::kHelloStayInLoader : 0;
    hello.nonce = options_.nonce;
    std::array<std::uint8_t, 16> body{};
    const std::size_t size = link::encode(hello, body);
    channel.send(link::Type::hello, 0, hello_sequence_, {body.data(), size}, now);
    const Micros wait = std::min(kHelloWait * (1 + turn / speeds_.size()), kHelloWaitMax);
    deadline_ = std::max(channel.line_free_at(), now) + wait;
    ++tries_;
}

Micros ConnectMachine::deadline() const {
    if (stage_ == Stage::speed || stage_ == Stage::proof) return ask_.deadline();
    return deadline_;
}

void ConnectMachine::on_frame(Channel& channel, const link::Frame& frame, Micros now) {
    const link::FrameHeader& header = frame.header;
    if (header.type == link::wire(link::Type::progress)) installing_ = true;
    if (stage_ == Stage::speed || stage_ == Stage::proof) {
        if (ask_.on_frame(frame)) settle(channel, now);
        return;
    }
    if (stage_ != Stage::hello || header.sequence != hello_sequence_) return;
    if (header.type == link::wire(link::Type::refused)) {
        link::Refusal refusal;
        if (link::decode(frame.body, refusal) && refusal.type == link::wire(link::Type::hello))
            fail({Failure::Kind::refused, refusal.status, std::string(refusal.detail)});
        return;
    }
    if (header.type != link::answer_to(link::Type::hello)) return;
    link::HelloAnswer answer;
    if (!link::decode(frame.body, answer) || answer.nonce != options_.nonce)
        return;  // of another conversation
    on_hello_answer(channel, answer, now);
}

void ConnectMachine::on_hello_answer(Channel& channel, const link::HelloAnswer& answer, Micros now) {
    if (answer.version != link::kProtocolVersion)
        return fail({Failure::Kind::refused, Status::unsupported_version});
    if (answer.chunk_bytes > link::kChunkBytes) return fail({Failure::Kind::nonsense});
    channel.open_session({answer.session, answer.role, answer.window_frames, answer.chunk_bytes});
    if (channel.baud() == 0 || channel.baud() == options_.wanted_baud || speed_given_up_) return end_well();
    stage_ = Stage::speed;
    std::vector<std::uint8_t> body(4);
    (void)link::encode_u32(options_.wanted_baud, body);
    ask_.begin(channel, link::Type::speed, answer.session, std::move(body), kSpeedPatience, now);
}

void ConnectMachine::on_time(Channel& channel, Micros now) {
    if (stage_ == Stage::speed || stage_ == Stage::proof) {
        ask_.on_time(channel, now);
        return settle(channel, now);
    }
    if (now < deadline_) return;
    if (stage_ == Stage::switching) return prove_speed(channel, now);
    if (now >= give_up_at_ && stage_ == Stage::hello) {
        if (installing_) return fail({Failure::Kind::installing});
        const bool heard_bytes = channel.bytes_heard() != bytes_before_;
        const bool heard_frames = channel.frames_heard() != frames_before_;
        return fail({heard_bytes && !heard_frames ? Failure::Kind::garbled : Failure::Kind::silent});
    }
    say_hello(channel, now);
}

void ConnectMachine::settle(Channel& channel, Micros now) {
    if (ask_.state() == Ask::State::asking) return;
    const bool answered = ask_.state() == Ask::State::answered;
    if (stage_ == Stage::proof) return answered ? end_well() : give_up_speed(channel, now);
    if (!answered) {
        // Refused: the device keeps the base speed, and so does the session.
        if (ask_.state() == Ask::State::refused && ask_.failure().kind == Failure::Kind::refused) {
            speed_given_up_ = true;
            return end_well();
        }
        return give_up_speed(channel, now);
    }
    channel.set_baud(options_.wanted_baud);
    stage_ = Stage::switching;
    deadline_ = now + kSwitchPause;
}

void ConnectMachine::prove_speed(Channel& channel, Micros now) {
    stage_ = Stage::proof;
    ask_.begin(channel, link::Type::echo, channel.session().number, {kProofBytes.begin(), kProofBytes.end()},
               kProofPatience, now);
}

void ConnectMachine::give_up_speed(Channel& channel, Micros now) {
    speed_given_up_ = true;
    channel.drop_session();
    stage_ = Stage::fall_back;
    speeds_ = {kBaseBaud};
    tries_ = 0;
    hello_sequence_ = channel.next_sequence();
    deadline_ = now + kFallBackWait;
    give_up_at_ = std::max(give_up_at_, deadline_ + 1'000 * kMicrosPerMs);
}

}  // namespace mcuota::flasher
