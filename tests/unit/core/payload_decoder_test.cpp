// The loader's payload decoder against liblzma's encoder, and against input nobody should send.
#include "mcu_loader/core/payload_decoder.hpp"

#include <lzma.h>

#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "mcu_loader/core/little_endian.hpp"
#include "mcu_loader/core/thumb_filter.hpp"

using namespace mcuota;

namespace {

using Bytes = std::vector<std::uint8_t>;

class MemorySource final : public ByteSource {
  public:
    explicit MemorySource(Bytes bytes) : bytes_(std::move(bytes)) {}
    Status read(std::uint32_t offset, std::span<std::uint8_t> out) noexcept override {
        if (fail_at_ <= offset + out.size()) return Status::nor_timeout;
        if (offset + out.size() > bytes_.size()) return Status::out_of_range;
        std::copy_n(bytes_.begin() + offset, out.size(), out.begin());
        return Status::ok;
    }
    [[nodiscard]] std::uint32_t size_bytes() const noexcept override {
        return static_cast<std::uint32_t>(bytes_.size());
    }
    void fail_at(std::size_t offset) { fail_at_ = offset; }

  private:
    Bytes bytes_;
    std::size_t fail_at_{SIZE_MAX};
};

class MemorySink final : public ByteSink {
  public:
    Status write(std::span<const std::uint8_t> piece) noexcept override {
        if (bytes.size() + piece.size() > room) return Status::flash_program_failed;
        bytes.insert(bytes.end(), piece.begin(), piece.end());
        return Status::ok;
    }
    Bytes bytes;
    std::size_t room{SIZE_MAX};
};

enum class Content { random, zeros, code };

/// Image-like bytes: `code` has many calls (BL) to few targets, so the Thumb filter has something to do.
Bytes image(std::size_t size, Content content, unsigned seed = 1) {
    std::mt19937 random(seed);
    Bytes out(size);
    if (content == Content::zeros) return out;
    if (content == Content::random) {
        for (auto& byte : out)
            byte = static_cast<std::uint8_t>(random());
        return out;
    }
    std::size_t at = 0;
    while (at < size) {
        Bytes unit;
        if (random() % 4 == 0) {
            const std::uint32_t target = static_cast<std::uint32_t>(random() % 16) * 0x1234;
            const std::uint32_t offset = (target - static_cast<std::uint32_t>(at) - 4) >> 1;
            unit = {static_cast<std::uint8_t>(offset >> 11),
                    static_cast<std::uint8_t>(0xF0U | ((offset >> 19) & 7U)),
                    static_cast<std::uint8_t>(offset),
                    static_cast<std::uint8_t>(0xF8U | ((offset >> 8) & 7U))};
        } else {
            unit = {static_cast<std::uint8_t>(random() % 13),
                    static_cast<std::uint8_t>(0x20U + random() % 8)};
        }
        for (const auto byte : unit)
            if (at < size) out[at++] = byte;
    }
    return out;
}

struct Properties {
    std::uint32_t lc{3}, lp{0}, pb{2};
    std::uint32_t dictionary{65536};
};

/// Properties and raw LZMA1 stream without end marker, made by liblzma (with its own Thumb filter when asked
/// for).
Bytes encode_lzma(const Bytes& plain, bool thumb, Properties p = {}) {
    lzma_options_lzma options{};
    REQUIRE_FALSE(lzma_lzma_preset(&options, 6));
    options.dict_size = p.dictionary;
    options.lc = p.lc;
    options.lp = p.lp;
    options.pb = p.pb;
    options.ext_flags = 0;
    lzma_set_ext_size(options, plain.size());
    lzma_filter filters[3] = {};
    std::size_t n = 0;
    if (thumb) filters[n++] = {LZMA_FILTER_ARMTHUMB, nullptr};
    filters[n++] = {LZMA_FILTER_LZMA1EXT, &options};
    filters[n] = {LZMA_VLI_UNKNOWN, nullptr};
    Bytes out(plain.size() + plain.size() / 3 + 256);
    out[0] = static_cast<std::uint8_t>((p.pb * 5 + p.lp) * 9 + p.lc);
    store_u32(&out[1], p.dictionary);
    std::size_t size = 5;
    REQUIRE(lzma_raw_buffer_encode(filters, nullptr, plain.data(), plain.size(), out.data(), &size,
                                   out.size()) == LZMA_OK);
    out.resize(size);
    return out;
}

struct Outcome {
    Status status;
    Bytes bytes;
};

Outcome decode(PayloadKind kind, Bytes payload, std::size_t image_size, std::size_t work_less = 0) {
    MemorySource source(std::move(payload));
    const std::uint32_t memory = payload_memory_bytes(kind, source, static_cast<std::uint32_t>(image_size));
    if (memory == 0 || memory > (64U << 20)) return {Status::memory_budget, {}};
    Bytes work(memory - work_less);
    MemorySink sink;
    const Status status =
        decode_payload(kind, source, nullptr, static_cast<std::uint32_t>(image_size), work, sink);
    return {status, std::move(sink.bytes)};
}

constexpr std::size_t kSizes[] = {1,   2,    3,    4,    5,     255,   511,   512,
                                  513, 4095, 4096, 4097, 65535, 65536, 70001, 896U << 10};

}  // namespace

