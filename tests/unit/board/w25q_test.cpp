// The SPI NOR flash against the W25Q128 data sheet (fact sheet 6).

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

#include "virtual_board/models/w25q.hpp"

using namespace mcuota::board;
using Bytes = std::vector<std::uint8_t>;

namespace {

struct Bench {
    explicit Bench(std::uint32_t bytes = W25q::kSizeBytes) : array(bytes, 0xFF) {}
    /// One command under chip select; returns everything that came back after the bytes sent.
    Bytes command(const Bytes& out, std::size_t read = 0) {
        nor.select(true);
        for (const std::uint8_t byte : out)
            nor.exchange(byte);
        Bytes in;
        for (std::size_t i = 0; i < read; ++i)
            in.push_back(nor.exchange(0xFF));
        nor.select(false);
        return in;
    }
    std::uint8_t status() { return command({0x05}, 1)[0]; }
    void finish() {
        REQUIRE(nor.busy());
        clock.advance_to(nor.deadline());
        nor.advance();
    }
    void program(std::uint32_t address, const Bytes& data) {
        command({0x06});
        Bytes out = at(0x02, address);
        out.insert(out.end(), data.begin(), data.end());
        command(out);
    }
    static Bytes at(std::uint8_t opcode, std::uint32_t address) {
        return {opcode, static_cast<std::uint8_t>(address >> 16), static_cast<std::uint8_t>(address >> 8),
                static_cast<std::uint8_t>(address)};
    }

    Clock clock;
    Random random{3};
    std::vector<std::uint8_t> array;
    W25q nor{clock, array, random};
};

}  // namespace

TEST_CASE("the NOR says who it is", "[board][nor]") {
    Bench bench;
    CHECK(bench.command({0x9F}, 3) == Bytes{0xEF, 0x40, 0x18});
    CHECK(bench.command({0x90, 0, 0, 0}, 2) == Bytes{0xEF, 0x17});
    CHECK(bench.command({0xAB, 0, 0, 0}, 1) == Bytes{0x17});
    CHECK(bench.command({0x4B, 0, 0, 0, 0}, 8).size() == 8);
    CHECK(bench.status() == 0);
}

