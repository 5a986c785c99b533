// Damaged, cut and misdirected deltas: an error every time, never a crash, never more output than announced.

#include <catch2/catch.hpp>

#include "tests/unit/delta/samples.hpp"

namespace mcuota::delta::test {
namespace {

const Bytes& old_code() {
    static const Bytes image = firmware(0x08020000, 40);
    return image;
}

const Bytes& new_code() {
    static const Bytes image = firmware(0x08020000, 40, {3, 30});
    return image;
}

Bytes sample(Format format) {
    return encode(format, old_code(), new_code())->bytes;
}

/// What the loader's decoder says within a loader's memory, and how much it gave out.
struct Outcome {
    Status status;
    std::size_t output;
};

Outcome decoded(Format format, const Bytes& delta, const Bytes& base, std::size_t work_bytes = 96U << 10) {
    package::MemorySource payload(delta), old_image(base);
    CountingSink sink;
    Bytes work(work_bytes);
    const Status status = decode_payload(payload_kind(format), payload, &old_image,
                                         static_cast<std::uint32_t>(new_code().size()), work, sink);
    return {status, sink.count};
}

}  // namespace

TEST_CASE("a delta cut anywhere is refused", "[delta]") {
    for (const Format format : kAllFormats) {
        const Bytes whole = sample(format);
        for (std::size_t length = 0; length < whole.size(); ++length) {
            const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
            INFO(to_string(format) << ", " << length << " of " << whole.size());
            CHECK_FALSE(decode(old_code(), cut).ok());
            CHECK(decoded(format, cut, old_code()).status != Status::ok);
        }
    }
}

TEST_CASE("a delta with something behind it is refused", "[delta]") {
    for (const Format format : kAllFormats) {
        Bytes longer = sample(format);
        longer.push_back(0);
        INFO(to_string(format));
        CHECK_FALSE(decode(old_code(), longer).ok());
    }
}

TEST_CASE("a damaged delta never gives more than the announced size, and no right image by chance",
          "[delta]") {
    Random random(11);
    for (const Format format : kAllFormats) {
        const Bytes whole = sample(format);
        unsigned refused = 0;
        for (unsigned n = 0; n < 3000; ++n) {
            Bytes damaged = whole;
            const unsigned count = 1 + random() % 3;
            for (unsigned i = 0; i < count; ++i) {
                // Half of the hits go where structure is: the head.
                const std::size_t at =
                    random() %
                    (random() % 2 != 0 ? damaged.size() : std::min<std::size_t>(48, damaged.size()));
                damaged[at] = static_cast<std::uint8_t>(random());
            }
            const Outcome outcome = decoded(format, damaged, old_code());
            CHECK(outcome.output <= new_code().size() + 64);
            if (outcome.status == Status::ok) CHECK(outcome.output == new_code().size());
            refused += outcome.status != Status::ok ? 1U : 0U;
            const auto image = decode(old_code(), damaged);
            if (!image) CHECK_FALSE(image.error().what.empty());
        }
        INFO(to_string(format));
        CHECK(refused > 300);
    }
}

TEST_CASE("noise behind a magic is no delta", "[delta]") {
    for (const Format format : kAllFormats) {
        const Bytes whole = sample(format);
        for (std::uint32_t seed = 0; seed < 300; ++seed) {
            Bytes noise = random_bytes(200, seed);
            std::copy_n(whole.begin(), 16, noise.begin());
            INFO(to_string(format) << ", seed " << seed);
            CHECK_FALSE(decode(old_code(), noise).ok());
        }
    }
}

TEST_CASE("a base of another size is refused before the first byte", "[delta]") {
    for (const Format format : kAllFormats) {
        Bytes other = old_code();
        other.pop_back();
        const Outcome outcome = decoded(format, sample(format), other);
        CHECK(outcome.status == Status::base_mismatch);
        CHECK(outcome.output == 0);
        const auto image = decode(other, sample(format));
        REQUIRE_FALSE(image.ok());
        CHECK(image.error().code == ErrorCode::payload_mismatch);
    }
}

TEST_CASE("a delta without a base is refused", "[delta]") {
    for (const Format format : kAllFormats) {
        const Bytes delta = sample(format);
        package::MemorySource payload(delta);
        CountingSink sink;
        Bytes work(96U << 10);
        CHECK(decode_payload(payload_kind(format), payload, nullptr,
                             static_cast<std::uint32_t>(new_code().size()), work,
                             sink) == Status::base_mismatch);
    }
}

TEST_CASE("a decoder short of one byte of memory refuses before the first byte of output", "[delta]") {
    for (const Format format : kAllFormats) {
        const Bytes delta = sample(format);
        package::MemorySource payload(delta);
        const std::uint32_t needed = payload_memory_bytes(payload_kind(format), payload,
                                                          static_cast<std::uint32_t>(new_code().size()));
        REQUIRE(needed > 0);
        CHECK(decoded(format, delta, old_code(), needed).status == Status::ok);
        const Outcome outcome = decoded(format, delta, old_code(), needed - 1);
        CHECK(outcome.status == Status::memory_budget);
        CHECK(outcome.output == 0);
    }
}

TEST_CASE("an announced image size that is not the delta's is refused", "[delta]") {
    for (const Format format : kAllFormats) {
        const Bytes delta = sample(format);
        package::MemorySource payload(delta), base(old_code());
        CountingSink sink;
        Bytes work(96U << 10);
        CHECK(decode_payload(payload_kind(format), payload, &base,
                             static_cast<std::uint32_t>(new_code().size() - 1), work,
                             sink) == Status::payload_malformed);
        CHECK(sink.count == 0);
    }
}

TEST_CASE("a header that asks for a huge image is refused", "[delta]") {
    Bytes huge = sample(Format::relocated);
    huge[7] = 0x7F;
    const auto image = decode(old_code(), huge);
    REQUIRE_FALSE(image.ok());
    CHECK(image.error().code == ErrorCode::image_too_large);
}

}  // namespace mcuota::delta::test
