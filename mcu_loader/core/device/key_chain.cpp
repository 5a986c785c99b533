// The key chain at rest and in use.
#include "mcu_loader/core/device/key_chain.hpp"

#include <algorithm>

#include "mcu_loader/core/crc32.hpp"
#include "mcu_loader/core/device/manifest_slot.hpp"
#include "mcu_loader/core/little_endian.hpp"

namespace mcuota::device {
namespace {

constexpr std::size_t kBuiltIn = 2;  ///< positions of built-in keys
constexpr std::uint32_t kCrcBytes = 4;
constexpr std::uint32_t kEntryGranule = 16;

/// Bytes a record takes in a key area: itself, its CRC-32, rounded up for flash that programs in rows.
constexpr std::uint32_t entry_bytes(std::size_t record_bytes) noexcept {
    return (static_cast<std::uint32_t>(record_bytes) + kCrcBytes + kEntryGranule - 1) / kEntryGranule *
           kEntryGranule;
}
static_assert(entry_bytes(kRotationBytesMax) == kKeyEntryBytesMax);

}  // namespace

/// Reads the entry at `offset` of a key area into entry_. ok, malformed_request (there is none) or a storage
/// error.
Status KeyChain::read_entry(Slot slot, std::uint32_t offset, std::span<const std::uint8_t>& entry,
                            RotationRecord& record) noexcept {
    const FlagLayout layout = flag_layout(storage_, region_of(slot));
    const std::uint32_t room = layout.keys_bytes - std::min(layout.keys_bytes, offset);
    const std::span<std::uint8_t> all = std::span{entry_}.first(std::min<std::size_t>(entry_.size(), room));
    if (all.empty()) {
        return Status::malformed_request;
    }
    if (const Status status = storage_.read(region_of(slot), layout.keys_begin + offset, all);
        status != Status::ok) {
        return status;
    }
    const std::size_t record_bytes = rotation_size(all);
    const std::uint32_t bytes = entry_bytes(record_bytes);
    if (record_bytes == 0 || bytes > all.size() ||
        load_u32(&entry_[bytes - kCrcBytes]) != crc32(all.first(bytes - kCrcBytes))) {
        return Status::malformed_request;
    }
    entry = all.first(bytes);
    return parse_rotation(all.first(record_bytes), record);
}

/// Learns offsets and key ids of the first `wanted` records of a copy; `found` says how many of them are
/// there.
Status KeyChain::scan(Slot slot, unsigned wanted, unsigned& found) noexcept {
    end_ = 0;
    for (found = 0; found < wanted; ++found) {
        std::span<const std::uint8_t> entry;
        RotationRecord record;
        const Status status = read_entry(slot, end_, entry, record);
        if (is_storage_error(status)) {
            return status;
        }
        if (status != Status::ok || record.generation != found + 1) {
            return Status::ok;
        }
        offsets_[found] = static_cast<std::uint16_t>(end_);
        ids_[found] = key_id_of(record.algorithm, record.next_key);
        end_ += static_cast<std::uint32_t>(entry.size());
    }
    return Status::ok;
}

Status KeyChain::mount(const State& journalled) noexcept {
    count_ = proven_ = 0;
    end_ = 0;
    named_ = in_use_ = journalled.key_slot;
    const unsigned wanted =
        built_in_.size() < kBuiltIn ? 0 : std::min<unsigned>(journalled.key_generation, kRotationsMax);
    if (named_ == Slot::none || wanted == 0) {
        return Status::ok;
    }
    unsigned found = 0;
    Status status = scan(named_, wanted, found);
    if (status == Status::ok && found < wanted) {
        unsigned found_there = 0;
        status = scan(other(named_), wanted, found_there);
        in_use_ = other(named_);
        if (status == Status::ok && found_there <= found) {
            in_use_ = named_;
            status = scan(named_, found, found_there);
        }
        found = found_there;
    }
    count_ = status == Status::ok ? static_cast<std::uint8_t>(found) : std::uint8_t{0};
    return status;
}

Status KeyChain::load_record(unsigned index, RotationRecord& record) noexcept {
    std::span<const std::uint8_t> entry;
    const Status status = read_entry(in_use_, offsets_[index], entry, record);
    // It was whole a moment ago: the memory is at fault.
    return status == Status::ok || is_storage_error(status) ? status : Status::nor_verify_failed;
}

Status KeyChain::load_key(std::size_t position, PublicKey& out) noexcept {
    if (position < kBuiltIn) {
        out = built_in_[position];
        return Status::ok;
    }
    RotationRecord record;
    if (const Status status = load_record(static_cast<unsigned>(position - kBuiltIn), record);
        status != Status::ok) {
        return status;
    }
    std::copy(record.next_key.begin(), record.next_key.end(), key_.begin());
    out = {record.algorithm, ids_[position - kBuiltIn], std::span{key_}.first(record.next_key.size())};
    return Status::ok;
}

/// Verifies the signatures of the first `records` records. One that fails, and all behind it, are forgotten.
Status KeyChain::prove(unsigned records) noexcept {
    while (proven_ < std::min<unsigned>(records, count_)) {
        PublicKey signer{};
        RotationRecord record;
        Status status = load_key(std::size_t{proven_} + 1, signer);
        if (status == Status::ok) {
            status = load_record(proven_, record);
        }
        if (status != Status::ok) {
            return status;
        }
        board_.feed_watchdog();
        if (verify_rotation(record, signer) != Status::ok) {
            count_ = proven_;
            end_ = offsets_[proven_];
            break;
        }
        ++proven_;
    }
    return Status::ok;
}

std::uint16_t KeyChain::generation() noexcept {
    return prove(count_) == Status::ok ? count_ : proven_;
}

KeyId KeyChain::id_at(std::size_t position) const noexcept {
    if (position < built_in_.size()) {
        return built_in_[position].id;
    }
    const bool known = position >= kBuiltIn && position - kBuiltIn < count_;
    return known ? ids_[position - kBuiltIn] : KeyId{};
}

Status KeyChain::verify(std::size_t position, const Manifest& manifest,
                        std::span<const std::uint8_t> manifest_bytes,
                        std::span<const std::uint8_t> signature) noexcept {
    if (position >= positions()) {
        return Status::key_unknown;
    }
    PublicKey key{};
    if (const Status status = load_key(position, key); status != Status::ok) {
        return status;
    }
    board_.feed_watchdog();
    return verify_manifest({&key, 1}, manifest, manifest_bytes, signature);
}

Status KeyChain::verify_new(const Manifest& manifest, std::span<const std::uint8_t> manifest_bytes,
                            std::span<const std::uint8_t> signature) noexcept {
    if (const Status status = prove(count_); status != Status::ok) {
        return status;
    }
    return verify(count_, manifest, manifest_bytes, signature);
}

Status KeyChain::verify_held(const Manifest& manifest, std::span<const std::uint8_t> manifest_bytes,
                             std::span<const std::uint8_t> signature) noexcept {
    for (std::size_t position = 0; position < positions(); ++position) {
        if (id_at(position) != manifest.key_id) {
            continue;
        }
        // A key is as good as the records up to the one that brought it: if one of them is not, the position
        // is gone.
        const unsigned needed = position < kBuiltIn ? 0 : static_cast<unsigned>(position - 1);
        if (const Status status = prove(needed); status != Status::ok) {
            return status;
        }
        return verify(position, manifest, manifest_bytes, signature);
    }
    return Status::key_unknown;
}

/// Whether `record` may become the next one of the chain.
Status KeyChain::accept(const RotationRecord& record) noexcept {
    PublicKey signer{};
    if (const Status status = load_key(std::size_t{count_} + 1, signer); status != Status::ok) {
        return status;
    }
    board_.feed_watchdog();
    if (const Status status = verify_rotation(record, signer); status != Status::ok) {
        return status;
    }
    const KeyId fresh = key_id_of(record.algorithm, record.next_key);
    for (std::size_t position = 0; position < positions(); ++position) {
        if (id_at(position) == fresh) {
            return Status::malformed_request;  // a key comes once: its id says which generation is meant
        }
    }
    return Status::ok;
}

/// Erases the key area of `target` and writes the records in use, then the record `added` when there is one.
Status KeyChain::write_copy(Slot target, std::span<const std::uint8_t> added) noexcept {
    const Region region = region_of(target);
    const FlagLayout layout = flag_layout(storage_, region);
    const std::uint32_t wanted = end_ + (added.empty() ? 0 : entry_bytes(added.size()));
    if (wanted > layout.keys_bytes) {
        return Status::out_of_range;
    }
    std::uint32_t erase_bytes = 0;
    while (erase_bytes < wanted) {
        erase_bytes += storage_.erase_unit_bytes(region, layout.keys_begin + erase_bytes);
    }
    board_.feed_watchdog();
    if (const Status status = storage_.erase(region, layout.keys_begin, erase_bytes); status != Status::ok) {
        return status;
    }
    for (unsigned index = 0; index < count_; ++index) {
        std::span<const std::uint8_t> entry;
        RotationRecord record;
        Status status = read_entry(in_use_, offsets_[index], entry, record);
        if (status == Status::ok) {
            status = storage_.program(region, layout.keys_begin + offsets_[index], entry);
        }
        if (status != Status::ok) {
            return is_storage_error(status) ? status : Status::nor_verify_failed;
        }
    }
    if (added.empty()) {
        return Status::ok;
    }
    const std::span<std::uint8_t> entry = std::span{entry_}.first(entry_bytes(added.size()));
    std::fill(std::copy(added.begin(), added.end(), entry.begin()), entry.end(), std::uint8_t{0});
    store_u32(&entry[entry.size() - kCrcBytes], crc32(entry.first(entry.size() - kCrcBytes)));
    return storage_.program(region, layout.keys_begin + end_, entry);
}

bool KeyChain::copies_agree() noexcept {
    const FlagLayout layout = flag_layout(storage_, region_of(in_use_));
    constexpr std::uint32_t kHalf = kKeyEntryBytesMax / 2;
    for (std::uint32_t offset = 0; offset < end_; offset += kHalf) {
        const std::size_t count = std::min(kHalf, end_ - offset);
        const std::span<std::uint8_t> here = std::span{entry_}.first(count);
        const std::span<std::uint8_t> there = std::span{entry_}.subspan(kHalf, count);
        if (storage_.read(region_of(in_use_), layout.keys_begin + offset, here) != Status::ok ||
            storage_.read(region_of(other(in_use_)), layout.keys_begin + offset, there) != Status::ok ||
            !std::equal(here.begin(), here.end(), there.begin())) {
            return false;
        }
    }
    return true;
}

void KeyChain::settle() noexcept {
    // A copy the journal names is never written, not even when it seems to be damaged: it may be the reading.
    if (count_ != 0 && in_use_ == named_ && !copies_agree()) {
        static_cast<void>(write_copy(other(in_use_), {}));
    }
}

Status KeyChain::rotate(std::span<const std::uint8_t> record, Journal& journal,
                        std::uint16_t& generation) noexcept {
    RotationRecord added;
    if (const Status status = parse_rotation(record, added); status != Status::ok) {
        return status;
    }
    if (built_in_.size() < kBuiltIn) {
        return Status::key_unknown;
    }
    if (const Status status = prove(count_); status != Status::ok) {
        return status;
    }
    if (added.generation <= count_) {
        RotationRecord known;
        if (const Status status = load_record(added.generation - 1U, known); status != Status::ok) {
            return status;
        }
        const bool same = known.size_bytes() == record.size() &&
                          std::equal(record.begin(), record.end(), known.signed_bytes.begin());
        if (!same) {
            return Status::wrong_state;
        }
        generation = count_;
        return Status::ok;
    }
    if (added.generation != count_ + 1U) {
        return Status::wrong_state;
    }
    if (const Status status = accept(added); status != Status::ok) {
        return status;
    }
    const Slot target = in_use_ == Slot::none ? Slot::a : other(in_use_);
    if (const Status status = write_copy(target, record); status != Status::ok) {
        return status;
    }
    State next = journal.state();
    next.key_slot = target;
    next.key_generation = static_cast<std::uint8_t>(added.generation);
    if (const Status status = journal.append(next); status != Status::ok) {
        return status;
    }
    named_ = in_use_ = target;
    offsets_[count_] = static_cast<std::uint16_t>(end_);
    ids_[count_] = key_id_of(added.algorithm, added.next_key);
    end_ += entry_bytes(record.size());
    proven_ = ++count_;
    generation = count_;
    settle();
    return Status::ok;
}

}  // namespace mcuota::device