TEST_CASE("reading runs on to the end of the chip and around", "[board][nor]") {
    Bench bench;
    bench.array[0x12'3456] = 0x11;
    bench.array[0x12'3457] = 0x22;
    bench.array[W25q::kSizeBytes - 1] = 0x33;
    bench.array[0] = 0x44;
    CHECK(bench.command(Bench::at(0x03, 0x12'3456), 2) == Bytes{0x11, 0x22});
    Bytes fast = Bench::at(0x0B, 0x12'3456);
    fast.push_back(0);
    CHECK(bench.command(fast, 2) == Bytes{0x11, 0x22});
    CHECK(bench.command(Bench::at(0x03, 0xFF'FFFF), 2) == Bytes{0x33, 0x44});
}

TEST_CASE("write enable is seen, and falls after each operation", "[board][nor]") {
    Bench bench;
    bench.command({0x06});
    CHECK(bench.status() == W25q::kWel);
    bench.command({0x04});
    CHECK(bench.status() == 0);
    bench.program(0, {0});
    CHECK(bench.status() == (W25q::kBusy | W25q::kWel));
    bench.finish();
    CHECK(bench.status() == 0);
}

TEST_CASE("a page program takes 0.7 ms, wraps inside its page and only clears bits", "[board][nor]") {
    Bench bench;
    bench.array[0x1000] = 0xF0;
    Bytes data(20, 0xAA);
    data[16] = 0x3C;  // lands on 0x1000
    bench.program(0x10F0, data);
    CHECK(bench.nor.deadline() == 700 * kMicrosecond);
    CHECK(bench.array[0x10F0] == 0xFF);  // not before the end
    bench.finish();
    CHECK(bench.array[0x10F0] == 0xAA);
    CHECK(bench.array[0x10FF] == 0xAA);
    CHECK(bench.array[0x1100] == 0xFF);
    CHECK(bench.array[0x1000] == (0xF0 & 0x3C));
    CHECK(bench.array[0x1003] == 0xAA);
    CHECK(bench.array[0x1004] == 0xFF);
    CHECK(bench.nor.counters().page_programs == 1);
}

TEST_CASE("of more than 256 bytes the last 256 are programmed", "[board][nor]") {
    Bench bench;
    Bytes data(256, 0x00);
    data.insert(data.end(), 256, 0x77);
    bench.program(0x2000, data);
    bench.finish();
    CHECK(bench.array[0x2000] == 0x77);
    CHECK(bench.array[0x20FF] == 0x77);
}

TEST_CASE("erases cover their aligned unit in their typical time", "[board][nor]") {
    struct Row {
        std::uint8_t opcode;
        std::uint32_t address, begin, size_bytes;
        Time duration;
    };
    const Row row = GENERATE(Row{0x20, 0x1'2345, 0x1'2000, 4096, 45 * kMillisecond},
                             Row{0x52, 0x1'9345, 0x1'8000, 32768, 120 * kMillisecond},
                             Row{0xD8, 0x1'9345, 0x1'0000, 65536, 150 * kMillisecond});
    Bench bench;
    std::fill(bench.array.begin(), bench.array.end(), std::uint8_t{0});
    bench.command({0x06});
    bench.command(Bench::at(row.opcode, row.address));
    CHECK(bench.nor.deadline() == row.duration);
    bench.finish();
    CHECK(bench.array[row.begin - 1] == 0);
    CHECK(bench.array[row.begin] == 0xFF);
    CHECK(bench.array[row.begin + row.size_bytes - 1] == 0xFF);
    CHECK(bench.array[row.begin + row.size_bytes] == 0);
    CHECK(bench.nor.erases().at(row.begin / 4096) == 1);
    CHECK(bench.nor.erases().size() == row.size_bytes / 4096);
}

TEST_CASE("the chip erase clears everything", "[board][nor]") {
    const std::uint8_t opcode = GENERATE(std::uint8_t{0xC7}, std::uint8_t{0x60});
    Bench bench;
    bench.array[5] = bench.array[W25q::kSizeBytes - 1] = 0;
    bench.command({0x06});
    bench.command({opcode});
    CHECK(bench.nor.deadline() == 40 * kSecond);
    bench.finish();
    CHECK(bench.array[5] == 0xFF);
    CHECK(bench.array[W25q::kSizeBytes - 1] == 0xFF);
}

TEST_CASE("program and erase without write enable are silently ignored", "[board][nor]") {
    Bench bench;
    bench.array[0] = 0x12;
    bench.command(Bench::at(0x20, 0));
    CHECK_FALSE(bench.nor.busy());
    bench.command({0x02, 0, 0, 0, 0x00});
    CHECK_FALSE(bench.nor.busy());
    CHECK(bench.array[0] == 0x12);
    CHECK(bench.nor.counters().refused == 2);
}

TEST_CASE("while busy only status reads are answered", "[board][nor]") {
    Bench bench;
    bench.array[7] = 0x12;
    bench.command({0x06});
    bench.command(Bench::at(0x20, 0x10000));
    CHECK(bench.command(Bench::at(0x03, 7), 1) == Bytes{0xFF});
    CHECK(bench.command({0x9F}, 3) == Bytes{0xFF, 0xFF, 0xFF});
    CHECK(bench.status() == (W25q::kBusy | W25q::kWel));
    CHECK(bench.command({0x35}, 1) == Bytes{0});
    bench.finish();
    CHECK(bench.command(Bench::at(0x03, 7), 1) == Bytes{0x12});
}

TEST_CASE("an erase needs exactly three address bytes", "[board][nor]") {
    Bench bench;
    bench.command({0x06});
    bench.command({0x20, 0, 0});
    CHECK_FALSE(bench.nor.busy());
    bench.command({0x20, 0, 0, 0, 0});
    CHECK_FALSE(bench.nor.busy());
}

TEST_CASE("powered down it answers only to release", "[board][nor]") {
    Bench bench;
    bench.command({0xB9});
    CHECK(bench.command({0x9F}, 1) == Bytes{0xFF});
    bench.command({0xAB});
    CHECK(bench.command({0x9F}, 1) == Bytes{0xEF});
}

TEST_CASE("a software reset needs 66h before 99h and ends an operation with undefined content",
          "[board][nor]") {
    Bench bench;
    std::fill_n(bench.array.begin(), 4096, std::uint8_t{0});
    bench.command({0x06});
    bench.command(Bench::at(0x20, 0));
    bench.command({0x99});
    CHECK(bench.nor.deadline() == 45 * kMillisecond);
    bench.command({0x66});
    bench.command({0x99});
    CHECK(bench.nor.deadline() == bench.clock.now() + 30 * kMicrosecond);
    bench.finish();
    CHECK(bench.status() == 0);
    const auto zero = std::count(bench.array.begin(), bench.array.begin() + 4096, 0);
    CHECK(zero < 4096);
    CHECK(std::count(bench.array.begin(), bench.array.begin() + 4096, 0xFF) < 4096);
}

TEST_CASE("a suspended erase lets other sectors be read and ends after its rest", "[board][nor]") {
    Bench bench;
    bench.array[0x10000] = 0x5A;
    bench.command({0x06});
    bench.command(Bench::at(0x20, 0));
    bench.clock.advance_to(20 * kMillisecond);
    bench.command({0x75});
    CHECK_FALSE(bench.nor.busy());
    CHECK(bench.command({0x35}, 1) == Bytes{0x80});
    CHECK(bench.command(Bench::at(0x03, 0x10000), 1) == Bytes{0x5A});
    bench.command({0x7A});
    CHECK(bench.nor.deadline() == 45 * kMillisecond);
}

TEST_CASE("block protection keeps the upper or lower part", "[board][nor]") {
    Bench bench;
    bench.command({0x06});
    bench.command({0x01, 1u << 2});  // BP0: upper 256 KiB
    bench.finish();
    bench.program(0xFC'0000, {0});
    CHECK_FALSE(bench.nor.busy());
    bench.program(0xFB'FF00, {0});
    CHECK(bench.nor.busy());
    bench.finish();
    bench.command({0x50});
    bench.command({0x01, 1u << 5 | 1u << 2});  // volatile, at once, lower part
    CHECK_FALSE(bench.nor.busy());
    bench.program(0, {0});
    CHECK_FALSE(bench.nor.busy());
}

TEST_CASE("a power cut leaves the page in flight between old and new and forgets write enable",
          "[board][nor]") {
    Bench bench;
    bench.program(0x3000, Bytes(256, 0x0F));
    bench.nor.power_cut();
    CHECK_FALSE(bench.nor.busy());
    for (std::uint32_t i = 0; i < 256; ++i)
        REQUIRE((bench.array[0x3000 + i] & 0x0F) == 0x0F);
    CHECK(bench.array[0x3100] == 0xFF);
    CHECK(bench.status() == 0);
}

TEST_CASE("without chip select nothing is heard", "[board][nor]") {
    Bench bench;
    CHECK(bench.nor.exchange(0x9F) == 0xFF);
    CHECK(bench.nor.exchange(0) == 0xFF);
    CHECK(bench.command({0x9F}, 1) == Bytes{0xEF});
}

TEST_CASE("the larger part is reached whole by 4-byte opcodes, and by the others only through its modes",
          "[board][nor]") {
    Bench large{W25q::kLargeSizeBytes};
    const auto at4 = [](std::uint8_t opcode, std::uint32_t address) {
        Bytes bytes = Bench::at(opcode, address);
        bytes.insert(bytes.begin() + 1, static_cast<std::uint8_t>(address >> 24));
        return bytes;
    };
    const auto write4 = [&](std::uint32_t address, std::uint8_t value) {
        large.command({0x06});
        Bytes out = at4(0x12, address);
        out.push_back(value);
        large.command(out);
        large.finish();
    };
    CHECK(large.command({0x9F}, 3) == Bytes{0xEF, 0x40, 0x19});
    write4(0x0100'0010, 0x77);
    CHECK(large.array[0x0100'0010] == 0x77);
    CHECK(large.array[0x10] == 0xFF);
    CHECK(large.command(at4(0x13, 0x0100'0010), 1) == Bytes{0x77});
    Bytes fast = at4(0x0C, 0x0100'0010);
    fast.push_back(0);
    CHECK(large.command(fast, 1) == Bytes{0x77});

    SECTION("three address bytes reach the first half") {
        CHECK(large.command(Bench::at(0x03, 0x10), 1) == Bytes{0xFF});
    }
    SECTION("4-byte mode changes them, until it is left") {
        large.command({0xB7});
        CHECK(large.command({0x15}, 1)[0] % 2 == 1);
        CHECK(large.command(at4(0x03, 0x0100'0010), 1) == Bytes{0x77});
        large.command({0xE9});
        CHECK(large.command(Bench::at(0x03, 0x10), 1) == Bytes{0xFF});
    }
    SECTION("the extended address register changes them, until a software reset") {
        large.command({0x06});
        large.command({0xC5, 1});
        CHECK(large.command({0xC8}, 1) == Bytes{1});
        CHECK(large.command(Bench::at(0x03, 0x10), 1) == Bytes{0x77});
        large.command({0x66});
        large.command({0x99});
        large.finish();
        CHECK(large.command(Bench::at(0x03, 0x10), 1) == Bytes{0xFF});
    }
    SECTION("4-byte erases take exactly their sector or block") {
        write4(0x0101'0000, 0x11);
        large.command({0x06});
        large.command(at4(0x21, 0x0100'0123));
        large.finish();
        CHECK(large.array[0x0100'0010] == 0xFF);
        CHECK(large.array[0x0101'0000] == 0x11);
        large.command({0x06});
        large.command(at4(0xDC, 0x0101'8000));
        large.finish();
        CHECK(large.array[0x0101'0000] == 0xFF);
    }
}

TEST_CASE("the smaller part does not know 4-byte opcodes", "[board][nor]") {
    Bench bench;
    bench.command({0x06});
    bench.command({0x21, 0, 0, 0, 0});
    CHECK_FALSE(bench.nor.busy());
    CHECK(bench.nor.counters().refused == 1);
    CHECK(bench.command({0x13, 0, 0, 0, 0}, 1) == Bytes{0xFF});
}