TEST_CASE("an image encoded by liblzma comes out again, byte by byte", "[core][decoder]") {
    for (const std::size_t size : kSizes) {
        for (const Content content : {Content::random, Content::zeros, Content::code}) {
            const Bytes plain = image(size, content);
            for (const bool thumb : {false, true}) {
                const PayloadKind kind = thumb ? PayloadKind::lzma_thumb : PayloadKind::lzma;
                const Outcome outcome = decode(kind, encode_lzma(plain, thumb), size);
                INFO("size " << size << ", content " << static_cast<int>(content) << ", thumb " << thumb);
                REQUIRE(outcome.status == Status::ok);
                REQUIRE((outcome.bytes == plain));
            }
        }
    }
}

TEST_CASE("every size around the filter's buffer keeps its last bytes", "[core][decoder]") {
    for (std::size_t size = 1; size < 1600; ++size) {
        const Bytes plain = image(size, Content::code, static_cast<unsigned>(size));
        const Outcome outcome = decode(PayloadKind::lzma_thumb, encode_lzma(plain, true), size);
        REQUIRE(outcome.status == Status::ok);
        REQUIRE((outcome.bytes == plain));
    }
}

TEST_CASE("every combination of lc, lp and pb and small dictionaries decode", "[core][decoder]") {
    const Bytes plain = image(20000, Content::code);
    for (std::uint32_t lc = 0; lc <= 4; ++lc)
        for (std::uint32_t lp = 0; lc + lp <= 4; ++lp)
            for (std::uint32_t pb = 0; pb <= 4; ++pb)
                for (const std::uint32_t dictionary : {4096U, 5000U, 16384U, 1U << 20}) {
                    const Outcome outcome = decode(
                        PayloadKind::lzma, encode_lzma(plain, false, {lc, lp, pb, dictionary}), plain.size());
                    REQUIRE(outcome.status == Status::ok);
                    REQUIRE((outcome.bytes == plain));
                }
}

TEST_CASE("a raw payload is the image", "[core][decoder]") {
    for (const std::size_t size : kSizes) {
        const Bytes plain = image(size, Content::random);
        const Outcome outcome = decode(PayloadKind::raw, plain, size);
        REQUIRE(outcome.status == Status::ok);
        REQUIRE((outcome.bytes == plain));
    }
    CHECK(decode(PayloadKind::raw, Bytes(10), 9).status == Status::payload_malformed);
    CHECK(decode(PayloadKind::raw, Bytes(10), 11).status == Status::payload_malformed);
}

TEST_CASE("one byte of memory too little is refused before any output", "[core][decoder]") {
    const Bytes plain = image(9000, Content::code);
    for (const PayloadKind kind : {PayloadKind::raw, PayloadKind::lzma, PayloadKind::lzma_thumb}) {
        const Bytes payload =
            kind == PayloadKind::raw ? plain : encode_lzma(plain, kind == PayloadKind::lzma_thumb);
        const Outcome outcome = decode(kind, payload, plain.size(), 1);
        CHECK(outcome.status == Status::memory_budget);
        CHECK(outcome.bytes.empty());
    }
}

