// Bodies of the messages: what is encoded comes back, what is cut or grown is refused, nothing reads past its
// end.
#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "mcu_loader/core/link/frame.hpp"
#include "mcu_loader/core/link/messages.hpp"

using namespace mcuota;
using namespace mcuota::link;
using Bytes = std::vector<std::uint8_t>;

namespace {

Sha256Digest digest(std::uint8_t seed) {
    Sha256Digest out;
    for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = static_cast<std::uint8_t>(seed + i);
    return out;
}

template <std::size_t Max>
BoundedText<Max> text(std::string_view from) {
    BoundedText<Max> out;
    std::copy(from.begin(), from.end(), out.bytes.begin());
    out.length = static_cast<std::uint8_t>(from.size());
    return out;
}

template <class Message>
Bytes encoded(const Message& message) {
    Bytes out(kBodyBytesMax);
    out.resize(encode(message, out));
    return out;
}

/// Every shorter buffer is refused by the encoder, every shorter body by the decoder; a longer one when
/// `exact`.
template <class Message>
void check_bounds(const Message& message, bool exact) {
    const Bytes whole = encoded(message);
    REQUIRE(!whole.empty());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        Bytes small(size);
        CHECK(encode(message, small) == 0);
        Message out;
        CHECK_FALSE(decode(Body{whole}.first(size), out));
    }
    Bytes longer = whole;
    longer.push_back(0);
    Message out;
    CHECK(decode(longer, out) == !exact);
}

