#pragma once
// Where an image is linked to, found in the image itself: its vector table and its code.

#include <cstdint>
#include <span>
#include <string_view>

namespace mcuota::package {

/// How an address was come by.
enum class AddressSource : std::uint8_t {
    given,         ///< a person said it
    code,          ///< most pointers into the code fit it, and the vector table does not object
    vector_table,  ///< the reset vector points into the image at the usual address
    assumed,       ///< nothing in the image speaks for it: the usual address
};

struct LoadAddress {
    std::uint32_t address{0};
    AddressSource source{AddressSource::assumed};
};

/// The address an image is linked to. What its pointers say counts most; then the reset vector at `usual`;
/// else `usual` is assumed.
[[nodiscard]] LoadAddress find_load_address(std::span<const std::uint8_t> image, std::uint32_t usual);

/// Whether the reset vector points into the image when it starts at `address`.
[[nodiscard]] bool reset_vector_fits(std::span<const std::uint8_t> image, std::uint32_t address) noexcept;

/// For people: "given", "found in its code", "fits its vector table", "assumed".
[[nodiscard]] std::string_view to_string(AddressSource source) noexcept;

}  // namespace mcuota::package
