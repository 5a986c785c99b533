#pragma once
// A raw LZMA1 stream, read piece by piece without heap: the decoder's tables, dictionary and input buffer all
// lie in memory the caller gives. Output pieces point into the dictionary, so nothing is copied.

#include <LzmaDec.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "mcu_loader/core/payload_decoder.hpp"

namespace mcuota {

/// LZMA properties: the lc/lp/pb byte and the dictionary size.
constexpr std::uint32_t kLzmaPropertiesBytes = 5;
/// Smallest dictionary size the properties may name (the LZMA format's own lower bound).
constexpr std::uint32_t kLzmaDictionaryBytesMin = 4096;

/// What a stream asks for, from its properties alone.
struct LzmaPlan {
    unsigned lc{0}, lp{0}, pb{0};
    std::uint32_t probability_count{0};
    std::uint32_t dictionary_bytes{0};  ///< min(properties, output size)
    /// Work memory LzmaStream::open() needs, whatever its alignment.
    [[nodiscard]] std::uint32_t memory_bytes() const noexcept;
};

/// Reads the properties at `offset` of `source`. payload_malformed when no encoder would have written them.
[[nodiscard]] Status plan_lzma(ByteSource& source, std::uint32_t offset, std::uint32_t output_bytes,
                               LzmaPlan& out) noexcept;

/// Whether a stream's end marker (a match at distance 2^32, as tools write it that do not know the size
/// beforehand) has its place. Payloads never have one: a payload has one valid form.
enum class LzmaEndMark : std::uint8_t {
    forbidden,  ///< the size is known, and the stream ends with its last byte
    allowed,    ///< the size is known, and a marker may follow
    required,   ///< the size is not known: the marker ends the stream
};

/// One stream being decoded. Source and work memory must outlive it.
class LzmaStream {
  public:
    LzmaStream() noexcept = default;
    LzmaStream(const LzmaStream&) = delete;
    LzmaStream& operator=(const LzmaStream&) = delete;

    /// Prepares for the `length` bytes at `offset` of `source` (properties first), which hold exactly
    /// `output_bytes` (with a required end mark: at most). memory_budget when `work` is smaller than the
    /// plan's memory_bytes().
    [[nodiscard]] Status open(ByteSource& source, std::uint32_t offset, std::uint32_t length,
                              std::uint32_t output_bytes, std::span<std::uint8_t> work,
                              LzmaEndMark end_mark = LzmaEndMark::forbidden) noexcept;

    /// Decodes up to `bytes_max` more bytes; `piece` stays valid until the next call and is empty only after
    /// the last byte. With the last byte the end of the stream is checked: no input left over, range coder at
    /// rest.
    [[nodiscard]] Status next(std::uint32_t bytes_max, std::span<const std::uint8_t>& piece) noexcept;

  private:
    [[nodiscard]] Status refill() noexcept;
    /// Decodes up to the dictionary's place `end`, or to the marker.
    [[nodiscard]] Status decode_to(std::size_t end, ELzmaFinishMode mode, ELzmaStatus& reached) noexcept;
    [[nodiscard]] Status check_end(ELzmaStatus reached) noexcept;

    CLzmaDec decoder_{};
    LzmaEndMark end_mark_{LzmaEndMark::forbidden};
    ByteSource* source_{nullptr};
    std::uint32_t input_at_{0};
    std::uint32_t input_left_{0};
    std::uint32_t output_left_{0};
    std::span<std::uint8_t> buffer_;          ///< input buffer
    std::span<const std::uint8_t> buffered_;  ///< part of it not yet consumed
};

}  // namespace mcuota
