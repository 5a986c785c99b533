#pragma once
// The download region: keeps an envelope while it arrives and proves after a reset what of it is held
// (mcu_loader/SPEC.md §5). Loader and agent share it. It checks no signatures: package_check.hpp does.

#include <array>
#include <cstdint>
#include <span>

#include "mcu_loader/core/device/board.hpp"
#include "mcu_loader/core/device/storage.hpp"
#include "mcu_loader/core/link/target.hpp"
#include "mcu_loader/core/manifest.hpp"
#include "mcu_loader/core/payload_decoder.hpp"

namespace mcuota::device {

/// The first 24 bytes of an envelope (docs/package-format.md §4), decoded.
struct EnvelopeHead {
    std::uint16_t manifest_bytes{0};
    std::uint16_t signature_bytes{0};
    std::uint32_t payload_bytes{0};
    PayloadKind kind{PayloadKind::raw};
    std::uint32_t base_size_bytes{0};
};

/// Refuses with malformed_request whatever is not a head, or does not add up to `envelope_bytes`.
[[nodiscard]] Status parse_envelope_head(std::span<const std::uint8_t, link::kEnvelopeHeadBytes> bytes,
                                         std::uint32_t envelope_bytes, EnvelopeHead& out) noexcept;

constexpr std::uint32_t kStagingUnitBytesMax = 4096;

/// The staged envelope. Mount it once after a start; then offer/write, or read what is there.
class Staging {
  public:
    Staging(Storage& storage, Board& board) noexcept;

    /// Reads the stage header and counts the marks; proves nothing yet. Never writes.
    void mount() noexcept;
    /// Begins or resumes. A resumed envelope is proven unit by unit. Errors: malformed_request,
    /// payload_too_large, or of the storage.
    [[nodiscard]] Status offer(const link::Offer& offer, link::Held& held) noexcept;
    /// Next bytes in order. Whole units are programmed, read back and marked; the rest waits in RAM.
    /// Errors: wrong_state (no offer), out_of_order, out_of_range (beyond the envelope), or of the storage.
    [[nodiscard]] Status write(std::uint32_t offset, std::span<const std::uint8_t> bytes) noexcept;
    /// Forgets what waits in RAM; what is marked stays for a later offer.
    void close() noexcept;

    [[nodiscard]] bool present() const noexcept { return envelope_bytes_ != 0; }
    [[nodiscard]] bool complete() const noexcept { return present() && stored_ == envelope_bytes_; }
    [[nodiscard]] const Sha256Digest& package_id() const noexcept { return package_id_; }
    [[nodiscard]] std::uint32_t envelope_bytes() const noexcept { return envelope_bytes_; }
    [[nodiscard]] std::uint32_t stored_bytes() const noexcept { return stored_; }
    [[nodiscard]] const EnvelopeHead& head() const noexcept { return head_; }
    /// Longest envelope the region takes.
    [[nodiscard]] std::uint32_t capacity_bytes() const noexcept;
    /// Reads staged bytes; `offset` counts from the start of the envelope.
    [[nodiscard]] Status read(std::uint32_t offset, std::span<std::uint8_t> out) noexcept;

  private:
    struct Mark;
    enum class MarkSlot : std::uint8_t { blank, spoiled, mark, torn };
    [[nodiscard]] std::uint32_t unit_bytes() const noexcept;
    [[nodiscard]] std::uint32_t data_offset() const noexcept;
    /// How many marks an envelope of that many units may need; of the present envelope.
    [[nodiscard]] std::uint32_t mark_slots(std::uint32_t units) const noexcept;
    [[nodiscard]] std::uint32_t mark_slots() const noexcept;
    [[nodiscard]] std::uint32_t mark_offset(std::uint32_t slot) const noexcept;
    [[nodiscard]] std::uint32_t length_of_unit(std::uint32_t unit) const noexcept;
    [[nodiscard]] bool read_header() noexcept;
    [[nodiscard]] Status read_mark(std::uint32_t slot, Mark& mark, MarkSlot& kind) noexcept;
    void settle_marks() noexcept;
    void spoil_mark(std::uint32_t slot) noexcept;
    [[nodiscard]] Status begin(const link::Offer& offer, const EnvelopeHead& head) noexcept;
    [[nodiscard]] Status prove(link::Held& held) noexcept;
    [[nodiscard]] Status store_unit() noexcept;
    [[nodiscard]] Status append_mark(std::uint32_t unit, std::uint32_t crc) noexcept;
    /// Bytes to erase from `begin` on: up to `needed_end` when that is little, else up to `block_end`.
    [[nodiscard]] std::uint32_t erase_step(std::uint32_t begin, std::uint32_t needed_end,
                                           std::uint32_t block_end) const noexcept;
    [[nodiscard]] Status erase_ahead(std::uint32_t end) noexcept;

    Storage& storage_;
    Board& board_;
    Sha256Digest package_id_{};
    std::array<std::uint8_t, link::kEnvelopeHeadBytes> head_bytes_{};
    EnvelopeHead head_{};
    std::uint32_t envelope_bytes_{0};  ///< 0: nothing staged
    std::uint32_t salt_{0};            ///< CRC of the stage header: marks of another envelope do not fit it
    std::uint32_t stored_{0};          ///< bytes in marked units, contiguous from 0
    std::uint32_t next_mark_{0};
    std::uint32_t erased_until_{
        0};                  ///< region offset; erased since this start from the present unit up to here
    std::uint32_t fill_{0};  ///< bytes waiting in unit_
    bool open_{false};
    bool void_mark_{true};  ///< next_mark_ may have been in flight
    std::array<std::uint8_t, kStagingUnitBytesMax> unit_{};
};

/// The payload inside the staged envelope as a source for decode_payload().
class StagedPayload final : public ByteSource {
  public:
    explicit StagedPayload(Staging& staging) noexcept;
    [[nodiscard]] Status read(std::uint32_t offset, std::span<std::uint8_t> out) noexcept override;
    [[nodiscard]] std::uint32_t size_bytes() const noexcept override { return size_; }

  private:
    Staging& staging_;
    std::uint32_t offset_;
    std::uint32_t size_;
};

}  // namespace mcuota::device
