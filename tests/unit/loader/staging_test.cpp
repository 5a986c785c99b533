// The download region: what it promises to hold is there, and only that.
#include <catch2/catch.hpp>

#include "test_device.hpp"

using namespace mcuota;
using namespace mcuota::test;
using device::Staging;

namespace {

struct Bench {
    explicit Bench(const Geometry& geometry = Geometry::small()) : flash{geometry} { flash.attach(power); }
    FlashModel flash;
    Power power;
    TestBoard board{power};
};

TestPackage package(std::size_t size = 2500, std::uint32_t seed = 5) {
    PackageSpec spec;
    spec.image = make_image(size, seed);
    return make_package(spec);
}

Status feed(Staging& staging, const Bytes& envelope, std::size_t from, std::size_t to, std::size_t step) {
    while (from < to) {
        const std::size_t count = std::min(step, to - from);
        const Status status =
            staging.write(static_cast<std::uint32_t>(from), std::span{envelope}.subspan(from, count));
        if (status != Status::ok) {
            return status;
        }
        from += count;
    }
    return Status::ok;
}

Bytes staged(Staging& staging) {
    Bytes bytes(staging.envelope_bytes());
    REQUIRE(staging.read(0, bytes) == Status::ok);
    return bytes;
}

}  // namespace

TEST_CASE("an envelope is stored whatever the chunks", "[loader][staging]") {
    const TestPackage sent = package();
    for (const std::size_t step : {1U, 7U, 511U, 512U, 513U, 1024U, 100000U}) {
        CAPTURE(step);
        Bench bench;
        Staging staging{bench.flash, bench.board};
        staging.mount();
        link::Held held;
        REQUIRE(staging.offer(sent.offer(), held) == Status::ok);
        CHECK(held.held_bytes == 0);
        CHECK(held.unit_bytes == 512);
        CHECK(held.held_sha256 == sha256({}));
        REQUIRE(feed(staging, sent.envelope, 0, sent.envelope.size(), step) == Status::ok);
        CHECK(staging.complete());
        CHECK(staged(staging) == sent.envelope);
        CHECK(bench.flash.violation() == "");
    }
}

TEST_CASE("after a reset the device proves what it holds and takes the rest", "[loader][staging]") {
    const TestPackage sent = package();
    for (std::size_t stop = 0; stop <= sent.envelope.size(); stop += 97) {
        CAPTURE(stop);
        Bench bench;
        link::Held held;
        {
            Staging staging{bench.flash, bench.board};
            staging.mount();
            REQUIRE(staging.offer(sent.offer(), held) == Status::ok);
            REQUIRE(feed(staging, sent.envelope, 0, stop, 100) == Status::ok);
        }
        Staging staging{bench.flash, bench.board};
        staging.mount();
        const std::uint32_t whole_units = static_cast<std::uint32_t>(stop / 512 * 512);
        CHECK(staging.stored_bytes() == whole_units);
        REQUIRE(staging.offer(sent.offer(), held) == Status::ok);
        CHECK(held.held_bytes == whole_units);
        CHECK(held.held_sha256 == sha256(std::span{sent.envelope}.first(held.held_bytes)));
        REQUIRE(feed(staging, sent.envelope, held.held_bytes, sent.envelope.size(), 300) == Status::ok);
        CHECK(staged(staging) == sent.envelope);
        REQUIRE(staging.offer(sent.offer(), held) == Status::ok);
        CHECK(held.held_bytes == sent.envelope.size());
        CHECK(bench.flash.violation() == "");
    }
}

TEST_CASE("a damaged unit is not held, nor anything after it", "[loader][staging]") {
    const TestPackage sent = package();
    Bench bench;
    Staging staging{bench.flash, bench.board};
    staging.mount();
    link::Held held;
    REQUIRE(staging.offer(sent.offer(), held) == Status::ok);
    REQUIRE(feed(staging, sent.envelope, 0, sent.envelope.size(), 500) == Status::ok);
    const std::span<std::uint8_t> raw = bench.flash.raw(Region::download);
    const auto found =
        std::search(raw.begin(), raw.end(), sent.envelope.begin() + 1100, sent.envelope.begin() + 1132);
    REQUIRE(found != raw.end());
    *found ^= 0x10;
    staging.mount();
    REQUIRE(staging.offer(sent.offer(), held) == Status::ok);
    CHECK(held.held_bytes == 1024);
    REQUIRE(feed(staging, sent.envelope, 1024, sent.envelope.size(), 500) == Status::ok);
    CHECK(staged(staging) == sent.envelope);
    CHECK(bench.flash.violation() == "");
}

TEST_CASE("another package, or the wish to start over, forgets what is held", "[loader][staging]") {
    const TestPackage first = package(2500, 5);
    const TestPackage second = package(2500, 6);
    Bench bench;
    Staging staging{bench.flash, bench.board};
    staging.mount();
    link::Held held;
    REQUIRE(staging.offer(first.offer(), held) == Status::ok);
    REQUIRE(feed(staging, first.envelope, 0, 1600, 100) == Status::ok);
    SECTION("another package") {
        REQUIRE(staging.offer(second.offer(), held) == Status::ok);
    }
    SECTION("start over") {
        REQUIRE(staging.offer(first.offer(true), held) == Status::ok);
    }
    CHECK(held.held_bytes == 0);
    CHECK(staging.stored_bytes() == 0);
    staging.mount();
    CHECK(staging.stored_bytes() == 0);
}

