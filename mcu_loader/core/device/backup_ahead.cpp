// The copy from running to the spare bank, page by page.
#include "mcu_loader/core/device/backup_ahead.hpp"

#include <algorithm>
#include <array>

namespace mcuota::device {
namespace {

constexpr std::uint32_t kPageBytes = 256;

}  // namespace

bool BackupAhead::wanted() const noexcept {
    const State& state = journal_.state();
    return !failed_ && state.phase == Phase::idle && state.running_confirmed &&
           state.running_slot != Slot::none && state.backup_slot != state.running_slot &&
           !state.spare_whole && has_two_banks(storage_);
}

bool BackupAhead::step() noexcept {
    if (!wanted()) {
        image_bytes_ = 0;  // whatever was under way is not what is wanted next time
        return false;
    }
    const std::uint32_t bank = bank_offset(storage_, other(journal_.state().backup_bank));
    Status status = Status::ok;
    if (image_bytes_ == 0) {
        status = begin();
    } else if (offset_ == image_bytes_) {
        status = end();
    } else if (offset_ == erased_until_) {
        const std::uint32_t unit = storage_.erase_unit_bytes(Region::backup, bank + offset_);
        board_.feed_watchdog();
        status = storage_.erase(Region::backup, bank + offset_, unit);
        erased_until_ += unit;
    } else {
        status = copy_page(bank);
    }
    failed_ = status != Status::ok;
    return true;
}

Status BackupAhead::begin() noexcept {
    if (const Status status = load_slot(storage_, journal_.state().running_slot, {}, scratch_);
        status != Status::ok) {
        return status;
    }
    image_bytes_ = scratch_.manifest.image_size_bytes;
    image_sha256_ = scratch_.manifest.image_sha256;
    offset_ = erased_until_ = 0;
    hash_ = Sha256{};
    return image_bytes_ != 0 && image_bytes_ <= storage_.size_bytes(Region::running)
               ? Status::ok
               : Status::image_too_large;
}

Status BackupAhead::copy_page(std::uint32_t bank) noexcept {
    std::array<std::uint8_t, kPageBytes> page;
    const std::uint32_t count = std::min({kPageBytes, image_bytes_ - offset_, erased_until_ - offset_});
    const std::span<std::uint8_t> bytes = std::span{page}.first(count);
    if (const Status status = storage_.read(Region::running, offset_, bytes); status != Status::ok) {
        return status;
    }
    hash_.update(bytes);
    const Status status = storage_.program(Region::backup, bank + offset_, bytes);
    offset_ += count;
    return status;
}

Status BackupAhead::end() noexcept {
    if (hash_.digest() != image_sha256_) {
        return Status::application_damaged;  // the loader finds that at the next start
    }
    State next = journal_.state();
    next.spare_whole = true;
    return journal_.append(next);
}

}  // namespace mcuota::device
