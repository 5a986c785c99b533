// SPDX-License-Identifier: GPL-2.0-or-later
// Frames, requests and the DATA window.

#include "virtual_board/prove/link_client.hpp"

#include <algorithm>

namespace mcuota::board {
namespace {

enum Type : std::uint8_t {
    kHello = 0x01,
    kOffer = 0x03,
    kData = 0x04,
    kFinish = 0x05,
    kInstall = 0x06,
    kRollback = 0x09,
    kRotate = 0x0F,
    kAck = 0xC0,
    kBoot = 0xC2,
    kRefused = 0xFF,
    kAnswer = 0x80
};
constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kEnvelopeHeadBytes = 24;
constexpr std::uint16_t kNoSession = 0x0104;
// A hello goes out this often: the loader listens for 40 ms before it starts an application.
constexpr Time kHelloEvery = 12 * kMillisecond;
// An answer may take the device an erase and a signature.
constexpr Time kRepeatAfter = 3 * kSecond;

void put_number(Bytes& out, std::uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i)
        out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

std::uint32_t number(std::span<const std::uint8_t> from, std::size_t at, unsigned bytes) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < bytes && at + i < from.size(); ++i)
        value |= std::uint32_t{from[at + i]} << (8 * i);
    return value;
}

Bytes cobs(std::span<const std::uint8_t> plain) {
    Bytes out{0};
    std::size_t code_at = 0;
    std::uint8_t code = 1;
    const auto close = [&] {
        out[code_at] = code;
        code_at = out.size();
        out.push_back(0);
        code = 1;
    };
    bool full = false;
    for (const std::uint8_t byte : plain) {
        if (full) {
            full = false;
            close();
        }
        if (byte == 0) {
            close();
            continue;
        }
        out.push_back(byte);
        full = ++code == 0xFF;
    }
    out[code_at] = code;
    return out;
}

/// False when `coded` is no COBS text.
bool uncobs(std::span<const std::uint8_t> coded, Bytes& out) {
    out.clear();
    for (std::size_t at = 0; at < coded.size();) {
        const std::size_t code = coded[at];
        if (code == 0 || at + code > coded.size()) return false;
        out.insert(out.end(), coded.begin() + static_cast<std::ptrdiff_t>(at + 1),
                   coded.begin() + static_cast<std::ptrdiff_t>(at + code));
        at += code;
        if (code != 0xFF && at < coded.size()) out.push_back(0);
    }
    return true;
}

}  // namespace

void LinkClient::listen() {
    stage_ = Stage::quiet;
    job_ = {};
    device_started();
}

void LinkClient::want(const LinkJob& job) {
    job_ = job;
    device_started();
    stage_ = Stage::hello;
}

void LinkClient::device_started() {
    session_ = 0;
    incoming_.clear();
    boot_reason_.reset();
    asked_ = 0;
    asked_at_ = 0;
    sequence_ = 0;
    nonce_ = 0;
    if (stage_ != Stage::quiet && stage_ != Stage::accepted && stage_ != Stage::refused)
        stage_ = Stage::hello;
}

void LinkClient::send_frame(std::uint8_t type, std::uint32_t sequence, std::span<const std::uint8_t> body,
                            bool opening) {
    Bytes plain{type, 0};
    put_number(plain, session_, 2);
    put_number(plain, sequence, 4);
    plain.insert(plain.end(), body.begin(), body.end());
    put_number(plain, crc32(plain), 4);
    Bytes wire = cobs(plain);
    if (opening) wire.insert(wire.begin(), 0);
    wire.push_back(0);
    send_(wire);
}

void LinkClient::ask(std::uint8_t type, const Bytes& body, Stage stage, Time now) {
    stage_ = stage;
    asked_ = type;
    asked_body_ = body;
    asked_at_ = now;
    send_frame(type, ++sequence_, body, true);
}

void LinkClient::hello(Time now) {
    session_ = 0;
    Bytes body{1, 1, 1};  // version 1; stay in the loader
    put_number(body, ++nonce_, 4);
    ask(kHello, body, Stage::hello, now);
}

void LinkClient::rotate_or_offer(Time now) {
    if (job_.rotations != nullptr && rotations_sent_ < job_.rotations->size())
        return ask(kRotate, (*job_.rotations)[rotations_sent_++], Stage::rotating, now);
    offer(false, now);
}

void LinkClient::offer(bool restart, Time now) {
    const Bytes& envelope = *job_.envelope;
    Bytes body;
    put_number(body, envelope.size(), 4);
    const Digest id = sha256(envelope);
    body.insert(body.end(), id.begin(), id.end());
    body.insert(body.end(), envelope.begin(), envelope.begin() + kEnvelopeHeadBytes);
    body.push_back(restart ? 1 : 0);
    ask(kOffer, body, Stage::offering, now);
}

void LinkClient::received(std::uint8_t byte, Time now) {
    if (byte != 0) {
        if (incoming_.size() < 2048) incoming_.push_back(byte);
        return;
    }
    frame(now);
    incoming_.clear();
}

