// The examination of the backup, kibibyte by kibibyte.
#include "mcu_loader/core/device/backup_watch.hpp"

#include <algorithm>
#include <array>

namespace mcuota::device {
namespace {

constexpr std::uint32_t kStepBytes = 1024;

}  // namespace

bool BackupWatch::another_backup() const noexcept {
    const State& state = journal_.state();
    return state.backup_slot != slot_ || (slot_ != Slot::none && state.backup_bank != bank_);
}

bool BackupWatch::step() noexcept {
    if (another_backup()) {
        damaged_ = doubted_ = false;
        return start();
    }
    if (begin_) {
        return start();
    }
    if (image_bytes_ == 0) {
        return false;
    }
    std::array<std::uint8_t, kStepBytes> bytes;
    const std::span<std::uint8_t> piece =
        std::span{bytes}.first(std::min(kStepBytes, image_bytes_ - offset_));
    if (storage_.read(Region::backup, bank_offset(storage_, bank_) + offset_, piece) != Status::ok) {
        image_bytes_ = 0;  // that the memory fails is told by whoever needs it
        return false;
    }
    hash_.update(piece);
    offset_ += static_cast<std::uint32_t>(piece.size());
    return offset_ < image_bytes_ || finish();
}

bool BackupWatch::start() noexcept {
    begin_ = false;
    image_bytes_ = offset_ = 0;
    hash_ = Sha256{};
    slot_ = journal_.state().backup_slot;
    bank_ = journal_.state().backup_bank;
    if (slot_ == Slot::none) {
        return false;
    }
    const Status status = load_slot(storage_, slot_, nullptr, scratch_);
    const Manifest& manifest = scratch_.manifest;
    if (status != Status::ok || manifest.image_size_bytes == 0 ||
        manifest.image_size_bytes > storage_.size_bytes(Region::running)) {
        return !is_storage_error(status) && misfit();
    }
    image_bytes_ = manifest.image_size_bytes;
    image_sha256_ = manifest.image_sha256;
    return true;
}

bool BackupWatch::finish() noexcept {
    image_bytes_ = 0;
    if (hash_.digest() != image_sha256_) {
        return misfit();
    }
    damaged_ = doubted_ = false;
    return false;
}

/// True when it is to be looked at once more.
bool BackupWatch::misfit() noexcept {
    damaged_ = damaged_ || doubted_;
    begin_ = doubted_ = !doubted_;
    return begin_;
}

}  // namespace mcuota::device
