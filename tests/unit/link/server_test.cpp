// The device's server, frame by frame: idempotence, refusals, the window, speed, events.
#include <catch2/catch.hpp>
#include <functional>
#include <optional>

#include "tests/unit/link/sim.hpp"

using namespace mcuota;
using namespace mcuota::link;
using sim::Bytes;

namespace {

/// A line that hands over bytes at once.
class BenchLine final : public Line {
  public:
    std::size_t receive(std::span<std::uint8_t> to) noexcept override {
        const std::size_t count = std::min(to.size(), in.size());
        std::copy_n(in.begin(), count, to.begin());
        in.erase(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(count));
        return count;
    }
    std::size_t send(std::span<const std::uint8_t> bytes) noexcept override {
        const std::size_t count = std::min(bytes.size(), room);
        out.insert(out.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
        room -= count;
        return count;
    }
    bool sent() noexcept override { return drained; }
    void set_baud(std::uint32_t value) noexcept override { baud = value; }

    Bytes in, out;
    std::size_t room{1'000'000};
    bool drained{true};
    std::uint32_t baud{115'200};
};

struct Heard {
    FrameHeader header;
    Bytes body;
    [[nodiscard]] Status refusal() const {
        Refusal out;
        return header.type == wire(Type::refused) && decode(body, out) ? out.status : Status::ok;
    }
};

struct Bench {
    explicit Bench(std::size_t frames = 8, std::uint32_t ring = 32'768)
        : window(frames * kChunkBytes), server(line, target, {Role::loader, 0, 115'200, ring}, window) {}

    void put(Type type, std::uint16_t of_session, std::uint32_t sequence, const Bytes& body,
             std::uint8_t address = 0) {
        Bytes frame(kWireBytesMax);
        frame.resize(encode_frame({wire(type), address, of_session, sequence}, body, Opening::zero, frame));
        line.in.insert(line.in.end(), frame.begin(), frame.end());
    }
    std::vector<Heard> run(std::uint32_t for_ms = 20) {
        for (std::uint32_t i = 0; i < for_ms; ++i) {
            ++now_ms;
            for (int poll = 0; poll < 64 && server.poll(now_ms); ++poll) {
            }
        }
        std::vector<Heard> heard;
        for (const std::uint8_t byte : std::exchange(line.out, {}))
            if (decoder.push(byte) == FrameDecoder::Event::frame) {
                const Frame frame = decoder.frame();
                heard.push_back({frame.header, {frame.body.begin(), frame.body.end()}});
            }
        return heard;
    }
    Heard ask(Type type, const Bytes& body, std::uint32_t sequence = 0) {
        put(type, session, sequence == 0 ? ++last_sequence : sequence, body);
        const auto heard = run();
        REQUIRE(!heard.empty());
        return heard.front();
    }
    void hello(std::uint32_t nonce = 0x5566'7788) {
        Bytes body(7);
        (void)encode(Hello{1, 1, 0, nonce}, body);
        put(Type::hello, 0, ++last_sequence, body);
        const auto heard = run();
        REQUIRE(heard.size() == 1);
        HelloAnswer answer;
        REQUIRE(decode(heard[0].body, answer));
        CHECK(answer.nonce == nonce);
        session = answer.session;
        window_frames = answer.window_frames;
    }
    Held offer(const Bytes& envelope, bool restart = false) {
        Offer offer;
        offer.envelope_bytes = static_cast<std::uint32_t>(envelope.size());
        offer.package_id = sha256(envelope);
        offer.restart = restart;
        Bytes body(96);
        body.resize(encode(offer, body));
        const Heard answer = ask(Type::offer, body);
        Held held;
        REQUIRE(decode(answer.body, held));
        return held;
    }
    void chunk(const Bytes& envelope, std::uint32_t n) {
        const std::size_t begin = n * kChunkBytes;
        const std::size_t end = std::min(envelope.size(), begin + kChunkBytes);
        put(Type::data, session, n,
            {envelope.begin() + static_cast<std::ptrdiff_t>(begin),
             envelope.begin() + static_cast<std::ptrdiff_t>(end)});
    }
    std::optional<Ack> last_ack(const std::vector<Heard>& heard) {
        std::optional<Ack> out;
        for (const Heard& frame : heard) {
            Ack ack;
            if (frame.header.type == wire(Type::ack) && decode(frame.body, ack)) out = ack;
        }
        return out;
    }

    BenchLine line;
    sim::FakeTarget target;
    Bytes window;
    LinkServer server;
    FrameDecoder decoder;
    std::uint32_t now_ms{1'000};
    std::uint16_t session{0}, window_frames{0};
    std::uint32_t last_sequence{0};
};

Bytes u32(std::uint32_t value) {
    Bytes out(4);
    (void)encode_u32(value, out);
    return out;
}
Bytes u64(std::uint64_t value) {
    Bytes out(8);
    (void)encode_u64(value, out);
    return out;
}

}  // namespace

TEST_CASE("a request repeated with its sequence is answered again and performed once", "[link][server]") {
    struct Row {
        Type type;
        Bytes body;
        const char* call;
    };
    const Row row = GENERATE(Row{Type::confirm, {}, "confirm"}, Row{Type::finish, {}, "finish"},
                             Row{Type::identify, {}, "identity"}, Row{Type::log, u32(0), "log"},
                             Row{Type::outcome, u64(5), "outcome"}, Row{Type::rotate, {1}, "rotate"});
    Bench bench;
    bench.hello();
    const Heard first = bench.ask(row.type, row.body, 900);
    const Heard again = bench.ask(row.type, row.body, 900);
    CHECK(first.header.type == answer_to(row.type));
    CHECK(again.body == first.body);
    CHECK(bench.target.calls[row.call] == 1);
    (void)bench.ask(row.type, row.body, 901);
    CHECK(bench.target.calls[row.call] == 2);
}

TEST_CASE("requests outside a session, of another session, unknown or malformed are refused with the reason",
          "[link][server]") {
    Bench bench;
    bench.put(Type::identify, 1, 1, {});
    CHECK(bench.run().at(0).refusal() == Status::no_session);
    bench.hello();
    bench.put(Type::identify, static_cast<std::uint16_t>(bench.session + 1), 2, {});
    CHECK(bench.run().at(0).refusal() == Status::no_session);
    struct Row {
        Type type;
        Bytes body;
        Status status;
    };
    const Row rows[] = {
        {Type{0x33}, {}, Status::unknown_request},
        {Type::offer, Bytes(60), Status::malformed_request},
        {Type::install, u64(0), Status::malformed_request},
        {Type::install, u32(1), Status::malformed_request},
        {Type::outcome, {}, Status::malformed_request},
        {Type::reboot, {2}, Status::malformed_request},
        {Type::reboot, {}, Status::malformed_request},
        {Type::log, {1}, Status::malformed_request},
        {Type::speed, {1}, Status::malformed_request},
        {Type::speed, u32(9'000'000), Status::speed_unsupported},
        {Type::speed, u32(0), Status::speed_unsupported},
    };
    for (const Row& row : rows)
        CHECK(bench.ask(row.type, row.body).refusal() == row.status);
    CHECK(bench.target.calls["install"] == 0);
    CHECK(bench.target.calls["reset"] == 0);
}

TEST_CASE("a loader about to start the application hears only the wish that it stays", "[link]") {
    Bench bench;
    bench.server.set_leaving();
    Bytes body(7);
    (void)encode(Hello{1, 1, 0, 0x1111'2222}, body);
    bench.put(Type::hello, 0, 1, body);
    bench.put(Type::identify, 7, 2, {});
    bench.put(Type::hello, 0, 3, {1});
    CHECK(bench.run().empty());
    CHECK_FALSE(bench.server.in_session());
    CHECK_FALSE(bench.server.stay_requested());

    (void)encode(Hello{1, 1, kHelloStayInLoader, 0x3333'4444}, body);
    bench.put(Type::hello, 0, 4, body);
    CHECK(bench.run().size() == 1);
    CHECK(bench.server.stay_requested());
    bench.hello();
}

TEST_CASE("a hello no common version answers is refused, one with a new nonce opens a new session",
          "[link][server]") {
    Bench bench;
    Bytes body(7);
    (void)encode(Hello{2, 9, 0, 1}, body);
    bench.put(Type::hello, 0, 1, body);
    CHECK(bench.run().at(0).refusal() == Status::unsupported_version);
    bench.hello(0x0001'0002);
    const std::uint16_t first = bench.session;
    bench.hello(0x0001'0002);  // another sequence: asked anew
    CHECK(bench.session != first);
    CHECK_FALSE(bench.server.stay_requested());
    (void)encode(Hello{1, 9, kHelloStayInLoader, 77}, body);
    bench.put(Type::hello, 0, 50, body);
    (void)bench.run();
    CHECK(bench.server.stay_requested());
}

TEST_CASE("frames for other addresses, for all, and a device's own frames are not answered",
          "[link][server]") {
    Bench bench;
    Bytes body(7);
    (void)encode(Hello{1, 1, 0, 1}, body);
    bench.put(Type::hello, 0, 1, body, 5);
    bench.put(Type::hello, 0, 1, body, kAddressAll);
    bench.put(Type{0x81}, 0, 1, body);
    CHECK(bench.run().empty());
}

TEST_CASE("the target's refusals reach the gateway as they are", "[link][server]") {
    Bench bench;
    bench.hello();
    for (const char* call : {"finish", "install", "confirm", "rollback", "reboot", "rotate"})
        bench.target.refusals[call] = Status::wrong_hardware;
    CHECK(bench.ask(Type::finish, {}).refusal() == Status::wrong_hardware);
    CHECK(bench.ask(Type::install, u64(1)).refusal() == Status::wrong_hardware);
    CHECK(bench.ask(Type::confirm, {}).refusal() == Status::wrong_hardware);
    CHECK(bench.ask(Type::rollback, u64(1)).refusal() == Status::wrong_hardware);
    CHECK(bench.ask(Type::reboot, {1}).refusal() == Status::wrong_hardware);
    CHECK(bench.ask(Type::rotate, {1}).refusal() == Status::wrong_hardware);
    CHECK(bench.target.calls["reset"] == 0);
}

TEST_CASE("a rotation record reaches the target whole and its generation comes back", "[link][server]") {
    Bench bench;
    bench.hello();
    const Bytes record = sim::random_bytes(532, 4);
    const Heard answer = bench.ask(Type::rotate, record);
    CHECK(answer.header.type == answer_to(Type::rotate));
    std::uint16_t generation = 0;
    REQUIRE(decode_u16(answer.body, generation));
    CHECK(generation == 1);
    CHECK(bench.target.rotation == record);
    CHECK(bench.target.calls["reset"] == 0);
}

TEST_CASE("the device resets only after the answer has left the wire", "[link][server]") {
    Bench bench;
    bench.hello();
    bench.line.drained = false;
    CHECK(bench.ask(Type::install, u64(7)).header.type == answer_to(Type::install));
    (void)bench.run();
    CHECK(bench.target.calls["reset"] == 0);
    bench.line.drained = true;
    (void)bench.run();
    CHECK(bench.target.calls["reset"] == 1);
}

TEST_CASE("an answer waits for room in the transmitter and is never lost", "[link][server]") {
    Bench bench;
    bench.hello();
    bench.line.room = 3;
    bench.put(Type::echo, bench.session, 70, Bytes(800, 0x42));
    CHECK(bench.run().empty());
    bench.server.send_progress(1, Step::apply, 10);  // must not cut into the answer begun
    std::vector<Heard> heard;
    for (int i = 0; i < 40; ++i) {
        bench.line.room = 50;
        for (Heard& frame : bench.run(1))
            heard.push_back(std::move(frame));
    }
    REQUIRE(heard.size() == 2);
    CHECK(heard[0].body == Bytes(800, 0x42));
    CHECK(heard[1].header.type == wire(Type::progress));
}

TEST_CASE("chunks in any order, twice and with gaps reach the target once, in order", "[link][server]") {
    const Bytes envelope = sim::random_bytes(7 * kChunkBytes + 100, 4);
    const std::vector<std::uint32_t> order =
        GENERATE(std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6, 7},
                 std::vector<std::uint32_t>{7, 6, 5, 4, 3, 2, 1, 0},
                 std::vector<std::uint32_t>{0, 0, 3, 3, 1, 2, 2, 5, 7, 6, 4, 4});
    Bench bench;
    bench.hello();
    CHECK(bench.offer(envelope).held_bytes == 0);
    std::optional<Ack> ack;
    for (const std::uint32_t n : order) {
        bench.chunk(envelope, n);
        if (const auto latest = bench.last_ack(bench.run())) ack = latest;
    }
    CHECK(bench.target.stored == envelope);
    REQUIRE(ack);
    CHECK(ack->next == 8);
    CHECK(bench.ask(Type::finish, {}).header.type == answer_to(Type::finish));
}

TEST_CASE("a gap is told at once, with a bitmap of what came early", "[link][server]") {
    const Bytes envelope = sim::random_bytes(20 * kChunkBytes, 4);
    Bench bench;
    bench.hello();
    (void)bench.offer(envelope);
    for (const std::uint32_t n : {0U, 2U, 3U, 5U})
        bench.chunk(envelope, n);
    const auto ack = bench.last_ack(bench.run());
    REQUIRE(ack);
    CHECK(ack->next == 1);
    CHECK(ack->bitmap == 0b1011);
    CHECK(ack->limit == 1U + bench.window_frames);
    bench.chunk(envelope, 1U + bench.window_frames);  // beyond the limit: dropped, but answered
    const auto beyond = bench.last_ack(bench.run());
    REQUIRE(beyond);
    CHECK(beyond->bitmap == 0b1011);
}

TEST_CASE("what is held counts: data goes on after it, even in the middle of a chunk", "[link][server]") {
    const Bytes envelope = sim::random_bytes(10 * kChunkBytes, 4);
    Bench bench;
    bench.target.package = sha256(envelope);
    bench.target.total = static_cast<std::uint32_t>(envelope.size());
    bench.target.stored.assign(envelope.begin(), envelope.begin() + 4'096);
    bench.hello();
    CHECK(bench.offer(envelope).held_bytes == 4'096);
    bench.chunk(envelope, 3);  // before what is wanted: a duplicate
    (void)bench.run();
    for (std::uint32_t n = 4; n < 10; ++n) {
        bench.chunk(envelope, n);
        (void)bench.run();
    }
    CHECK(bench.target.stored == envelope);
    CHECK(bench.offer(envelope, true).held_bytes == 0);
}

TEST_CASE("data that cannot be stored is refused, once and again after a while, and so is FINISH",
          "[link][server]") {
    const Bytes envelope = sim::random_bytes(8 * kChunkBytes, 4);
    Bench bench;
    bench.target.fail_write_at = 2'000;
    bench.hello();
    (void)bench.offer(envelope);
    for (std::uint32_t n = 0; n < 4; ++n)
        bench.chunk(envelope, n);
    int refused = 0;
    for (const Heard& frame : bench.run())
        refused += frame.refusal() == Status::nor_verify_failed ? 1 : 0;
    CHECK(refused >= 1);
    CHECK(bench.target.stored.size() == kChunkBytes);
    CHECK(bench.ask(Type::finish, {}).refusal() == Status::nor_verify_failed);
}

TEST_CASE("data of no session, no offer or a wrong length is refused, FINISH before the end too",
          "[link][server]") {
    const Bytes envelope = sim::random_bytes(3 * kChunkBytes, 4);
    Bench bench;
    bench.put(Type::data, 9, 0, Bytes(kChunkBytes));
    CHECK(bench.run().at(0).refusal() == Status::no_session);
    bench.put(Type::data, 9, 0, Bytes(kChunkBytes));
    CHECK(bench.run().empty());  // told a moment ago
    bench.hello();
    bench.now_ms += 300;
    bench.put(Type::data, bench.session, 0, Bytes(kChunkBytes));
    CHECK(bench.run().at(0).refusal() == Status::wrong_state);
    (void)bench.offer(envelope);
    bench.now_ms += 300;
    bench.put(Type::data, bench.session, 0, Bytes(100));
    CHECK(bench.run().at(0).refusal() == Status::malformed_request);
    bench.now_ms += 300;
    bench.put(Type::data, bench.session, 3, Bytes(kChunkBytes));
    CHECK(bench.run().at(0).refusal() == Status::malformed_request);
    CHECK(bench.ask(Type::finish, {}).refusal() == Status::package_incomplete);
    CHECK(bench.target.calls["finish"] == 0);
}

TEST_CASE("the window is bounded by the chunks' memory, the receive ring and the bitmap", "[link][server]") {
    struct Row {
        std::size_t chunks;
        std::uint32_t ring;
        std::uint16_t frames;
    };
    const Row row = GENERATE(Row{24, 32'768, 24}, Row{64, 65'536, 32}, Row{24, 12'288, 9}, Row{24, 100, 1},
                             Row{0, 32'768, 1});
    Bench bench{row.chunks, row.ring};
    bench.hello();
    CHECK(bench.window_frames == row.frames);
    CHECK((row.frames == 1 || row.frames * kWireBytesMax <= row.ring));
    // Whatever the window, everything arrives.
    const Bytes envelope = sim::random_bytes(5 * kChunkBytes + 1, 4);
    (void)bench.offer(envelope);
    for (std::uint32_t n = 0; n < 6; ++n) {
        bench.chunk(envelope, n);
        (void)bench.run();
    }
    CHECK(bench.target.stored == envelope);
}

TEST_CASE("a speed not proven within half a second, or left idle, falls back to the base speed",
          "[link][server]") {
    Bench bench;
    bench.hello();
    CHECK(bench.ask(Type::speed, u32(921'600)).header.type == answer_to(Type::speed));
    (void)bench.run();
    CHECK(bench.line.baud == 921'600);
    (void)bench.run(400);
    CHECK(bench.line.baud == 921'600);
    (void)bench.run(200);
    CHECK(bench.line.baud == 115'200);

    (void)bench.ask(Type::speed, u32(921'600));
    (void)bench.run(100);
    (void)bench.ask(Type::echo, {1});
    (void)bench.run(2'000);
    CHECK(bench.line.baud == 921'600);
    (void)bench.run(4'000);
    CHECK(bench.line.baud == 115'200);
}

TEST_CASE("a SPEED whose answer got lost is switched after the repeated answer", "[link][server]") {
    Bench bench;
    bench.hello();
    (void)bench.ask(Type::speed, u32(921'600), 500);
    (void)bench.run(700);
    REQUIRE(bench.line.baud == 115'200);
    (void)bench.ask(Type::speed, u32(921'600), 500);
    (void)bench.run();
    CHECK(bench.line.baud == 921'600);
}

TEST_CASE("boot and progress are told without a session", "[link][server]") {
    Bench bench;
    bench.server.send_boot(Status::no_application);
    bench.server.send_progress(99, Step::apply, 40);
    const auto heard = bench.run();
    REQUIRE(heard.size() == 2);
    BootEvent boot;
    ProgressEvent progress;
    REQUIRE(decode(heard[0].body, boot));
    REQUIRE(decode(heard[1].body, progress));
    CHECK(boot.status == Status::no_application);
    CHECK((progress.token == 99 && progress.step == Step::apply && progress.percent == 40));
    CHECK(heard[0].header.session == 0);
}

TEST_CASE("noise is counted and answered with nothing", "[link][server]") {
    Bench bench;
    bench.hello();
    for (std::uint8_t byte : sim::random_bytes(20'000, 11))
        bench.line.in.push_back(byte);
    CHECK(bench.run(500).empty());
    CHECK(bench.server.counters().damaged > 10);
    CHECK(bench.ask(Type::echo, {5}).body == Bytes{5});
}
