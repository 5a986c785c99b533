#pragma once
// `.lzma` files (LZMA-alone) through the loader's LZMA decoder.

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace mcuota::vectors {

struct LzmaLimits {
    std::uint64_t memory_bytes{256U << 20};  ///< tables, dictionary and buffer
    std::uint64_t output_bytes{1U << 30};
};

/// Decodes `file` into `sink`, piece by piece. Sizes told in the header and unknown ones (then with an end
/// marker) both work. Answers nothing when all is well, else what is wrong: not an `.lzma` file, more than
/// the limits allow, damaged, cut, or something behind it.
[[nodiscard]] std::string decode_lzma_file(std::span<const std::uint8_t> file, const LzmaLimits& limits,
                                           const std::function<bool(std::span<const std::uint8_t>)>& sink);

}  // namespace mcuota::vectors
