// Vector table and code as witnesses of where an image is linked to.

#include "mcu_flasher/package/load_address.hpp"

#include "mcu_flasher/package/delta/delta.hpp"
#include "mcu_loader/core/little_endian.hpp"

namespace mcuota::package {
namespace {

constexpr std::size_t kResetVectorAt = 4;

}  // namespace

bool reset_vector_fits(std::span<const std::uint8_t> image, std::uint32_t address) noexcept {
    if (image.size() < kResetVectorAt + 4) return false;
    const std::uint32_t reset = load_u32(&image[kResetVectorAt]);
    // Bit 0 says Thumb; a Cortex-M knows nothing else.
    return (reset & 1U) != 0 && reset >= address && reset - address < image.size();
}

LoadAddress find_load_address(std::span<const std::uint8_t> image, std::uint32_t usual) {
    const auto guess = delta::guess_load_address(image);
    // Some images are the rear part of a program, without a vector table: their code speaks alone.
    const bool usual_fits = reset_vector_fits(image, usual);
    if (guess && (!usual_fits || reset_vector_fits(image, *guess))) return {*guess, AddressSource::code};
    if (usual_fits) return {usual, AddressSource::vector_table};
    return {usual, AddressSource::assumed};
}

std::string_view to_string(AddressSource source) noexcept {
    switch (source) {
        case AddressSource::given:
            return "given";
        case AddressSource::code:
            return "found in its code";
        case AddressSource::vector_table:
            return "fits its vector table";
        case AddressSource::assumed:
            return "assumed";
    }
    return "assumed";
}

}  // namespace mcuota::package
