// HDiffPatch deltas byte by byte: the worked examples of docs/deltas.md, and what a reader must refuse.

#include <catch2/catch.hpp>

#include "tests/unit/delta/samples.hpp"

namespace mcuota::delta::test {
namespace {

/// The capital alphabet four times, then the digits three times.
Bytes old_text() {
    std::string text;
    for (int i = 0; i < 4; ++i)
        text += "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int i = 0; i < 3; ++i)
        text += "0123456789";
    return {text.begin(), text.end()};
}

Bytes new_text() {
    const Bytes old_image = old_text();
    Bytes out(old_image.begin() + 10, old_image.begin() + 90);
    out[5] = static_cast<std::uint8_t>(out[5] + 1);
    out[60] = 0;
    for (const char c : std::string("hello"))
        out.push_back(static_cast<std::uint8_t>(c));
    out.insert(out.end(), old_image.begin(), old_image.begin() + 40);
    out.insert(out.end(), old_image.begin() + 100, old_image.end());
    return out;
}

const Bytes kHdiff13{0x48, 0x44, 0x49, 0x46, 0x46, 0x31, 0x33, 0x26, 0x00, 0x81, 0x1f, 0x81,
                     0x06, 0x03, 0x0a, 0x00, 0x07, 0x00, 0x02, 0x00, 0x05, 0x00, 0x0a, 0x00,
                     0x50, 0xc0, 0x5a, 0x05, 0x28, 0x3c, 0x00, 0x22, 0x04, 0x80, 0x20, 0x35,
                     0x80, 0x20, 0x61, 0x01, 0xad, 0x68, 0x65, 0x6c, 0x6c, 0x6f};
const Bytes kHdiffsf20{0x48, 0x44, 0x49, 0x46, 0x46, 0x53, 0x46, 0x32, 0x30, 0x26, 0x00,
                       0x81, 0x1f, 0x81, 0x06, 0x03, 0x11, 0x18, 0x00, 0x0a, 0x07, 0x0a,
                       0x00, 0x50, 0xc0, 0x5a, 0x05, 0x28, 0x3c, 0x00, 0x22, 0x05, 0x01,
                       0x01, 0x36, 0x01, 0xad, 0x5d, 0x68, 0x65, 0x6c, 0x6c, 0x6f};

}  // namespace

TEST_CASE("HDiffPatch's own worked examples decode", "[delta]") {
    for (const Bytes& delta : {kHdiff13, kHdiffsf20}) {
        const auto image = decode(old_text(), delta);
        REQUIRE(image.ok());
        CHECK(*image == new_text());
    }
}

TEST_CASE("numbers padded with leading zero groups are read", "[delta]") {
    Bytes padded = kHdiffsf20;
    padded[18] = 0x80;  // compressedSize: three bytes for 0
    padded.insert(padded.begin() + 19, {0x80, 0x00});
    const auto image = decode(old_text(), padded);
    REQUIRE(image.ok());
    CHECK(*image == new_text());
}

TEST_CASE("a head that contradicts itself is refused", "[delta]") {
    struct Row {
        const char* name;
        const Bytes& good;
        std::size_t at;
        std::uint8_t value;
    };
    for (const Row& row : {
             Row{"step larger than the body", kHdiffsf20, 16, 0x19},
             Row{"step smaller than its blocks", kHdiffsf20, 16, 0x10},
             Row{"body one byte longer", kHdiffsf20, 17, 0x19},
             Row{"packed, but no compression named", kHdiffsf20, 18, 0x05},
             Row{"one cover too few", kHdiffsf20, 15, 0x02},
             Row{"one cover too many", kHdiffsf20, 15, 0x04},
             Row{"cover beyond the old image", kHdiffsf20, 21, 0x3f},
             Row{"cover beyond the new image", kHdiffsf20, 30, 0x7f},
             Row{"jump in front of the old image", kHdiffsf20, 25, 0x7f},
             Row{"literal part one byte longer", kHdiff13, 20, 0x06},
             Row{"one cover too few", kHdiff13, 13, 0x02},
             Row{"one cover too many", kHdiff13, 13, 0x04},
             Row{"run beyond the image", kHdiff13, 38, 0x7f},
             Row{"run short of the image", kHdiff13, 38, 0x60},
             Row{"difference in a literal", kHdiff13, 35, 0x53},
             Row{"unknown compression", kHdiff13, 8, 0x7a},
         }) {
        INFO(row.name);
        Bytes bad = row.good;
        bad[row.at] = row.value;
        CHECK_FALSE(decode(old_text(), bad).ok());
    }
}

TEST_CASE("covers are split so that no step exceeds what the head says", "[delta]") {
    // Every byte differs a little: the differences of one cover are far larger than a step.
    Bytes from = random_bytes(100'000, 21), to = from;
    for (std::size_t i = 0; i < to.size(); i += 5)
        to[i] = static_cast<std::uint8_t>(to[i] + 1 + i % 7);
    const auto delta = encode(Format::hdiffsf20, from, to);
    REQUIRE(delta.ok());
    CHECK(delta->memory_bytes <= 48U << 10);
    CHECK(delta->bytes.size() < to.size() / 2);
}

}  // namespace mcuota::delta::test
