// The flash model's rules: bits fall only, erases are whole units, cuts leave any mix, marginal cells must be
// erased.
#include "flash_model.hpp"

#include <algorithm>
#include <numeric>

namespace mcuota::test {

Power::End Power::run(const std::function<void()>& body) {
    switch (setjmp(env_)) {
        case 0:
            body();
            return End::finished;
        case 1:
            return End::cut;
        default:
            return End::reset;
    }
}

Geometry Geometry::small() {
    Geometry geometry;
    const auto region = [&](Region which) -> RegionLayout& {
        return geometry.regions[static_cast<std::size_t>(which)];
    };
    region(Region::running) = {{512, 256, 1024, 512, 512}, 4, 64, 0};
    region(Region::flag_a) = {{1024, 1024}, 1, 256, 0};
    region(Region::flag_b) = {{1024, 1024}, 1, 256, 0};
    region(Region::backup) = {std::vector<std::uint32_t>(6, 512), 1, 256, 1024};
    region(Region::download) = {std::vector<std::uint32_t>(16, 512), 1, 256, 2048};
    return geometry;
}

Geometry Geometry::f429() {
    constexpr std::uint32_t kKib = 1024;
    Geometry geometry;
    const auto region = [&](Region which) -> RegionLayout& {
        return geometry.regions[static_cast<std::size_t>(which)];
    };
    region(Region::running) = {std::vector<std::uint32_t>(7, 128 * kKib), 4, 512, 0};
    region(Region::flag_a) = {{4 * kKib, 4 * kKib}, 1, 256, 0};
    region(Region::flag_b) = {{4 * kKib, 4 * kKib}, 1, 256, 0};
    region(Region::backup) = {std::vector<std::uint32_t>(224, 4 * kKib), 1, 256, 64 * kKib};
    region(Region::download) = {std::vector<std::uint32_t>(272, 4 * kKib), 1, 256, 64 * kKib};
    return geometry;
}

FlashModel::FlashModel(const Geometry& geometry) {
    for (std::size_t index = 0; index < cells_.size(); ++index) {
        Cells& target = cells_[index];
        target.layout = geometry.regions[index];
        const std::size_t size =
            std::accumulate(target.layout.units.begin(), target.layout.units.end(), std::size_t{0});
        target.value.assign(size, 0xFF);
        target.unsteady.assign(size, 0);
        target.torn_in.assign(size, 0);
        target.wear.assign(target.layout.units.size(), 0);
    }
}

std::uint32_t FlashModel::size_bytes(Region region) const noexcept {
    return static_cast<std::uint32_t>(cells(region).value.size());
}

std::uint32_t FlashModel::erase_unit_bytes(Region region, std::uint32_t offset) const noexcept {
    std::uint32_t begin = 0;
    for (const std::uint32_t unit : cells(region).layout.units) {
        if (offset < begin + unit) {
            return unit;
        }
        begin += unit;
    }
    return 0;
}

std::uint32_t FlashModel::program_unit_bytes(Region region) const noexcept {
    return cells(region).layout.program_unit;
}

std::uint32_t FlashModel::wear(Region region, std::uint32_t offset) const noexcept {
    const Cells& target = cells(region);
    std::uint32_t begin = 0;
    for (std::size_t index = 0; index < target.layout.units.size(); ++index) {
        if (offset < begin + target.layout.units[index]) {
            return target.wear[index];
        }
        begin += target.layout.units[index];
    }
    return 0;
}

std::uint32_t FlashModel::random() noexcept {
    random_ ^= random_ << 13U;
    random_ ^= random_ >> 17U;
    random_ ^= random_ << 5U;
    return random_;
}

void FlashModel::violate(const std::string& what) noexcept {
    if (violation_.empty()) {
        violation_ = what + " at operation " + std::to_string(operations_);
    }
}

bool FlashModel::in_range(Region region, std::uint32_t offset, std::size_t length,
                          const char* what) noexcept {
    const std::size_t size = cells(region).value.size();
    if (length == 0 || offset > size || length > size - offset) {
        violate(std::string{what} + " outside region " + std::to_string(static_cast<unsigned>(region)) +
                ", offset " + std::to_string(offset) + " length " + std::to_string(length));
        return false;
    }
    return true;
}

bool FlashModel::cut_now() noexcept {
    const bool hit = armed_ && operations_ == cut_at_;
    ++operations_;
    if (hit) {
        tear_ = cut_.tear;
        armed_ = cut_.again_after != 0;
        cut_at_ = operations_ + cut_.again_after - 1;
        cut_.tear = Tear::mixed;
        cut_.again_after = 0;
        random_ = cut_.seed * 2654435761U + static_cast<std::uint32_t>(operations_) + 1;
    }
    return hit;
}

Status FlashModel::read(Region region, std::uint32_t offset, std::span<std::uint8_t> out) noexcept {
    if (!in_range(region, offset, out.size(), "read")) {
        return Status::out_of_range;
    }
    const Cells& target = cells(region);
    for (std::size_t index = 0; index < out.size(); ++index) {
        const std::size_t at = offset + index;
        std::uint8_t value = target.value[at];
        if (target.unsteady[at] != 0 && cycle_ > target.torn_in[at] + 1) {
            const auto noise = static_cast<std::uint8_t>((at * 2654435761U + cycle_ * 40503U) >> 11U);
            value = static_cast<std::uint8_t>(value ^ (noise & target.unsteady[at]));
        }
        out[index] = value;
    }
    return Status::ok;
}

void FlashModel::tear(Cells& target, std::uint32_t offset, std::span<const std::uint8_t> wanted,
                      bool erasing) noexcept {
    for (std::size_t index = 0; index < wanted.size(); ++index) {
        const std::size_t at = offset + index;
        const std::uint8_t old = target.value[at];
        const std::uint8_t end =
            erasing ? std::uint8_t{0xFF} : static_cast<std::uint8_t>(old & wanted[index]);
        const auto changing = static_cast<std::uint8_t>(old ^ end);
        const auto noise = static_cast<std::uint8_t>(random() >> 9U);
        switch (tear_) {
            case Tear::before:
                return;
            case Tear::mixed:
                target.value[at] = static_cast<std::uint8_t>(old ^ (changing & noise));
                target.unsteady[at] |= static_cast<std::uint8_t>(changing & (random() >> 5U));
                break;
            case Tear::looks_done:
                target.value[at] = end;
                target.unsteady[at] |= changing;
                break;
            case Tear::looks_untouched:
                target.unsteady[at] |= changing;
                break;
        }
        if (erasing) {
            target.unsteady[at] = 0xFF;  // every cell of a unit whose erase was cut is suspect
        }
        target.torn_in[at] = cycle_;
    }
}

void FlashModel::program_piece(Cells& target, std::uint32_t offset,
                               std::span<const std::uint8_t> bytes) noexcept {
    const bool cut = cut_now();
    const std::uint32_t unit = target.layout.program_unit;
    // Flash that programs words tears inside one word; a page of the NOR tears as a whole.
    std::size_t whole = bytes.size();
    std::size_t torn = 0;
    if (cut) {
        whole = unit == 1 || tear_ == Tear::before ? 0 : random() % (bytes.size() / unit) * unit;
        torn = tear_ == Tear::before ? 0 : unit == 1 ? bytes.size() : unit;
    }
    for (std::size_t index = 0; index < whole + torn; ++index) {
        const std::size_t at = offset + index;
        if ((~target.value[at] & bytes[index]) != 0) {
            violate("a bit programmed from 0 to 1, offset " + std::to_string(at));
        }
        if ((target.unsteady[at] & bytes[index]) != 0) {
            violate("data programmed on cells a power cut left marginal, offset " + std::to_string(at));
        }
    }
    for (std::size_t index = 0; index < whole; ++index) {
        const std::size_t at = offset + index;
        target.value[at] &= bytes[index];
        target.unsteady[at] &= bytes[index];
    }
    if (cut) {
        tear(target, offset + static_cast<std::uint32_t>(whole), bytes.subspan(whole, torn), false);
        power_->cut();
    }
}

Status FlashModel::program(Region region, std::uint32_t offset,
                           std::span<const std::uint8_t> bytes) noexcept {
    Cells& target = cells(region);
    const std::uint32_t unit = target.layout.program_unit;
    if (!in_range(region, offset, bytes.size(), "program")) {
        return Status::out_of_range;
    }
    if (offset % unit != 0 || bytes.size() % unit != 0) {
        violate("program not aligned, offset " + std::to_string(offset));
        return Status::out_of_range;
    }
    while (!bytes.empty()) {
        const std::uint32_t row = target.layout.program_bytes;
        const std::size_t count = std::min<std::size_t>(bytes.size(), row - offset % row);
        const Status fault = fault_ ? fault_(region, false, offset) : Status::ok;
        if (fault != Status::ok) {
            const std::size_t half = count / 2 / unit * unit;
            program_piece(target, offset, bytes.first(half));
            return fault;
        }
        program_piece(target, offset, bytes.first(count));
        offset += static_cast<std::uint32_t>(count);
        bytes = bytes.subspan(count);
    }
    return Status::ok;
}

void FlashModel::erase_piece(Cells& target, std::uint32_t offset, std::uint32_t length) noexcept {
    const bool cut = cut_now();
    if (cut) {
        if (tear_ != Tear::before) {
            const std::span<const std::uint8_t> all{target.value};
            tear(target, offset, all.subspan(offset, length), true);
        }
        power_->cut();
    }
    std::fill_n(target.value.begin() + offset, length, std::uint8_t{0xFF});
    std::fill_n(target.unsteady.begin() + offset, length, std::uint8_t{0});
    std::uint32_t begin = 0;
    for (std::size_t index = 0; index < target.layout.units.size(); ++index) {
        if (begin >= offset && begin < offset + length) {
            ++target.wear[index];
        }
        begin += target.layout.units[index];
    }
}

Status FlashModel::erase(Region region, std::uint32_t offset, std::uint32_t length) noexcept {
    Cells& target = cells(region);
    if (!in_range(region, offset, length, "erase")) {
        return Status::out_of_range;
    }
    std::uint32_t begin = 0;
    bool starts = false;
    bool ends = false;
    for (const std::uint32_t unit : target.layout.units) {
        starts = starts || begin == offset;
        begin += unit;
        ends = ends || begin == offset + length;
    }
    if (!starts || !ends) {
        violate("erase not on unit borders, offset " + std::to_string(offset) + " length " +
                std::to_string(length));
        return Status::out_of_range;
    }
    while (length > 0) {
        const std::uint32_t unit = erase_unit_bytes(region, offset);
        const std::uint32_t block = target.layout.erase_bytes;
        const bool block_fits = block != 0 && offset % block == 0 && length >= block;
        const std::uint32_t piece = block_fits ? block : unit;
        const Status fault = fault_ ? fault_(region, true, offset) : Status::ok;
        if (fault != Status::ok) {
            return fault;
        }
        erase_piece(target, offset, piece);
        offset += piece;
        length -= piece;
    }
    return Status::ok;
}

}  // namespace mcuota::test
