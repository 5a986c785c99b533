// The flash model's rules: ranges, alignment, units, pages; cuts and faults at the operations they are set
// for.
#include "flash_model.hpp"

#include <algorithm>

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
    geometry.of(Region::running) = {{512, 256, 1024, 512, 512}, 4, 64, 0};
    geometry.of(Region::flag_a) = {{1024, 1024, 1024, 4096}, 1, 256, 0};
    geometry.of(Region::flag_b) = {{1024, 1024, 1024, 4096}, 1, 256, 0};
    geometry.of(Region::backup) = {std::vector<std::uint32_t>(6, 512), 1, 256, 1024};
    geometry.of(Region::download) = {std::vector<std::uint32_t>(16, 512), 1, 256, 2048};
    return geometry;
}

Geometry Geometry::small_two_banks() {
    Geometry geometry = small();
    geometry.of(Region::backup).units.assign(12, 512);
    return geometry;
}

Geometry Geometry::f429() {
    constexpr std::uint32_t kKib = 1024;
    Geometry geometry;
    geometry.of(Region::running) = {std::vector<std::uint32_t>(7, 128 * kKib), 4, 512, 0};
    geometry.of(Region::flag_a) = {std::vector<std::uint32_t>(4, 4 * kKib), 1, 256, 0};
    geometry.of(Region::flag_b) = {std::vector<std::uint32_t>(4, 4 * kKib), 1, 256, 0};
    geometry.of(Region::backup) = {std::vector<std::uint32_t>(960, 4 * kKib), 1, 256, 64 * kKib};
    geometry.of(Region::download) = {std::vector<std::uint32_t>(272, 4 * kKib), 1, 256, 64 * kKib};
    return geometry;
}

FlashModel::FlashModel(const Geometry& geometry) : cells_{geometry.regions.begin(), geometry.regions.end()} {}

std::uint32_t FlashModel::size_bytes(Region region) const noexcept {
    return cells(region).size();
}

std::uint32_t FlashModel::erase_unit_bytes(Region region, std::uint32_t offset) const noexcept {
    const Cells& target = cells(region);
    return offset < target.size() ? target.layout().units[target.unit_at(offset)] : 0;
}

std::uint32_t FlashModel::program_unit_bytes(Region region) const noexcept {
    return cells(region).layout().program_unit;
}

std::uint32_t FlashModel::wear(Region region, std::uint32_t offset) const noexcept {
    return offset < cells(region).size() ? cells(region).wear(cells(region).unit_at(offset)) : 0;
}

void FlashModel::violate(const std::string& what) noexcept {
    if (violation_.empty()) {
        violation_ = what + " at operation " + std::to_string(operations_);
    }
}

bool FlashModel::in_range(Region region, std::uint32_t offset, std::size_t length,
                          const char* what) noexcept {
    const std::size_t size = cells(region).size();
    if (length == 0 || offset > size || length > size - offset) {
        violate(std::string{what} + " outside region " + std::to_string(static_cast<unsigned>(region)) +
                ", offset " + std::to_string(offset) + " length " + std::to_string(length));
        return false;
    }
    return true;
}

Status FlashModel::read(Region region, std::uint32_t offset, std::span<std::uint8_t> out) noexcept {
    if (!in_range(region, offset, out.size(), "read")) {
        return Status::out_of_range;
    }
    cells(region).read(offset, out, cycle_, ++reads_);
    return read_fault_ && !read_faults_held_ ? read_fault_(region, offset, out) : Status::ok;
}

void FlashModel::arm(std::vector<Cut> cuts) {
    cuts_.clear();
    for (const Cut& cut : cuts) {
        cuts_.push_back(cut);
        if (cut.again_after != 0) {
            cuts_.push_back({cut.again_after - 1, Tear::mixed, cut.seed + 1, 0, CutCause::supply});
        }
    }
    cut_at_ = cuts_.empty() ? 0 : operations_ + cuts_.front().at_operation;
}

void FlashModel::tear(const Operation& operation, const Cut& cut) {
    Cells& target = cells(operation.region);
    std::uint32_t random = (cut.seed * 2654435761U) ^ (operation.offset * 40503U + operation.length);
    random += random == 0 ? 1 : 0;
    if (cut.cause != CutCause::supply && target.layout().own_chip) {
        // The chip keeps its supply: what it was told to do it does. A page it was still being told is
        // programmed as far as it came.
        if (cut.tear == Tear::before) {
            return;
        }
        if (operation.erase) {
            target.erase(operation.offset, operation.length);
        } else {
            target.program(operation.offset,
                           operation.bytes.first(cut.tear == Tear::partly ? random % operation.bytes.size()
                                                                          : operation.bytes.size()));
        }
        return;
    }
    target.tear(operation, cut.tear, cycle_, random);
}

