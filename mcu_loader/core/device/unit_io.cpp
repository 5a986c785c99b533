// The two sinks of the installer.
#include "mcu_loader/core/device/unit_io.hpp"

#include <algorithm>
#include <cstring>

namespace mcuota::device {

Status Installer::Rehearsal::write(std::span<const std::uint8_t> bytes) noexcept {
    hash_.update(bytes);
    std::array<std::uint8_t, 256> present;
    while (!bytes.empty()) {
        if (unit_ >= installer_.unit_count_) {
            return Status::image_too_large;  // of more units than this loader can keep account of
        }
        Unit& unit = installer_.units_[unit_];
        const std::uint32_t unit_end = unit.offset + unit.image_bytes;
        const std::span<const std::uint8_t> piece =
            bytes.first(std::min<std::size_t>({bytes.size(), unit_end - position_, present.size()}));
        if (unit.same) {
            const auto there = std::span{present}.first(piece.size());
            if (const Status status = installer_.parts_.storage.read(Region::running, position_, there);
                status != Status::ok) {
                return status;
            }
            unit.same = std::memcmp(there.data(), piece.data(), piece.size()) == 0;
        }
        position_ += static_cast<std::uint32_t>(piece.size());
        bytes = bytes.subspan(piece.size());
        if (position_ == unit_end) {
            ++unit_;
        }
    }
    installer_.tell(step_, position_, total_);
    return Status::ok;
}

Status Installer::UnitWriter::begin_unit(Unit& unit) noexcept {
    const auto bit = std::uint32_t{1} << unit_;
    State next = installer_.journal_.state();
    next.dirty_units = (next.dirty_units & ~final_units_) | bit;
    next.units_done = static_cast<std::uint16_t>(unit_);
    if (const Status status = installer_.journal_.append(next); status != Status::ok) {
        return status;
    }
    Storage& storage = installer_.parts_.storage;
    installer_.parts_.board.feed_watchdog();
    kept_for_ =
        storage.erase(Region::running, unit.offset, storage.erase_unit_bytes(Region::running, unit.offset));
    // A sector that does not erase any more may hold what it should: the old application, when it is put
    // back. Nothing better can be had of it, and the hash over everything decides. The rehearsal has compared
    // those that were not in flight.
    return unit.steady ? kept_for_ : Status::ok;
}

bool Installer::UnitWriter::holds(std::uint32_t offset, std::span<const std::uint8_t> bytes) noexcept {
    std::array<std::uint8_t, 64> present;
    while (!bytes.empty()) {
        const auto there = std::span{present}.first(std::min(bytes.size(), present.size()));
        if (installer_.parts_.storage.read(Region::running, offset, there) != Status::ok ||
            std::memcmp(there.data(), bytes.data(), there.size()) != 0) {
            return false;
        }
        offset += static_cast<std::uint32_t>(there.size());
        bytes = bytes.subspan(there.size());
    }
    return true;
}

Status Installer::UnitWriter::flush() noexcept {
    if (fill_ == 0) {
        return Status::ok;
    }
    Storage& storage = installer_.parts_.storage;
    const std::uint32_t begin = position_ - fill_;
    const auto bytes = std::span{buffer_}.first(fill_);
    fill_ = 0;
    installer_.parts_.board.feed_watchdog();
    if (kept_for_ != Status::ok) {
        return holds(begin, bytes) ? Status::ok : kept_for_;
    }
    const std::size_t granule = storage.program_unit_bytes(Region::running);
    const std::size_t padded = (bytes.size() + granule - 1) / granule * granule;
    const auto whole = std::span{buffer_}.first(padded);
    std::fill(whole.begin() + static_cast<std::ptrdiff_t>(bytes.size()), whole.end(), std::uint8_t{0xFF});
    return storage.program(Region::running, begin, whole);
}

Status Installer::UnitWriter::write(std::span<const std::uint8_t> bytes) noexcept {
    while (!bytes.empty()) {
        if (unit_ >= installer_.unit_count_) {
            return Status::payload_malformed;
        }
        Unit& unit = installer_.units_[unit_];
        if (position_ == unit.offset && !unit.same) {
            if (const Status status = begin_unit(unit); status != Status::ok) {
                return status;
            }
        }
        const std::uint32_t unit_left = unit.offset + unit.image_bytes - position_;
        std::size_t count = std::min<std::size_t>(bytes.size(), unit_left);
        if (!unit.same) {
            count = std::min<std::size_t>(count, buffer_.size() - fill_);
            std::copy_n(bytes.begin(), count, buffer_.begin() + fill_);
            fill_ += static_cast<std::uint32_t>(count);
        }
        position_ += static_cast<std::uint32_t>(count);
        bytes = bytes.subspan(count);
        const bool unit_ends = count == unit_left;
        if (fill_ == buffer_.size() || unit_ends) {
            if (const Status status = flush(); status != Status::ok) {
                return status;
            }
        }
        if (unit_ends) {
            final_units_ |= std::uint32_t{1} << unit_;
            ++unit_;
        }
    }
    installer_.tell(step_, position_, installer_.package_.manifest.image_size_bytes);
    return Status::ok;
}

}  // namespace mcuota::device
