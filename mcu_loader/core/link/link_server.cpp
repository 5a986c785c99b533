// The device's link server: line in, requests, line out. The receive window is in link_window.cpp.
#include "mcu_loader/core/link/link_server.hpp"

#include <algorithm>

namespace mcuota::link {

namespace {
constexpr std::uint32_t kSpeedProofMs = 500;  // docs/link-protocol.md §5
constexpr std::uint32_t kSpeedIdleMs = 5'000;
constexpr std::uint32_t kSwitchDelayMs = 2;  // the gateway's receiver has the last byte by then
constexpr std::uint32_t kLineIdleMs = 3;
constexpr std::uint32_t kRingReserveBytes = 2'048;  // requests that come while the window is full

// What the gateway may have on the way must fit into the receive ring, and into the window's chunks.
std::uint32_t window_frames(std::size_t window_bytes, std::uint32_t ring_bytes) noexcept {
    const std::size_t slots = window_bytes / kChunkBytes;
    const std::size_t ring =
        ring_bytes > kRingReserveBytes ? (ring_bytes - kRingReserveBytes) / kWireBytesMax : 0;
    const std::size_t frames = std::min<std::size_t>({slots, ring, kWindowFramesMax});
    return static_cast<std::uint32_t>(std::max<std::size_t>(frames, 1));
}
}  // namespace

LinkServer::LinkServer(Line& line, Target& target, const LinkServerConfig& config,
                       std::span<std::uint8_t> window) noexcept
    : line_(line),
      target_(target),
      config_(config),
      window_(window),
      window_frames_(window_frames(window.size(), config.receive_ring_bytes)),
      baud_(config.base_baud) {}

bool LinkServer::poll(std::uint32_t now_ms) noexcept {
    if (served_) valid_ms_ = now_ms;  // the Target may have taken long: the gateway is still there
    served_ = false;
    bool worked = pump();
    after_answer(now_ms);
    // The answer buffer is one: nothing new is read until the line took the answer. The ring keeps what comes
    // meanwhile.
    if (answer_pending_ || after_ != After::nothing) return worked;
    if (deliver_waiting()) return true;
    if (receive(now_ms)) {
        worked = true;
    } else {
        watch_speed(now_ms);
        const bool owed = transfer_.unacknowledged != 0 || damaged_pending_;
        if (transfer_.open && owed && now_ms - heard_ms_ >= kLineIdleMs) ack_due_ = true;
    }
    worked = pump() || worked;
    return worked;
}

bool LinkServer::receive(std::uint32_t now_ms) noexcept {
    bool heard = false;
    while (true) {
        if (input_at_ == input_size_) {
            input_at_ = 0;
            input_size_ = line_.receive(input_);
            if (input_size_ == 0) return heard;
            heard_ms_ = now_ms;
            heard = true;
        }
        while (input_at_ < input_size_) {
            const FrameDecoder::Event event = decoder_.push(input_[input_at_++]);
            if (event == FrameDecoder::Event::damaged) {
                ++counters_.damaged;
                damaged_pending_ = true;
            } else if (event == FrameDecoder::Event::frame) {
                accept(decoder_.frame(), now_ms);
                return true;  // one frame a poll
            }
        }
    }
}

void LinkServer::accept(const Frame& frame, std::uint32_t now_ms) noexcept {
    const FrameHeader& header = frame.header;
    if (header.address != config_.address || (header.type & kAnswerBit) != 0) return;
    if (leaving_) {
        Hello hello;
        leaving_ = header.type != wire(Type::hello) || !decode(frame.body, hello) ||
                   (hello.flags & kHelloStayInLoader) == 0;
        if (leaving_) return;
    }
    ++counters_.frames;
    valid_ms_ = now_ms;
    served_ = true;
    answer_left_ms_ = now_ms;
    speed_unproven_ = false;
    if (header.type == wire(Type::data)) {
        on_data(frame, now_ms);
    } else if (is_repeat(frame)) {
        answer_at_ = 0;
        answer_pending_ = true;
        // The gateway missed that the speed was about to change: it changes after this answer instead.
        if (header.type == wire(Type::speed) && baud_next_ != 0) after_ = After::speed;
    } else {
        on_request(frame);
    }
}

bool LinkServer::is_repeat(const Frame& frame) noexcept {
    const FrameHeader& header = frame.header;
    if (!last_.valid || header.type != last_.type || header.sequence != last_.sequence ||
        header.session != last_.session)
        return false;
    if (header.type != wire(Type::hello)) return true;
    Hello hello;
    return decode(frame.body, hello) && hello.nonce == last_.nonce;
}

void LinkServer::on_request(const Frame& frame) noexcept {
    const FrameHeader& header = frame.header;
    last_ = {true, header.type, header.session, header.sequence, 0};
    baud_next_ = 0;
    if (header.type == wire(Type::hello)) return on_hello(frame);
    if (session_ == 0 || header.session != session_) return refuse(header, Status::no_session);
    switch (static_cast<Type>(header.type)) {
        case Type::identify:
            return on_identify(frame);
        case Type::offer:
            return on_offer(frame);
        case Type::finish:
            return on_finish(frame);
        case Type::install:
        case Type::outcome:
        case Type::rollback:
            return on_token(frame);
        case Type::confirm:
            return answer_status(frame, target_.confirm());
        case Type::reboot:
            return on_reboot(frame);
        case Type::rotate:
            return on_rotate(frame);
        case Type::self_test:
            return on_self_test(frame);
        case Type::log:
            return on_log(frame);
        case Type::speed:
            return on_speed(frame);
        case Type::abort:
            transfer_ = {};
            target_.abort_staging();
            return answer(frame, 0);
        case Type::echo:
            return answer_bytes(frame, frame.body, After::nothing);
        default:
            return refuse(header, Status::unknown_request);
    }
}

void LinkServer::on_hello(const Frame& frame) noexcept {
    Hello hello;
    if (!decode(frame.body, hello)) return refuse(frame.header, Status::malformed_request);
    last_.nonce = hello.nonce;
    if (hello.version_low > kProtocolVersion || hello.version_high < kProtocolVersion)
        return refuse(frame.header, Status::unsupported_version);
    if ((hello.flags & kHelloStayInLoader) != 0) stay_requested_ = true;
    // The gateway's nonce is the randomness: a session from before a reset is not taken for this one.
    std::uint16_t fresh = static_cast<std::uint16_t>(hello.nonce ^ (hello.nonce >> 16));
    while (fresh == 0 || fresh == session_)
        ++fresh;
    session_ = fresh;
    transfer_ = {};
    HelloAnswer out;
    out.role = config_.role;
    out.session = session_;
    out.window_frames = static_cast<std::uint16_t>(window_frames_);
    out.chunk_bytes = kChunkBytes;
    out.nonce = hello.nonce;
    answer(frame, encode(out, body_));
}

void LinkServer::on_identify(const Frame& frame) noexcept {
    Identity identity;
    target_.identity(identity);
    identity.role = config_.role;
    answer(frame, encode(identity, body_));
}

void LinkServer::on_token(const Frame& frame) noexcept {
    std::uint64_t token = 0;
    if (!decode_u64(frame.body, token) || token == 0) return refuse(frame.header, Status::malformed_request);
    switch (static_cast<Type>(frame.header.type)) {
        case Type::install:
            return answer_status(frame, target_.install(token), After::reset);
        case Type::rollback:
            return answer_status(frame, target_.rollback(token), After::reset);
        default:
            break;
    }
    Outcome outcome;
    const Status status = target_.outcome(token, outcome);
    if (status != Status::ok) outcome.status = status;
    answer(frame, encode(outcome, body_));
}

void LinkServer::on_reboot(const Frame& frame) noexcept {
    if (frame.body.size() != 1 || frame.body[0] > 1) return refuse(frame.header, Status::malformed_request);
    answer_status(frame, target_.reboot(frame.body[0] == 1), After::reset);
}

void LinkServer::on_rotate(const Frame& frame) noexcept {
    std::uint16_t generation = 0;
    if (const Status status = target_.rotate(frame.body, generation); status != Status::ok)
        return refuse(frame.header, status);
    answer(frame, encode_u16(generation, body_));
}

void LinkServer::on_self_test(const Frame& frame) noexcept {
    std::size_t size = 0;
    if (const Status status = target_.self_test(frame.body, body_, size); status != Status::ok)
        return refuse(frame.header, status);
    answer(frame, size);
}

void LinkServer::on_log(const Frame& frame) noexcept {
    std::uint32_t first = 0;
    if (!decode_u32(frame.body, first)) return refuse(frame.header, Status::malformed_request);
    const std::span<char> text{reinterpret_cast<char*>(body_.data()), body_.size()};
    answer(frame, std::min(target_.log(first, text), body_.size()));
}

void LinkServer::on_speed(const Frame& frame) noexcept {
    std::uint32_t baud = 0;
    if (!decode_u32(frame.body, baud)) return refuse(frame.header, Status::malformed_request);
    if (baud == 0 || !target_.speed_supported(baud)) return refuse(frame.header, Status::speed_unsupported);
    baud_next_ = baud;
    answer(frame, 0, After::speed);
}

void LinkServer::answer_status(const Frame& to, Status status, After after) noexcept {
    if (status != Status::ok) return refuse(to.header, status);
    answer(to, 0, after);
}

void LinkServer::answer(const Frame& to, std::size_t body_bytes, After after) noexcept {
    answer_bytes(to, {body_.data(), body_bytes}, after);
}

void LinkServer::answer_bytes(const Frame& to, std::span<const std::uint8_t> body, After after) noexcept {
    FrameHeader header = to.header;
    header.type = static_cast<std::uint8_t>(header.type | kAnswerBit);
    put(header, body);
    after_ = after;
}

void LinkServer::refuse(const FrameHeader& to, Status status) noexcept {
    FrameHeader header = to;
    header.type = wire(Type::refused);
    const std::size_t size = encode(Refusal{status, to.type, {}}, body_);
    put(header, {body_.data(), size});
}

void LinkServer::put(const FrameHeader& header, std::span<const std::uint8_t> body) noexcept {
    answer_size_ = encode_frame(header, body, Opening::zero, answer_);
    answer_at_ = 0;
    answer_pending_ = true;
}

void LinkServer::send_progress(std::uint64_t token, Step step, std::uint8_t percent) noexcept {
    progress_ = {token, step, percent};
    progress_due_ = true;
    (void)pump();
}

void LinkServer::send_boot(Status status) noexcept {
    boot_ = {status, config_.role};
    boot_due_ = true;
    (void)pump();
}

// Moves what waits into the line, whole frames in turn. An event begun is finished first, then answers, then
// events.
bool LinkServer::pump() noexcept {
    bool moved = false;
    while (true) {
        if (event_at_ == event_size_ && (!answer_pending_ || answer_at_ == 0)) {
            event_at_ = event_size_ = 0;
            if (!answer_pending_ && !next_event()) return moved;
        }
        const bool event = event_size_ != 0;
        std::size_t& at = event ? event_at_ : answer_at_;
        const std::size_t size = event ? event_size_ : answer_size_;
        const std::uint8_t* bytes = event ? event_.data() : answer_.data();
        const std::size_t taken = line_.send({bytes + at, size - at});
        at += taken;
        moved = moved || taken != 0;
        if (at < size) return moved;
        if (!event) answer_pending_ = false;
    }
}

bool LinkServer::next_event() noexcept {
    FrameHeader header;
    header.address = config_.address;
    std::array<std::uint8_t, 16> body{};
    std::size_t size = 0;
    if (refusal_due_) {
        refusal_due_ = false;
        header = refusal_to_;
        size = encode(refusal_, body);
    } else if (ack_due_ && transfer_.open) {
        ack_due_ = false;
        damaged_pending_ = false;
        transfer_.unacknowledged = 0;
        header.type = wire(Type::ack);
        header.session = session_;
        size = encode(present_ack(), body);
    } else if (boot_due_) {
        boot_due_ = false;
        header.type = wire(Type::boot);
        size = encode(boot_, body);
    } else if (progress_due_) {
        progress_due_ = false;
        header.type = wire(Type::progress);
        size = encode(progress_, body);
    } else {
        return false;
    }
    event_at_ = 0;
    event_size_ = encode_frame(header, {body.data(), size}, Opening::zero, event_);
    return event_size_ != 0;
}

void LinkServer::after_answer(std::uint32_t now_ms) noexcept {
    if (after_ == After::nothing) return;
    if (answer_pending_ || event_at_ != event_size_ || !line_.sent()) {
        answer_left_ms_ = now_ms;
        return;
    }
    if (now_ms - answer_left_ms_ < kSwitchDelayMs) return;
    const After what = after_;
    after_ = After::nothing;
    if (what == After::speed) {
        set_baud(baud_next_, now_ms);
        speed_unproven_ = baud_ != config_.base_baud;
    } else {
        session_ = 0;
        last_ = {};
        transfer_ = {};
        target_.reset_now();
    }
}

// A gateway that went away, or a line too bad for the speed: the device is always found again at the base
// speed.
void LinkServer::watch_speed(std::uint32_t now_ms) noexcept {
    if (baud_ == config_.base_baud) return;
    const std::uint32_t patience_ms = speed_unproven_ ? kSpeedProofMs : kSpeedIdleMs;
    if (now_ms - valid_ms_ >= patience_ms) set_baud(config_.base_baud, now_ms);
}

void LinkServer::set_baud(std::uint32_t baud, std::uint32_t now_ms) noexcept {
    baud_ = baud;
    valid_ms_ = now_ms;
    speed_unproven_ = false;
    decoder_.reset();
    line_.set_baud(baud);
}

}  // namespace mcuota::link
