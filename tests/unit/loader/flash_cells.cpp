// Cells of flash: bits fall only, erases are whole units, torn cells keep doubts until they are erased.
#include <algorithm>
#include <cstring>

#include "flash_model.hpp"

namespace mcuota::test {
namespace {

// Cells::Doubt::swings: doubtful cells that flip all together, by start or by read.
constexpr std::uint8_t kAtStarts = 1;
constexpr std::uint8_t kAtReads = 2;

std::uint32_t next(std::uint32_t& random) noexcept {
    random ^= random << 13U;
    random ^= random >> 17U;
    random ^= random << 5U;
    return random;
}

}  // namespace

const char* name(Tear tear) noexcept {
    constexpr std::array<const char*, kTears.size()> kNames{
        "before", "mixed", "looks_done", "looks_untouched", "partly", "flips", "zeroed", "restless"};
    return kNames[static_cast<std::size_t>(tear)];
}

Cells::Cells(const RegionLayout& layout) : layout_{layout}, wear_(layout.units.size(), 0) {
    std::uint32_t begin = 0;
    for (const std::uint32_t unit : layout_.units) {
        begins_.push_back(begin);
        begin += unit;
    }
    value_.assign(begin, 0xFF);
}

std::size_t Cells::unit_at(std::uint32_t offset) const noexcept {
    const auto after = std::upper_bound(begins_.begin(), begins_.end(), offset);
    return static_cast<std::size_t>(after - begins_.begin()) - 1;
}

void Cells::read(std::uint32_t offset, std::span<std::uint8_t> out, std::uint32_t cycle,
                 std::uint32_t moment) const noexcept {
    std::memcpy(out.data(), value_.data() + offset, out.size());
    if (doubts_.empty()) {
        return;
    }
    const std::uint32_t end = offset + static_cast<std::uint32_t>(out.size());
    for (auto doubt = doubts_.lower_bound(offset / kDoubtBytes);
         doubt != doubts_.end() && doubt->first * kDoubtBytes < end; ++doubt) {
        const std::uint32_t begin = doubt->first * kDoubtBytes;
        for (std::uint32_t at = std::max(begin, offset); at < std::min(begin + kDoubtBytes, end); ++at) {
            const std::uint32_t index = at - begin;
            const std::uint8_t unsteady = doubt->second.unsteady[index];
            const std::uint32_t starts = cycle - doubt->second.torn_in[index];
            if (unsteady == 0) {
                continue;
            }
            std::uint8_t flips = 0;
            switch (doubt->second.swings[index]) {
                case kAtReads:
                    flips = (moment * 2654435761U >> 17U) % 2 != 0 ? 0xFF : 0;
                    break;
                case kAtStarts:
                    flips = starts > 1 && starts % 2 == 0 ? 0xFF : 0;
                    break;
                default:
                    flips = starts > 1 ? static_cast<std::uint8_t>((at * 2654435761U + cycle * 40503U) >> 11U)
                                       : std::uint8_t{0};
            }
            out[at - offset] = static_cast<std::uint8_t>(out[at - offset] ^ (flips & unsteady));
        }
    }
}

const char* Cells::objection(std::uint32_t offset, std::span<const std::uint8_t> bytes) const noexcept {
    for (std::size_t index = 0; index < bytes.size(); ++index) {
        if ((~value_[offset + index] & bytes[index]) != 0) {
            return "a bit programmed from 0 to 1";
        }
    }
    const std::uint32_t end = offset + static_cast<std::uint32_t>(bytes.size());
    for (auto doubt = doubts_.lower_bound(offset / kDoubtBytes);
         doubt != doubts_.end() && doubt->first * kDoubtBytes < end; ++doubt) {
        const std::uint32_t begin = doubt->first * kDoubtBytes;
        for (std::uint32_t at = std::max(begin, offset); at < std::min(begin + kDoubtBytes, end); ++at) {
            if ((doubt->second.unsteady[at - begin] & bytes[at - offset]) != 0) {
                return "data programmed on cells a power cut left marginal";
            }
        }
    }
    return nullptr;
}

void Cells::program(std::uint32_t offset, std::span<const std::uint8_t> bytes) noexcept {
    for (std::size_t index = 0; index < bytes.size(); ++index) {
        value_[offset + index] &= bytes[index];
    }
    const std::uint32_t end = offset + static_cast<std::uint32_t>(bytes.size());
    for (auto doubt = doubts_.lower_bound(offset / kDoubtBytes);
         doubt != doubts_.end() && doubt->first * kDoubtBytes < end; ++doubt) {
        const std::uint32_t begin = doubt->first * kDoubtBytes;
        for (std::uint32_t at = std::max(begin, offset); at < std::min(begin + kDoubtBytes, end); ++at) {
            doubt->second.unsteady[at - begin] &= bytes[at - offset];  // zeros are firm on any cell
        }
    }
}

void Cells::erase(std::uint32_t offset, std::uint32_t length) noexcept {
    std::fill_n(value_.begin() + offset, length, std::uint8_t{0xFF});
    for (auto doubt = doubts_.lower_bound(offset / kDoubtBytes);
         doubt != doubts_.end() && doubt->first * kDoubtBytes < offset + length;) {
        doubt = doubts_.erase(doubt);
    }
    for (std::size_t unit = unit_at(offset); unit < begins_.size() && begins_[unit] < offset + length;
         ++unit) {
        ++wear_[unit];
    }
}

void Cells::tear_cells(std::uint32_t offset, std::span<const std::uint8_t> wanted, bool erasing, Tear tear,
                       std::uint32_t cycle, std::uint32_t& random) {
    for (std::size_t index = 0; index < wanted.size(); ++index) {
        const std::uint32_t at = offset + static_cast<std::uint32_t>(index);
        Doubt& doubt = doubts_[at / kDoubtBytes];
        std::uint8_t& unsteady = doubt.unsteady[at % kDoubtBytes];
        const std::uint8_t old = value_[at];
        const std::uint8_t end =
            erasing ? std::uint8_t{0xFF} : static_cast<std::uint8_t>(old & wanted[index]);
        const auto changing = static_cast<std::uint8_t>(old ^ end);
        doubt.swings[at % kDoubtBytes] = 0;
        switch (tear) {
            case Tear::before:
                return;
            case Tear::zeroed:
                if (erasing) {
                    value_[at] = 0;
                    unsteady = 0xFF;
                    break;
                }
                [[fallthrough]];
            case Tear::partly:
            case Tear::mixed:
                value_[at] = static_cast<std::uint8_t>(old ^ (changing & (next(random) >> 9U)));
                unsteady |= static_cast<std::uint8_t>(changing & (next(random) >> 5U));
                break;
            case Tear::flips:
            case Tear::restless:
                // Cells already doubtful keep their noise: only those that change now can swing as one.
                doubt.swings[at % kDoubtBytes] = tear == Tear::flips ? kAtStarts : kAtReads;
                value_[at] = end;
                unsteady |= changing;
                break;
            case Tear::looks_done:
                value_[at] = end;
                unsteady |= changing;
                break;
            case Tear::looks_untouched:
                unsteady |= changing;
                break;
        }
        if (erasing && tear != Tear::flips && tear != Tear::restless) {
            unsteady = 0xFF;  // every cell of a unit whose erase was cut is suspect
        }
        doubt.torn_in[at % kDoubtBytes] = cycle;
    }
}

void Cells::tear(const Operation& operation, Tear tear, std::uint32_t cycle, std::uint32_t& random) {
    if (tear == Tear::before) {
        return;
    }
    if (operation.erase) {
        std::uint32_t done = 0;
        if (tear == Tear::partly) {
            // The first part reads erased, the rest as before; nothing of it may be trusted.
            done = next(random) % operation.length;
            const std::vector<std::uint8_t> erased(done, 0xFF);
            tear_cells(operation.offset, erased, true, Tear::looks_done, cycle, random);
            tear = Tear::looks_untouched;
        }
        const std::vector<std::uint8_t> erased(operation.length - done, 0xFF);
        tear_cells(operation.offset + done, erased, true, tear, cycle, random);
        return;
    }
    // Flash that programs words tears inside one word; a page of the NOR tears as a whole, or part by part.
    const std::uint32_t unit = layout_.program_unit;
    const auto bytes = static_cast<std::uint32_t>(operation.bytes.size());
    std::uint32_t whole = 0;
    std::uint32_t torn = bytes;
    if (unit != 1 || tear == Tear::partly) {
        whole = next(random) % (bytes / unit) * unit;
        torn = unit;
    }
    program(operation.offset, operation.bytes.first(whole));
    tear_cells(operation.offset + whole, operation.bytes.subspan(whole, torn), false, tear, cycle, random);
}

}  // namespace mcuota::test
