// CRC-32 against its published check value.
#include "mcu_loader/core/crc32.hpp"

#include <catch2/catch.hpp>
#include <string_view>
#include <vector>

using mcuota::crc32;

namespace {

std::vector<std::uint8_t> bytes_of(std::string_view text) {
    return {text.begin(), text.end()};
}

}  // namespace

TEST_CASE("crc32 gives the standard's check values", "[core]") {
    CHECK(crc32({}) == 0);
    CHECK(crc32(bytes_of("123456789")) == 0xCBF43926U);
    CHECK(crc32(bytes_of("The quick brown fox jumps over the lazy dog")) == 0x414FA339U);
}

TEST_CASE("crc32 runs on over pieces of any size", "[core]") {
    const auto all = bytes_of("The quick brown fox jumps over the lazy dog");
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
        const std::span<const std::uint8_t> whole(all);
        CHECK(crc32(whole.subspan(cut), crc32(whole.first(cut))) == crc32(all));
    }
}
