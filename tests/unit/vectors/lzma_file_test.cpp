// The loader's LZMA decoder on files of liblzma's encoder: all properties, sizes told and not told, and
// damage.

#include "tests/tools/lzma_file.hpp"

#include <lzma.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

namespace mcuota::vectors::test {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Properties {
    std::uint32_t lc, lp, pb, dictionary;
};

/// An `.lzma` file as xz writes it: size unknown, end marker.
Bytes packed(const Bytes& plain, const Properties& p) {
    lzma_options_lzma options{};
    REQUIRE_FALSE(lzma_lzma_preset(&options, 6));
    options.lc = p.lc;
    options.lp = p.lp;
    options.pb = p.pb;
    options.dict_size = p.dictionary;
    lzma_stream stream = LZMA_STREAM_INIT;
    REQUIRE(lzma_alone_encoder(&stream, &options) == LZMA_OK);
    Bytes out(plain.size() + plain.size() / 2 + 1000);
    stream.next_in = plain.data();
    stream.avail_in = plain.size();
    stream.next_out = out.data();
    stream.avail_out = out.size();
    REQUIRE(lzma_code(&stream, LZMA_FINISH) == LZMA_STREAM_END);
    out.resize(stream.total_out);
    lzma_end(&stream);
    return out;
}

Bytes with_size(Bytes file, std::uint64_t size) {
    for (std::size_t i = 0; i < 8; ++i)
        file[5 + i] = static_cast<std::uint8_t>(size >> (8 * i));
    return file;
}

struct Outcome {
    std::string complaint;
    Bytes plain;
};

Outcome unpacked(const Bytes& file, const LzmaLimits& limits = {}) {
    Outcome out;
    out.complaint = decode_lzma_file(file, limits, [&](std::span<const std::uint8_t> piece) {
        out.plain.insert(out.plain.end(), piece.begin(), piece.end());
        return true;
    });
    return out;
}

/// Something between text and noise.
Bytes sample(std::size_t size, unsigned seed) {
    std::mt19937 random(seed);
    Bytes out;
    while (out.size() < size) {
        if (out.size() > 300 && random() % 3 == 0) {
            const std::size_t from = random() % (out.size() - 200), length = 3 + random() % 150;
            for (std::size_t i = 0; i < length && out.size() < size; ++i)
                out.push_back(out[from + i]);
        } else {
            out.push_back(static_cast<std::uint8_t>("etaoin shrdlu\0\1\2\xFF"[random() % 17]));
        }
    }
    return out;
}

}  // namespace

TEST_CASE("files of every lc, lp, pb and dictionary unpack, size told or not", "[vectors]") {
    const Bytes plain = sample(30000, 1);
    for (std::uint32_t lc = 0; lc <= 4; ++lc)
        for (std::uint32_t lp = 0; lc + lp <= 4; ++lp)
            for (std::uint32_t pb = 0; pb <= 4; ++pb) {
                const std::uint32_t dictionary = (lc + lp + pb) % 2 == 0 ? 4096 : 1U << 20;
                INFO("lc " << lc << " lp " << lp << " pb " << pb << " dictionary " << dictionary);
                const Bytes file = packed(plain, {lc, lp, pb, dictionary});
                const Outcome unknown = unpacked(file), told = unpacked(with_size(file, plain.size()));
                CHECK(unknown.complaint.empty());
                CHECK(unknown.plain == plain);
                CHECK(told.complaint.empty());
                CHECK(told.plain == plain);
            }
}

TEST_CASE("files of any length unpack, from nothing on", "[vectors]") {
    for (std::size_t size = 0; size < 400; size += size < 20 ? 1 : 13) {
        const Bytes plain = sample(size, static_cast<unsigned>(size));
        const Bytes file = packed(plain, {3, 0, 2, 65536});
        INFO(size);
        CHECK(unpacked(file).complaint.empty());
        CHECK(unpacked(file).plain == plain);
        CHECK(unpacked(with_size(file, size)).complaint.empty());
        CHECK(unpacked(with_size(file, size)).plain == plain);
    }
    const Bytes large = sample(3 << 20, 5);
    CHECK(unpacked(packed(large, {3, 0, 2, 8U << 20})).plain == large);
    CHECK(unpacked(packed(large, {0, 2, 2, 70000})).plain == large);
}

TEST_CASE("a size that is not the stream's is refused", "[vectors]") {
    const Bytes plain = sample(5000, 2), file = packed(plain, {3, 0, 2, 65536});
    for (const std::uint64_t size :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{4999}, std::uint64_t{5001}})
        CHECK_FALSE(unpacked(with_size(file, size)).complaint.empty());
}

TEST_CASE("cut, longer and damaged files are refused or give no more than they say", "[vectors]") {
    const Bytes plain = sample(2000, 3), whole = packed(plain, {3, 0, 2, 65536});
    const Bytes told = with_size(whole, plain.size());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        INFO(size);
        CHECK_FALSE(unpacked(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)))
                        .complaint.empty());
    }
    for (Bytes longer : {whole, told}) {
        longer.push_back(0);
        CHECK_FALSE(unpacked(longer).complaint.empty());
    }
    std::mt19937 random(4);
    for (unsigned n = 0; n < 2000; ++n) {
        Bytes damaged = told;
        damaged[random() % 2 == 0 ? random() % damaged.size() : random() % 40] =
            static_cast<std::uint8_t>(random());
        const Outcome outcome = unpacked(damaged, {.memory_bytes = 1U << 20, .output_bytes = 1U << 20});
        if (outcome.complaint.empty()) CHECK(outcome.plain.size() <= (1U << 20));
    }
}

TEST_CASE("limits are told in words before anything is unpacked", "[vectors]") {
    const Bytes plain = sample(5000, 2), file = packed(plain, {3, 0, 2, 8U << 20});
    const Outcome memory = unpacked(file, {.memory_bytes = 1U << 20, .output_bytes = 1U << 30});
    CHECK(memory.complaint.find("allowed are 1048576") != std::string::npos);
    CHECK(memory.plain.empty());
    // With the size told the dictionary need not be larger than that.
    CHECK(unpacked(with_size(file, 5000), {.memory_bytes = 1U << 20, .output_bytes = 1U << 30}).plain ==
          plain);
    const Outcome output = unpacked(with_size(file, 5000), {.memory_bytes = 1U << 20, .output_bytes = 4000});
    CHECK(output.complaint.find("unpacks to 5000") != std::string::npos);
    CHECK_FALSE(unpacked(file, {.memory_bytes = 64U << 20, .output_bytes = 4000}).complaint.empty());
    CHECK_FALSE(unpacked(with_size(file, UINT64_MAX - 1)).complaint.empty());
}

}  // namespace mcuota::vectors::test