TEST_CASE("decoder memory is the documented sum", "[core][decoder]") {
    const Bytes plain = image(70000, Content::code);
    MemorySource source(encode_lzma(plain, false));  // lc 3, lp 0, dictionary 64 KiB
    CHECK(payload_memory_bytes(PayloadKind::raw, source, 70000) == 512);
    CHECK(payload_memory_bytes(PayloadKind::lzma, source, 70000) == 2 * (1846 + 768 * 8) + 65536 + 513);
    CHECK(payload_memory_bytes(PayloadKind::lzma, source, 7000) == 2 * (1846 + 768 * 8) + 7000 + 513);
    CHECK(payload_memory_bytes(PayloadKind::lzma_thumb, source, 70000) ==
          2 * (1846 + 768 * 8) + 65536 + 1025);
}

TEST_CASE("decoding works at any alignment of the work memory", "[core][decoder]") {
    const Bytes plain = image(9000, Content::code);
    MemorySource source(encode_lzma(plain, true));
    const std::uint32_t memory = payload_memory_bytes(PayloadKind::lzma_thumb, source, 9000);
    Bytes work(memory + 8);
    for (std::size_t shift = 0; shift < 8; ++shift) {
        MemorySink sink;
        REQUIRE(decode_payload(PayloadKind::lzma_thumb, source, nullptr, 9000,
                               std::span(work).subspan(shift, memory), sink) == Status::ok);
        REQUIRE((sink.bytes == plain));
    }
}

TEST_CASE("properties that ask for more than there is are refused, not tried", "[core][decoder]") {
    Bytes payload = encode_lzma(image(5000, Content::code), false);
    Bytes work(20000);
    MemorySink sink;
    struct Row {
        const char* name;
        std::uint8_t packed;
        std::uint32_t dictionary;
        std::uint32_t image_size;
        Status expected;
    };
    const Row rows[] = {
        {"lc 8, lp 4: six megabytes of tables", (4 * 9) + 8, 65536, 5000, Status::memory_budget},
        {"dictionary 4 GiB for a 4 GiB image", 0x5D, 0xFFFFFFFF, 0xFFFFFFFF, Status::memory_budget},
        {"dictionary 64 KiB for a large image", 0x5D, 65536, 1U << 20, Status::memory_budget},
        {"no such lc/lp/pb", 225, 65536, 5000, Status::payload_malformed},
        {"no such lc/lp/pb either", 255, 65536, 5000, Status::payload_malformed},
        {"dictionary smaller than the format allows", 0x5D, 4095, 5000, Status::payload_malformed},
        {"dictionary of zero", 0x5D, 0, 5000, Status::payload_malformed},
    };
    for (const Row& row : rows) {
        Bytes changed = payload;
        changed[0] = row.packed;
        store_u32(&changed[1], row.dictionary);
        MemorySource source(changed);
        INFO(row.name);
        CHECK(decode_payload(PayloadKind::lzma, source, nullptr, row.image_size, work, sink) == row.expected);
        CHECK(decode_payload(PayloadKind::lzma_thumb, source, nullptr, row.image_size, work, sink) ==
              row.expected);
        CHECK(sink.bytes.empty());
        const bool sensible = row.expected == Status::memory_budget;
        CHECK((payload_memory_bytes(PayloadKind::lzma, source, row.image_size) > work.size()) == sensible);
    }
}

TEST_CASE("every truncation and every extension of a stream is malformed", "[core][decoder]") {
    const Bytes plain = image(700, Content::code);
    const Bytes payload = encode_lzma(plain, false);
    for (std::size_t size = 1; size < payload.size(); ++size) {
        const Bytes cut(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(size));
        MemorySource source(cut);
        Bytes work(40000);
        MemorySink sink;
        REQUIRE(decode_payload(PayloadKind::lzma, source, nullptr, 700, work, sink) ==
                Status::payload_malformed);
    }
    for (const std::uint8_t extra : {std::uint8_t{0x00}, std::uint8_t{0xFF}}) {
        Bytes longer = payload;
        longer.push_back(extra);
        CHECK(decode(PayloadKind::lzma, longer, 700).status == Status::payload_malformed);
        longer.resize(payload.size() + 5000, extra);
        CHECK(decode(PayloadKind::lzma, longer, 700).status == Status::payload_malformed);
    }
    CHECK(decode(PayloadKind::lzma, payload, 699).status == Status::payload_malformed);
    CHECK(decode(PayloadKind::lzma, payload, 701).status == Status::payload_malformed);
}