Identity full_identity() {
    Identity id;
    id.role = Role::agent;
    id.hardware = text<kHardwareBytesMax>(std::string(kHardwareBytesMax, 'h'));
    id.unique_id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    id.loader_version = text<kVersionBytesMax>(std::string(kVersionBytesMax, 'l'));
    id.agent_version = text<kVersionBytesMax>(std::string(kVersionBytesMax, 'a'));
    id.running = {2, 917'504, digest(1), 9, text<kVersionBytesMax>(std::string(kVersionBytesMax, 'r'))};
    id.backup = {1, 1'000, digest(2), 0, text<kVersionBytesMax>(std::string(kVersionBytesMax, 'b'))};
    id.security_counter_floor = 7;
    id.image_bytes_max = 917'504;
    id.load_address = 0x0802'0000;
    id.decoder_memory_bytes = 98'304;
    id.last_token = 0x1122'3344'5566'7788;
    id.last_status = Status::trial_watchdog;
    id.last_image = digest(3);
    id.staged_package = digest(4);
    id.staged_held_bytes = 4'096;
    id.staged_envelope_bytes = 9'000;
    id.stay_reason = Status::no_application;
    id.reset_cause = 0x24;
    id.trial_boots_used = 1;
    id.trial_boots_allowed = 3;
    id.payload_kinds = 0x0E;
    id.baud_max = 2'000'000;
    id.download_bytes = 1U << 20;
    id.jedec_id = 0xEF4018;
    id.flash_kib = 1024;
    id.last_failed_image = digest(5);
    id.key_generation = 3;
    id.key_current = {1, 2, 3, 4, 5, 6, 7, 8};
    id.key_next = {9, 10, 11, 12, 13, 14, 15, 16};
    return id;
}

}  // namespace

TEST_CASE("every fixed body comes back and is refused when cut or grown", "[link][messages]") {
    check_bounds(Hello{1, 2, kHelloStayInLoader, 0xAABBCCDD}, false);
    check_bounds(HelloAnswer{1, Role::agent, 0x1234, 24, 1024, 0xAABBCCDD}, false);
    check_bounds(Offer{100'000, digest(9), {1, 2, 3}, true}, true);
    check_bounds(Held{4'096, 4'096, digest(8)}, true);
    check_bounds(Outcome{Status::trial_not_confirmed, Step::trial, 42, digest(7)}, true);
    check_bounds(Ack{5, 29, 0x8000'0001}, true);
    check_bounds(ProgressEvent{1, Step::apply, 50}, true);
    check_bounds(BootEvent{Status::no_application, Role::loader}, true);

    Offer offer;
    REQUIRE(decode(encoded(Offer{100'000, digest(9), {1, 2, 3}, true}), offer));
    CHECK(offer.envelope_bytes == 100'000);
    CHECK(offer.package_id == digest(9));
    CHECK(offer.head[2] == 3);
    CHECK(offer.restart);
    Ack ack;
    REQUIRE(decode(encoded(Ack{5, 29, 0x8000'0001}), ack));
    CHECK((ack.next == 5 && ack.limit == 29 && ack.bitmap == 0x8000'0001));
    Outcome outcome;
    REQUIRE(decode(encoded(Outcome{Status::trial_watchdog, Step::restore, 42, digest(7)}), outcome));
    CHECK(
        (outcome.status == Status::trial_watchdog && outcome.step == Step::restore && outcome.percent == 42));
}

TEST_CASE("a hello's answer that cannot be worked with is refused", "[link][messages]") {
    struct Row {
        const char* name;
        HelloAnswer answer;
    };
    const Row row = GENERATE(
        Row{"session 0", {1, Role::agent, 0, 24, 1024, 1}}, Row{"no window", {1, Role::agent, 1, 0, 1024, 1}},
        Row{"no chunk", {1, Role::agent, 1, 24, 0, 1}}, Row{"no role", {1, Role{7}, 1, 24, 1024, 1}});
    INFO(row.name);
    HelloAnswer out;
    CHECK_FALSE(decode(encoded(row.answer), out));
}

TEST_CASE("a refusal carries its detail, at most 64 bytes of it, and never ok", "[link][messages]") {
    const std::string detail(100, 'd');
    const Bytes body = encoded(Refusal{Status::busy, 0x06, detail});
    Refusal out;
    REQUIRE(decode(body, out));
    CHECK(out.status == Status::busy);
    CHECK(out.type == 0x06);
    CHECK(out.detail == std::string(64, 'd'));
    CHECK_FALSE(decode(encoded(Refusal{Status::ok, 0x06, {}}), out));
    CHECK_FALSE(decode(Bytes{1, 2}, out));
    CHECK_FALSE(decode(Bytes(68, 1), out));
}

TEST_CASE("an identity with every field at its longest fits a frame and comes back", "[link][messages]") {
    const Identity id = full_identity();
    const Bytes body = encoded(id);
    REQUIRE(!body.empty());
    Identity out;
    REQUIRE(decode(body, out));
    CHECK(encoded(out) == body);
    CHECK(out.running.version.view() == id.running.version.view());
    CHECK(out.last_token == id.last_token);
    CHECK(out.last_failed_image == id.last_failed_image);
    CHECK(out.flash_kib == id.flash_kib);
    CHECK(out.key_generation == 3);
    CHECK(out.key_current == id.key_current);
    CHECK(out.key_next == id.key_next);
}

TEST_CASE("identities of newer devices are read: unknown tags and longer values are skipped",
          "[link][messages]") {
    Bytes body{1, 2, 2, 0xEE, 200, 3, 1, 2, 3, 10, 6, 7, 0, 0, 0, 0xAA, 0xBB};
    Identity out;
    REQUIRE(decode(body, out));
    CHECK(out.role == Role::agent);
    CHECK(out.security_counter_floor == 7);
}

TEST_CASE("identities that make no sense are refused", "[link][messages]") {
    struct Row {
        const char* name;
        Bytes body;
    };
    const Row row =
        GENERATE(Row{"empty", {}}, Row{"no role", {10, 4, 0, 0, 0, 0}}, Row{"an unknown role", {1, 1, 9}},
                 Row{"a cut value", {1, 1, 1, 10, 4, 0, 0}}, Row{"a value too short", {1, 1, 1, 10, 2, 0, 0}},
                 Row{"a tag without length", {1, 1, 1, 10}},
                 Row{"a control character in a text", {1, 1, 1, 2, 3, 'a', 0x1B, 'b'}});
    INFO(row.name);
    Identity out;
    CHECK_FALSE(decode(row.body, out));
    Bytes overlong{1, 1, 1, 2, 33};
    overlong.resize(overlong.size() + 33, 'x');
    CHECK_FALSE(decode(overlong, out));
}

TEST_CASE("random bodies never crash a decoder", "[link][messages]") {
    std::mt19937 rng{3};
    for (int round = 0; round < 20'000; ++round) {
        Bytes body(rng() % 96);
        for (auto& byte : body)
            byte = static_cast<std::uint8_t>(rng() % 3 == 0 ? rng() : rng() % 26);
        Identity identity;
        Refusal refusal;
        Ack ack;
        Offer offer;
        Held held;
        HelloAnswer hello;
        (void)decode(body, identity);
        (void)decode(body, refusal);
        (void)decode(body, ack);
        (void)decode(body, offer);
        (void)decode(body, held);
        (void)decode(body, hello);
        CHECK(identity.hardware.length <= kHardwareBytesMax);
    }
}