TEST_CASE("writes out of place are refused and change nothing", "[loader][staging]") {
    const TestPackage sent = package();
    Bench bench;
    Staging staging{bench.flash, bench.board};
    staging.mount();
    CHECK(staging.write(0, sent.envelope) == Status::wrong_state);
    link::Held held;
    REQUIRE(staging.offer(sent.offer(), held) == Status::ok);
    const std::span<const std::uint8_t> envelope{sent.envelope};
    CHECK(staging.write(1, envelope.first(10)) == Status::out_of_order);
    REQUIRE(staging.write(0, envelope.first(600)) == Status::ok);
    CHECK(staging.write(0, envelope.first(600)) == Status::out_of_order);
    CHECK(staging.write(700, envelope.first(10)) == Status::out_of_order);
    REQUIRE(feed(staging, sent.envelope, 600, sent.envelope.size(), 512) == Status::ok);
    const auto end = static_cast<std::uint32_t>(sent.envelope.size());
    CHECK(staging.write(end, envelope.first(1)) == Status::out_of_range);
    CHECK(staged(staging) == sent.envelope);
    staging.close();
    CHECK(staging.write(end, envelope.first(0)) == Status::wrong_state);
}

TEST_CASE("an offer whose head makes no sense is refused before anything is erased", "[loader][staging]") {
    const TestPackage sent = package();
    Bench bench;
    Staging staging{bench.flash, bench.board};
    staging.mount();
    link::Held held;
    for (std::size_t byte = 0; byte < link::kEnvelopeHeadBytes; ++byte) {
        link::Offer offer = sent.offer();
        offer.head[byte] ^= 0x01;
        CHECK(staging.offer(offer, held) == Status::malformed_request);
    }
    link::Offer offer = sent.offer();
    ++offer.envelope_bytes;
    CHECK(staging.offer(offer, held) == Status::malformed_request);
    const TestPackage large = package(7000);
    CHECK(large.envelope.size() > staging.capacity_bytes());
    CHECK(staging.offer(large.offer(), held) == Status::payload_too_large);
    CHECK(bench.flash.operations() == 0);
}

TEST_CASE("a flash unit that fails once is written again, one that fails for good ends the transfer",
          "[loader][staging]") {
    const TestPackage sent = package();
    Bench bench;
    Staging staging{bench.flash, bench.board};
    staging.mount();
    link::Held held;
    REQUIRE(staging.offer(sent.offer(), held) == Status::ok);
    unsigned faults = 1;
    const auto fault = [&](Region region, bool erase, std::uint32_t) {
        const bool fails = region == Region::download && !erase && faults > 0;
        return fails ? (--faults, Status::nor_verify_failed) : Status::ok;
    };
    bench.flash.set_fault(fault);
    REQUIRE(feed(staging, sent.envelope, 0, 1024, 512) == Status::ok);
    faults = 1000;
    CHECK(feed(staging, sent.envelope, 1024, 2048, 512) == Status::nor_verify_failed);
    CHECK(staging.write(1024, {}) == Status::wrong_state);
    faults = 0;
    REQUIRE(staging.offer(sent.offer(), held) == Status::ok);
    REQUIRE(held.held_bytes == 1024);
    REQUIRE(feed(staging, sent.envelope, 1024, sent.envelope.size(), 512) == Status::ok);
    CHECK(staged(staging) == sent.envelope);
}

TEST_CASE("a transfer interrupted more often than there are marks still ends", "[loader][staging]") {
    const TestPackage sent = package();
    Bench bench;
    link::Held held;
    Staging staging{bench.flash, bench.board};
    for (unsigned interruption = 0; interruption < 200; ++interruption) {
        staging.mount();
        REQUIRE(staging.offer(sent.offer(), held) == Status::ok);
        const std::size_t next = std::min<std::size_t>(held.held_bytes + (interruption % 3) * 300, 2048);
        REQUIRE(feed(staging, sent.envelope, held.held_bytes, next, 300) == Status::ok);
    }
    staging.mount();
    REQUIRE(staging.offer(sent.offer(), held) == Status::ok);
    REQUIRE(feed(staging, sent.envelope, held.held_bytes, sent.envelope.size(), 300) == Status::ok);
    CHECK(staged(staging) == sent.envelope);
    CHECK(bench.flash.violation() == "");
}

TEST_CASE("on the real layout an offer erases little and the transfer erases ahead in blocks",
          "[loader][staging]") {
    const TestPackage sent = package(300 * 1024);
    Bench bench{Geometry::f429()};
    Staging staging{bench.flash, bench.board};
    staging.mount();
    CHECK(staging.capacity_bytes() >= 896 * 1024 + 24 + 2048 + 256);
    link::Held held;
    REQUIRE(staging.offer(sent.offer(), held) == Status::ok);
    CHECK(bench.flash.operations() == 4);  // old header spoiled, two units of header and marks, the header
    CHECK(held.unit_bytes == 4096);
    const std::uint64_t before = bench.flash.operations();
    REQUIRE(feed(staging, sent.envelope, 0, sent.envelope.size(), 1024) == Status::ok);
    const std::uint64_t units = (sent.envelope.size() + 4095) / 4096;
    const std::uint64_t pages = (sent.envelope.size() + 255) / 256;
    const std::uint64_t blocks = (sent.envelope.size() + 65535) / 65536;
    CHECK(bench.flash.operations() - before == 2 * units + pages + blocks);
    CHECK(staged(staging) == sent.envelope);
}
