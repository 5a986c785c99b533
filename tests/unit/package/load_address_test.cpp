// Where an image is linked to is read from the image, and said with its reason.
#include "mcu_flasher/package/load_address.hpp"

#include <catch2/catch.hpp>

#include "mcu_loader/core/little_endian.hpp"
#include "tests/unit/package/samples.hpp"

using namespace mcuota;
using namespace mcuota::package;

namespace {

constexpr std::uint32_t kUsual = 0x08020000;

/// A row of functions with a table of pointers to them, linked to `address`.
Bytes linked_to(std::uint32_t address) {
    constexpr std::size_t kFunctions = 200, kStride = 52;
    Bytes out = samples::image(8 + kFunctions * (kStride + 4));
    store_u32(&out[0], 0x20010000);
    store_u32(&out[4], address + 8 + kFunctions * 4 + 1);
    for (std::size_t i = 0; i < kFunctions; ++i) {
        const std::size_t at = 8 + kFunctions * 4 + i * kStride;
        store_u16(&out[at], 0xB510);
        store_u32(&out[8 + i * 4], address + static_cast<std::uint32_t>(at) + 1);
    }
    return out;
}

}  // namespace

TEST_CASE("an image's own pointers say where it is linked to", "[load-address]") {
    for (const std::uint32_t address : {0x00400000U, 0x08000000U, 0x08020000U, 0x08104000U}) {
        const LoadAddress found = find_load_address(linked_to(address), kUsual);
        CHECK(found.address == address);
        CHECK(found.source == AddressSource::code);
    }
}

TEST_CASE("an image without a vector table is judged by its code, a table elsewhere by itself",
          "[load-address]") {
    Bytes rear = linked_to(0x08040000);
    store_u32(&rear[4], 0xFFFFFFFF);
    CHECK(find_load_address(rear, kUsual).address == 0x08040000);
    // The code says one address, the vector table the usual one: the table is what a device starts by.
    store_u32(&rear[4], kUsual + 0x101);
    CHECK(find_load_address(rear, kUsual).address == kUsual);
    CHECK(find_load_address(rear, kUsual).source == AddressSource::vector_table);
}

TEST_CASE("without evidence in the code the vector table decides, then the usual address", "[load-address]") {
    Bytes image(64);
    store_u32(&image[4], kUsual + 0x11);
    CHECK(find_load_address(image, kUsual).source == AddressSource::vector_table);
    for (const std::uint32_t reset : {kUsual + 0x10, kUsual + 65, kUsual - 1, 0xFFFFFFFFU, 0U}) {
        store_u32(&image[4], reset);
        const LoadAddress found = find_load_address(image, kUsual);
        INFO(reset);
        CHECK(found.address == kUsual);
        CHECK(found.source == AddressSource::assumed);
    }
    for (const std::size_t size : {0U, 1U, 7U})
        CHECK(find_load_address(Bytes(size, 1), kUsual).source == AddressSource::assumed);
}
