#pragma once
// The keys a device trusts: the two its loader was built with and those that rotation records brought since
// (docs/package-format.md §6), kept in the key area of both flag regions (mcu_loader/SPEC.md §4).
// Freestanding.

#include <array>
#include <cstdint>
#include <span>

#include "mcu_loader/core/device/board.hpp"
#include "mcu_loader/core/device/journal.hpp"
#include "mcu_loader/core/device/storage.hpp"
#include "mcu_loader/core/rotation.hpp"

namespace mcuota::device {

/// The longest record, its CRC-32 and padding in a key area.
constexpr std::uint32_t kKeyEntryBytesMax = 544;
constexpr std::uint32_t kKeyAreaBytesMin = kRotationsMax * kKeyEntryBytesMax;

/// About 1 KiB. Keys have positions: 0 and 1 are the built-in current and next; record n brings position n
/// + 1. At generation g the current key is position g, the next one g + 1. What stands in the key area is not
/// believed: a record's signature is verified before its key is used, once after each start and only as far
/// as needed.
class KeyChain {
  public:
    /// `built_in`: current, then next. One key: it never rotates. None (an agent without a loader below it):
    /// nothing can be verified.
    KeyChain(Storage& storage, Board& board, std::span<const PublicKey> built_in) noexcept
        : storage_{storage}, board_{board}, built_in_{built_in} {}

    /// Finds the records the journal says are in force; when the copy it names is damaged, in the other one.
    /// Never writes. Answers a storage error or ok; records that are damaged in both copies are forgotten.
    [[nodiscard]] Status mount(const State& journalled) noexcept;
    /// Makes the second copy like the first when it is not: for the loader, once at each start. What fails is
    /// tried again at the next start.
    void settle() noexcept;

    [[nodiscard]] bool empty() const noexcept { return built_in_.empty(); }
    /// Generation in force. Proves every record first.
    [[nodiscard]] std::uint16_t generation() noexcept;
    /// Key id at a position; zeros where there is none.
    [[nodiscard]] KeyId id_at(std::size_t position) const noexcept;

    /// Whether a package that comes anew is signed by the current key: ok, key_unknown (retired keys and the
    /// next one included), algorithm_unsupported, signature_invalid, or a storage error.
    [[nodiscard]] Status verify_new(const Manifest& manifest, std::span<const std::uint8_t> manifest_bytes,
                                    std::span<const std::uint8_t> signature) noexcept;
    /// The same for an image the device holds already: signed by any key of the chain.
    [[nodiscard]] Status verify_held(const Manifest& manifest, std::span<const std::uint8_t> manifest_bytes,
                                     std::span<const std::uint8_t> signature) noexcept;

    /// Takes one rotation record: writes the copy that is not in use, journals it, then writes the other one.
    /// ok, also for a record in force already; malformed_request (not a record, or its new key is in the
    /// chain already), wrong_state (a record before it is missing, or another one of its generation is in
    /// force), key_unknown, signature_invalid, or a storage error. `generation` is set when ok.
    [[nodiscard]] Status rotate(std::span<const std::uint8_t> record, Journal& journal,
                                std::uint16_t& generation) noexcept;

  private:
    using Entry = std::array<std::uint8_t, kKeyEntryBytesMax>;

    [[nodiscard]] Status scan(Slot slot, unsigned wanted, unsigned& found) noexcept;
    [[nodiscard]] Status read_entry(Slot slot, std::uint32_t offset, std::span<const std::uint8_t>& entry,
                                    RotationRecord& record) noexcept;
    [[nodiscard]] Status load_record(unsigned index, RotationRecord& record) noexcept;
    [[nodiscard]] Status load_key(std::size_t position, PublicKey& out) noexcept;
    [[nodiscard]] Status prove(unsigned records) noexcept;
    [[nodiscard]] std::size_t positions() const noexcept { return built_in_.size() + count_; }
    [[nodiscard]] Status verify(std::size_t position, const Manifest& manifest,
                                std::span<const std::uint8_t> manifest_bytes,
                                std::span<const std::uint8_t> signature) noexcept;
    [[nodiscard]] Status accept(const RotationRecord& record) noexcept;
    [[nodiscard]] Status write_copy(Slot target, std::span<const std::uint8_t> added) noexcept;
    [[nodiscard]] bool copies_agree() noexcept;

    Storage& storage_;
    Board& board_;
    std::span<const PublicKey> built_in_;
    Slot named_{Slot::none};   ///< copy the journal names
    Slot in_use_{Slot::none};  ///< copy the records are read from
    std::uint8_t count_{0};    ///< records in force
    std::uint8_t proven_{0};   ///< of these, records whose signatures were verified
    std::uint32_t end_{0};     ///< bytes the records take in a key area
    std::array<std::uint16_t, kRotationsMax> offsets_{};
    std::array<KeyId, kRotationsMax> ids_{};              ///< of the keys the records bring
    Entry entry_{};                                       ///< the record read last
    std::array<std::uint8_t, kPublicKeyBytesMax> key_{};  ///< the key load_key() read last
};

}  // namespace mcuota::device
