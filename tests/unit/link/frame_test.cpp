// Frames and COBS: every body comes back, nothing else does.
#include <catch2/catch.hpp>
#include <optional>
#include <random>
#include <vector>

#include "mcu_loader/core/link/frame.hpp"

using namespace mcuota::link;
using Bytes = std::vector<std::uint8_t>;
using Event = FrameDecoder::Event;

namespace {

Bytes encoded(const FrameHeader& header, const Bytes& body, Opening opening = Opening::none) {
    Bytes wire(kWireBytesMax);
    wire.resize(encode_frame(header, body, opening, wire));
    return wire;
}

/// Bodies of all frames found, and how many damaged ones ended.
struct Found {
    std::vector<Bytes> bodies;
    int damaged{0};
};
Found decode_all(FrameDecoder& decoder, const Bytes& wire) {
    Found out;
    for (const std::uint8_t byte : wire) {
        const Event event = decoder.push(byte);
        if (event == Event::damaged) ++out.damaged;
        if (event == Event::frame)
            out.bodies.emplace_back(decoder.frame().body.begin(), decoder.frame().body.end());
    }
    return out;
}

}  // namespace

TEST_CASE("COBS encodes as published, and every encoding is free of 00", "[link][frame]") {
    struct Row {
        Bytes plain, wire;
    };
    Bytes run(254);
    for (std::size_t i = 0; i < run.size(); ++i)
        run[i] = static_cast<std::uint8_t>(i + 1);
    Bytes run_wire = run;
    run_wire.insert(run_wire.begin(), 0xFF);
    const Row row = GENERATE_COPY(Row{{}, {1}}, Row{{0}, {1, 1}}, Row{{0, 0}, {1, 1, 1}},
                                  Row{{0x11, 0x22, 0, 0x33}, {3, 0x11, 0x22, 2, 0x33}},
                                  Row{{0x11, 0, 0, 0}, {2, 0x11, 1, 1, 1}}, Row{run, run_wire});
    Bytes out(cobs_bytes_max(row.plain.size()));
    CobsEncoder encoder{out};
    encoder.push(row.plain);
    out.resize(encoder.finish());
    CHECK(out == row.wire);
    CobsDecoder decoder;
    Bytes back;
    for (const std::uint8_t byte : out)
        if (const auto step = decoder.push(byte); step.has_byte) back.push_back(step.byte);
    CHECK(decoder.complete());
    CHECK(back == row.plain);
}

TEST_CASE("a frame of any body length comes back as it was sent", "[link][frame]") {
    std::mt19937 rng{1};
    FrameDecoder decoder;
    for (std::size_t size = 0; size <= kBodyBytesMax; size += size < 300 ? 1 : 13) {
        Bytes body(size);
        const bool zeros = size % 3 == 0;
        for (auto& byte : body)
            byte = static_cast<std::uint8_t>(zeros ? rng() % 2 : rng());
        const FrameHeader header{0x81, 7, 0x1234, 0xDEADBEEF};
        const Bytes wire = encoded(header, body, size % 2 == 0 ? Opening::zero : Opening::none);
        REQUIRE(!wire.empty());
        CHECK(std::count(wire.begin(), wire.end(), std::uint8_t{0}) == (size % 2 == 0 ? 2 : 1));
        std::optional<Frame> found;
        for (const std::uint8_t byte : wire)
            if (decoder.push(byte) == Event::frame) found = decoder.frame();
        REQUIRE(found);
        CHECK(found->header.type == header.type);
        CHECK(found->header.address == header.address);
        CHECK(found->header.session == header.session);
        CHECK(found->header.sequence == header.sequence);
        CHECK(Bytes(found->body.begin(), found->body.end()) == body);
    }
}

TEST_CASE("what does not fit is not encoded", "[link][frame]") {
    Bytes wire(kWireBytesMax);
    CHECK(encode_frame({}, Bytes(kBodyBytesMax + 1), Opening::none, wire) == 0);
    CHECK(encode_frame({}, Bytes(kBodyBytesMax, 0x55), Opening::zero, wire) <= kWireBytesMax);
    for (std::size_t room = 0; room < 30; ++room) {
        Bytes small(room);
        const std::size_t size = encode_frame({}, Bytes(16, 1), Opening::none, small);
        CHECK(size <= room);
        CHECK((size == 0) == (room < 8 + 16 + 4 + 2));
    }
}

TEST_CASE("no flipped bit and no cut turns one frame into another", "[link][frame]") {
    const Bytes body{1, 2, 0, 0, 5, 6, 7, 0, 9};
    const Bytes wire = encoded({0x04, 0, 9, 77}, body);
    const Bytes after = encoded({0x05, 0, 9, 78}, {42});
    for (std::size_t at = 0; at < wire.size(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            Bytes bad = wire;
            bad[at] = static_cast<std::uint8_t>(bad[at] ^ (1U << bit));
            bad.push_back(0);  // in case it was the end that was hit
            bad.insert(bad.end(), after.begin(), after.end());
            FrameDecoder decoder;
            const Found found = decode_all(decoder, bad);
            REQUIRE(found.bodies.size() == 1);
            CHECK(found.bodies[0] == Bytes{42});
            CHECK(found.damaged >= 1);
        }
    }
}

TEST_CASE("noise of any length is survived, and the frame behind it is found", "[link][frame]") {
    std::mt19937 rng{7};
    FrameDecoder decoder;
    for (int round = 0; round < 200; ++round) {
        Bytes wire(rng() % 4'000);
        for (auto& byte : wire)
            byte = static_cast<std::uint8_t>(round % 2 == 0 ? rng() : 1 + rng() % 255);
        const Bytes good = encoded({1, 0, 0, 1}, {7, 7, 7}, Opening::zero);
        wire.insert(wire.end(), good.begin(), good.end());
        const Found found = decode_all(decoder, wire);
        REQUIRE(!found.bodies.empty());
        CHECK(found.bodies.back() == Bytes{7, 7, 7});
    }
}