void LinkClient::frame(Time now) {
    Bytes plain;
    if (incoming_.empty() || !uncobs(incoming_, plain) || plain.size() < kHeaderBytes + 4) return;
    const std::size_t checked = plain.size() - 4;
    if (crc32(std::span{plain}.first(checked)) != number(plain, checked, 4)) return;
    const std::uint8_t type = plain[0];
    const std::uint32_t sequence = number(plain, 4, 4);
    const std::span body = std::span{plain}.subspan(kHeaderBytes, checked - kHeaderBytes);
    if (type == kBoot) {
        boot_reason_ = static_cast<std::uint16_t>(number(body, 0, 2));
        return;
    }
    if (type == kAck) {
        acknowledged(number(body, 0, 4), number(body, 4, 4));
        if (stage_ == Stage::sending) send_chunks(now);
        return;
    }
    if (asked_ == 0 || sequence != sequence_) {
        if (type == kRefused && stage_ == Stage::sending && body.size() >= 3 && body[2] == kData) {
            refusal_ = static_cast<std::uint16_t>(number(body, 0, 2));
            stage_ = Stage::refused;
        }
        return;
    }
    if (type == kRefused) {
        const auto status = static_cast<std::uint16_t>(number(body, 0, 2));
        if (status == kNoSession) return hello(now);
        refusal_ = status;
        stage_ = Stage::refused;
        asked_ = 0;
        return;
    }
    if (type == (asked_ | kAnswer)) answered(type, body, now);
}

void LinkClient::answered(std::uint8_t type, std::span<const std::uint8_t> body, Time now) {
    asked_ = 0;
    switch (type & ~kAnswer) {
        case kHello: {
            if (body.size() < 12 || number(body, 8, 4) != nonce_) return;
            session_ = static_cast<std::uint16_t>(number(body, 2, 2));
            window_ = static_cast<std::uint16_t>(number(body, 4, 2));
            chunk_bytes_ = static_cast<std::uint16_t>(number(body, 6, 2));
            Bytes token;
            put_number(token, job_.token, 8);
            rotations_sent_ = 0;
            if (job_.envelope) return rotate_or_offer(now);
            return ask(kRollback, token, Stage::starting, now);
        }
        case kRotate:
            return rotate_or_offer(now);
        case kOffer: {
            const std::uint32_t held = number(body, 0, 4);
            const Bytes& envelope = *job_.envelope;
            if (held > envelope.size() || chunk_bytes_ == 0) return;
            const Digest mine = sha256(std::span{envelope}.first(held));
            if (!std::equal(mine.begin(), mine.end(), body.begin() + 8)) return offer(true, now);
            if (held == envelope.size()) return ask(kFinish, {}, Stage::finishing, now);
            stage_ = Stage::sending;
            next_chunk_ = sent_until_ = held / chunk_bytes_;
            limit_ = next_chunk_ + window_;
            return send_chunks(now);
        }
        case kFinish: {
            Bytes token;
            put_number(token, job_.token, 8);
            return ask(kInstall, token, Stage::starting, now);
        }
        case kInstall:
        case kRollback:
            stage_ = Stage::accepted;
            return;
        default:
            return;
    }
}

void LinkClient::acknowledged(std::uint32_t next, std::uint32_t limit) {
    if (stage_ != Stage::sending) return;
    next_chunk_ = std::max(next_chunk_, next);
    limit_ = std::max(limit_, limit);
}

void LinkClient::send_chunks(Time now) {
    const Bytes& envelope = *job_.envelope;
    const auto chunks = static_cast<std::uint32_t>((envelope.size() + chunk_bytes_ - 1) / chunk_bytes_);
    if (next_chunk_ >= chunks) return ask(kFinish, {}, Stage::finishing, now);
    asked_at_ = now;
    for (; sent_until_ < std::min(limit_, chunks); ++sent_until_) {
        const std::size_t begin = std::size_t{sent_until_} * chunk_bytes_;
        const std::size_t count = std::min<std::size_t>(chunk_bytes_, envelope.size() - begin);
        send_frame(kData, sent_until_, std::span{envelope}.subspan(begin, count), false);
    }
}

void LinkClient::poll(Time now) {
    switch (stage_) {
        case Stage::hello:
            if (asked_at_ == 0 || now - asked_at_ >= kHelloEvery) hello(now);
            break;
        case Stage::rotating:
        case Stage::offering:
        case Stage::finishing:
        case Stage::starting:
            if (now - asked_at_ >= kRepeatAfter) {
                asked_at_ = now;
                send_frame(asked_, sequence_, asked_body_, true);
            }
            break;
        case Stage::sending:
            if (now - asked_at_ >= kRepeatAfter) {
                sent_until_ = next_chunk_;
                send_chunks(now);
            }
            break;
        default:
            break;
    }
}

}  // namespace mcuota::board