void FlashModel::perform(const Operation& operation) noexcept {
    if (watcher_) {
        watcher_(*this, operation);
    }
    const bool hit = !cuts_.empty() && operations_ == cut_at_;
    ++operations_;
    Cells& target = cells(operation.region);
    if (const char* objection =
            operation.erase ? nullptr : target.objection(operation.offset, operation.bytes);
        objection != nullptr && !(hit && cuts_.front().tear == Tear::before)) {
        violate(std::string{objection} + ", region " +
                std::to_string(static_cast<unsigned>(operation.region)) + " offset " +
                std::to_string(operation.offset));
    }
    if (hit) {
        const Cut now = cuts_.front();
        cuts_.erase(cuts_.begin());
        cut_at_ = cuts_.empty() ? 0 : operations_ + cuts_.front().at_operation;
        tear(operation, now);
        power_->cut(now.cause);
    }
    if (operation.erase) {
        target.erase(operation.offset, operation.length);
    } else {
        target.program(operation.offset, operation.bytes);
    }
}

/// As storage.hpp asks of a port. Where reads do not fail, what was programmed is what was asked for.
bool FlashModel::reads_back(Region region, std::uint32_t offset,
                            std::span<const std::uint8_t> bytes) noexcept {
    if (!read_fault_) {
        return true;
    }
    std::array<std::uint8_t, 512> there{};
    const auto read_there = std::span{there}.first(bytes.size());
    return read(region, offset, read_there) == Status::ok &&
           std::equal(bytes.begin(), bytes.end(), read_there.begin());
}

Status FlashModel::program(Region region, std::uint32_t offset,
                           std::span<const std::uint8_t> bytes) noexcept {
    const RegionLayout& layout = cells(region).layout();
    const std::uint32_t unit = layout.program_unit;
    if (!in_range(region, offset, bytes.size(), "program")) {
        return Status::out_of_range;
    }
    if (offset % unit != 0 || bytes.size() % unit != 0) {
        violate("program not aligned, offset " + std::to_string(offset));
        return Status::out_of_range;
    }
    while (!bytes.empty()) {
        const std::uint32_t row = layout.program_bytes;
        const std::size_t count = std::min<std::size_t>(bytes.size(), row - offset % row);
        const Status fault = fault_ ? fault_(region, false, offset) : Status::ok;
        const std::size_t taken = fault == Status::ok ? count : count / 2 / unit * unit;
        if (taken != 0) {
            perform({region, false, offset, static_cast<std::uint32_t>(taken), bytes.first(taken)});
        }
        if (fault != Status::ok) {
            return fault;
        }
        if (!reads_back(region, offset, bytes.first(count))) {
            return region == Region::running ? Status::flash_program_failed : Status::nor_verify_failed;
        }
        offset += static_cast<std::uint32_t>(count);
        bytes = bytes.subspan(count);
    }
    return Status::ok;
}

Status FlashModel::erase(Region region, std::uint32_t offset, std::uint32_t length) noexcept {
    const Cells& target = cells(region);
    if (!in_range(region, offset, length, "erase")) {
        return Status::out_of_range;
    }
    const std::uint32_t end = offset + length;
    const auto on_border = [&](std::uint32_t at) {
        return at == target.size() || target.unit_begin(target.unit_at(at)) == at;
    };
    if (!on_border(offset) || !on_border(end)) {
        violate("erase not on unit borders, offset " + std::to_string(offset) + " length " +
                std::to_string(length));
        return Status::out_of_range;
    }
    while (offset < end) {
        const std::uint32_t block = target.layout().erase_bytes;
        const bool block_fits = block != 0 && offset % block == 0 && end - offset >= block;
        const std::uint32_t piece = block_fits ? block : erase_unit_bytes(region, offset);
        const Status fault = fault_ ? fault_(region, true, offset) : Status::ok;
        if (fault != Status::ok) {
            return fault;
        }
        perform({region, true, offset, piece, {}});
        offset += piece;
    }
    return Status::ok;
}

}  // namespace mcuota::test