TEST_CASE("an end marker is malformed: the size says where the image ends", "[core][decoder]") {
    const Bytes plain = image(700, Content::code);
    lzma_options_lzma options{};
    REQUIRE_FALSE(lzma_lzma_preset(&options, 6));
    options.dict_size = 65536;
    const lzma_filter filters[] = {{LZMA_FILTER_LZMA1, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
    Bytes out(2000);
    out[0] = 0x5D;
    store_u32(&out[1], 65536);
    std::size_t size = 5;
    REQUIRE(lzma_raw_buffer_encode(filters, nullptr, plain.data(), plain.size(), out.data(), &size,
                                   out.size()) == LZMA_OK);
    out.resize(size);
    CHECK(decode(PayloadKind::lzma, out, 700).status == Status::payload_malformed);
    CHECK(decode(PayloadKind::lzma, out, 800).status == Status::payload_malformed);
}

TEST_CASE("damaged streams end in an answer, never beyond the image", "[core][decoder]") {
    const Bytes plain = image(3000, Content::code);
    const Bytes payload = encode_lzma(plain, true);
    std::mt19937 random(7);
    std::size_t malformed = 0;
    for (int round = 0; round < 4000; ++round) {
        Bytes changed = payload;
        for (unsigned i = 0; i <= random() % 3; ++i)
            changed[5 + random() % (changed.size() - 5)] ^= static_cast<std::uint8_t>(1 + random() % 255);
        const Outcome outcome = decode(PayloadKind::lzma_thumb, changed, plain.size());
        REQUIRE(outcome.bytes.size() <= plain.size());
        if (outcome.status == Status::ok) {
            REQUIRE(outcome.bytes.size() == plain.size());
        } else {
            REQUIRE(outcome.status == Status::payload_malformed);
            ++malformed;
        }
    }
    CHECK(malformed > 3900);
}

TEST_CASE("what a source or a sink answers comes through", "[core][decoder]") {
    const Bytes plain = image(30000, Content::random);
    for (const PayloadKind kind : {PayloadKind::raw, PayloadKind::lzma, PayloadKind::lzma_thumb}) {
        const Bytes payload =
            kind == PayloadKind::raw ? plain : encode_lzma(plain, kind == PayloadKind::lzma_thumb);
        Bytes work(100000);
        for (const std::size_t at : {1U, 6U, 20000U}) {
            MemorySource source(payload);
            source.fail_at(at);
            MemorySink sink;
            CHECK(decode_payload(kind, source, nullptr, 30000, work, sink) == Status::nor_timeout);
        }
        MemorySource source(payload);
        MemorySink sink;
        sink.room = 12345;
        CHECK(decode_payload(kind, source, nullptr, 30000, work, sink) == Status::flash_program_failed);
        CHECK(sink.bytes.size() <= 12345);
    }
}

TEST_CASE("empty payloads, empty images and unknown kinds are refused", "[core][decoder]") {
    Bytes work(1000);
    MemorySink sink;
    MemorySource empty{Bytes{}};
    MemorySource one{Bytes{1}};
    CHECK(decode_payload(PayloadKind::raw, empty, nullptr, 1, work, sink) == Status::payload_malformed);
    CHECK(decode_payload(PayloadKind::raw, one, nullptr, 0, work, sink) == Status::payload_malformed);
    CHECK(decode_payload(static_cast<PayloadKind>(99), one, nullptr, 1, work, sink) ==
          Status::payload_unsupported);
    CHECK(payload_memory_bytes(PayloadKind::lzma, one, 1) == 0);
    CHECK(payload_memory_bytes(static_cast<PayloadKind>(99), one, 1) == 0);
    CHECK(sink.bytes.empty());
}

TEST_CASE("the thumb filter is its own inverse in the other direction, in any pieces", "[core][decoder]") {
    const Bytes plain = image(5000, Content::code);
    Bytes whole = plain;
    static_cast<void>(thumb_filter(whole, 0, ThumbDirection::to_absolute));
    CHECK((whole != plain));
    Bytes back = whole;
    static_cast<void>(thumb_filter(back, 0, ThumbDirection::to_relative));
    CHECK((back == plain));

    std::mt19937 random(3);
    Bytes pieces = plain;
    std::size_t done = 0;
    std::size_t given = 0;
    while (given < pieces.size()) {
        given = std::min<std::size_t>(pieces.size(), given + 1 + random() % 9);
        done += thumb_filter(std::span(pieces).subspan(done, given - done), static_cast<std::uint32_t>(done),
                             ThumbDirection::to_absolute);
        REQUIRE(given - done <= 3);
    }
    CHECK((pieces == whole));
}
