// The link protocol: bytes of the wire, and requests in good frames with any content.

#include <algorithm>

#include "mcu_loader/core/link/frame.hpp"
#include "mcu_loader/core/link/messages.hpp"
#include "tests/fuzz/target_list.hpp"
#include "tests/unit/link/sim.hpp"

namespace mcuota::fuzz {
namespace {

using link::FrameDecoder;
using link::Type;

Bytes framed(const link::FrameHeader& header, View body) {
    Bytes out(link::kWireBytesMax);
    out.resize(link::encode_frame(header, body, link::Opening::zero, out));
    return out;
}

/// Hands over bytes, takes answers, and keeps the session the server gave.
class Wire final : public link::Line {
  public:
    std::size_t receive(std::span<std::uint8_t> to) noexcept override {
        const std::size_t count = std::min(to.size(), in_.size() - at_);
        std::copy_n(in_.begin() + static_cast<std::ptrdiff_t>(at_), count, to.begin());
        at_ += count;
        return count;
    }
    std::size_t send(std::span<const std::uint8_t> bytes) noexcept override {
        for (const std::uint8_t byte : bytes)
            if (decoder_.push(byte) == FrameDecoder::Event::frame) heard(decoder_.frame());
        return bytes.size();
    }
    bool sent() noexcept override { return true; }
    void set_baud(std::uint32_t /*baud*/) noexcept override {}

    void put(View bytes) { in_.insert(in_.end(), bytes.begin(), bytes.end()); }
    std::uint16_t session{0};

  private:
    void heard(const link::Frame& frame) {
        if (frame.header.type == link::answer_to(Type::hello)) {
            link::HelloAnswer answer;
            if (!link::decode(frame.body, answer)) broken("the server's answers are in good form");
            session = answer.session;
        }
    }
    Bytes in_;
    std::size_t at_{0};
    FrameDecoder decoder_;
};

constexpr std::size_t kRecordHeadBytes = 4;
constexpr std::uint8_t kForeignSession = 1, kRawBytes = 2, kRepeat = 4;

void record(Bytes& out, Type type, View body, std::uint8_t flags = 0) {
    out.insert(out.end(), {link::wire(type), flags, static_cast<std::uint8_t>(body.size()),
                           static_cast<std::uint8_t>(body.size() >> 8)});
    out.insert(out.end(), body.begin(), body.end());
}

template <class Message>
Bytes body_of(const Message& message) {
    Bytes out(link::kBodyBytesMax);
    out.resize(link::encode(message, out));
    return out;
}

Bytes number_body(std::uint64_t value) {
    Bytes out(16);
    out.resize(link::encode_u64(value, out));
    return out;
}

}  // namespace

void run_link_frame(View input) {
    FrameDecoder decoder;
    for (const std::uint8_t byte : input) {
        if (decoder.push(byte) != FrameDecoder::Event::frame) continue;
        const link::Frame frame = decoder.frame();
        if (frame.body.size() > link::kBodyBytesMax) broken("bodies have a limit");
        FrameDecoder again;
        bool back = false;
        for (const std::uint8_t coded : framed(frame.header, frame.body))
            if (again.push(coded) == FrameDecoder::Event::frame)
                back = again.frame().header.type == frame.header.type &&
                       std::equal(frame.body.begin(), frame.body.end(), again.frame().body.begin(),
                                  again.frame().body.end());
        if (!back) broken("a frame that was heard can be said again");
    }
}

std::vector<Bytes> link_frame_seeds() {
    Bytes two = framed({link::wire(Type::hello), 0, 0, 1}, body_of(link::Hello{}));
    const Bytes zeros = framed({link::wire(Type::data), 0, 7, 2}, Bytes(300, 0));
    two.insert(two.end(), zeros.begin(), zeros.end());
    return {two, framed({link::wire(Type::echo), 0, 3, 4}, Bytes(254, 0x55))};
}

void run_link_server(View input) {
    Wire wire;
    sim::FakeTarget target;
    Bytes window(8 * link::kChunkBytes);
    link::LinkServer server(wire, target, {link::Role::loader, 0, 115'200, 32'768}, window);
    std::uint32_t now_ms = 0, sequence = 0;
    const auto run = [&] {
        now_ms += 5;
        for (int poll = 0; poll < 100 && server.poll(now_ms); ++poll) {
        }
    };
    wire.put(framed({link::wire(Type::hello), 0, 0, ++sequence}, body_of(link::Hello{})));
    run();
    for (unsigned frames = 0; input.size() >= kRecordHeadBytes && frames < 200; ++frames) {
        const std::uint8_t type = input[0], flags = input[1];
        const std::size_t told = input[2] | std::size_t{input[3]} << 8;
        input = input.subspan(kRecordHeadBytes);
        const View body = input.first(std::min({told, input.size(), link::kBodyBytesMax}));
        input = input.subspan(body.size());
        if ((flags & kRawBytes) != 0) {
            wire.put(body);
        } else {
            if ((flags & kRepeat) == 0) ++sequence;
            // DATA frames count chunks, and come without bound: their number is part of the input.
            const std::uint32_t number = type == link::wire(Type::data) ? flags >> 3 : sequence;
            const auto session =
                static_cast<std::uint16_t>(wire.session + ((flags & kForeignSession) != 0 ? 1 : 0));
            wire.put(framed({type, 0, session, number}, body));
        }
        run();
        if (target.stored.size() > target.total) broken("no more is written than was offered");
    }
}

std::vector<Bytes> link_server_seeds() {
    const Bytes envelope = sim::random_bytes(2500, 1);
    link::Offer offer;
    offer.envelope_bytes = static_cast<std::uint32_t>(envelope.size());
    offer.package_id = sha256(envelope);
    Bytes all;
    record(all, Type::identify, {});
    record(all, Type::offer, body_of(offer));
    for (std::uint8_t n = 0; n * link::kChunkBytes < envelope.size(); ++n)
        record(all, Type::data,
               View(envelope).subspan(n * link::kChunkBytes,
                                      std::min(link::kChunkBytes, envelope.size() - n * link::kChunkBytes)),
               static_cast<std::uint8_t>(n << 3));
    record(all, Type::finish, {});
    record(all, Type::install, number_body(77));
    Bytes requests;
    for (const Type type : {Type::outcome, Type::rollback})
        record(requests, type, number_body(77));
    for (const Type type : {Type::confirm, Type::abort, Type::identify})
        record(requests, type, {});
    record(requests, Type::echo, Bytes(100, 1));
    record(requests, Type::log, Bytes(4, 0));
    record(requests, Type::speed, Bytes{0x00, 0x10, 0x0E, 0x00});
    record(requests, Type::rotate, Bytes(149, 0x4D));
    record(requests, Type::reboot, Bytes{1});
    return {all, requests};
}

}  // namespace mcuota::fuzz
