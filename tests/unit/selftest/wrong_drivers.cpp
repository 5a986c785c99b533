// The faults: one small class each.
#include "wrong_drivers.hpp"

#include <algorithm>
#include <memory>

namespace mcuota::test {

Status Port::read(Region region, std::uint32_t offset, std::span<std::uint8_t> out) noexcept {
    return inside(region, offset, out.size()) ? flash_.read(region, offset, out) : Status::out_of_range;
}

Status Port::program(Region region, std::uint32_t offset, std::span<const std::uint8_t> bytes) noexcept {
    const std::uint32_t granule = program_unit_bytes(region);
    if (!inside(region, offset, bytes.size()) || (offset | bytes.size()) % granule != 0) {
        return Status::out_of_range;
    }
    return flash_.program(region, offset, bytes);
}

bool Port::on_border(Region region, std::uint32_t offset) const noexcept {
    std::uint32_t at = 0;
    while (at < offset) {
        at += flash_.erase_unit_bytes(region, at);
    }
    return at == offset;
}

Status Port::erase(Region region, std::uint32_t offset, std::uint32_t length) noexcept {
    if (!inside(region, offset, length) || !on_border(region, offset) ||
        !on_border(region, offset + length)) {
        return Status::out_of_range;
    }
    return flash_.erase(region, offset, length);
}

Geometry usable_geometry() {
    Geometry geometry = Geometry::small_two_banks();
    geometry.of(Region::flag_a).units = {1024, 4096, 4608};
    geometry.of(Region::flag_b).units = {1024, 4096, 4608};
    return geometry;
}

namespace {

using Finding = link::SelfTestFinding;
using Bytes = std::vector<std::uint8_t>;
constexpr std::uint32_t kPage = 256;

struct WriteIgnored final : Port {
    using Port::Port;
    Status program(Region region, std::uint32_t offset,
                   std::span<const std::uint8_t> bytes) noexcept override {
        return region == Region::download && offset >= 1024 ? Status::ok
                                                            : Port::program(region, offset, bytes);
    }
};

struct EraseIgnored final : Port {
    using Port::Port;
    Status erase(Region region, std::uint32_t offset, std::uint32_t length) noexcept override {
        return region == Region::running && flash_.wear(region, offset) > 0 && inside(region, offset, length)
                   ? Status::ok
                   : Port::erase(region, offset, length);
    }
};

struct EraseOneUnitTooMany final : Port {
    using Port::Port;
    Status erase(Region region, std::uint32_t offset, std::uint32_t length) noexcept override {
        const Status status = Port::erase(region, offset, length);
        const std::uint32_t end = offset + length;
        if (status == Status::ok && region == Region::backup && end < size_bytes(region)) {
            return flash_.erase(region, end, erase_unit_bytes(region, end));
        }
        return status;
    }
};

struct EraseOneUnitTooFew final : Port {
    using Port::Port;
    Status erase(Region region, std::uint32_t offset, std::uint32_t length) noexcept override {
        const std::uint32_t last = region == Region::backup ? 512 : 0;
        return length > last && inside(region, offset, length) && on_border(region, offset + length)
                   ? Port::erase(region, offset, length - last)
                   : Port::erase(region, offset, length);
    }
};

/// An erase at the end of flag_a takes the first unit of flag_b along.
struct EraseReachesNextRegion final : Port {
    using Port::Port;
    Status erase(Region region, std::uint32_t offset, std::uint32_t length) noexcept override {
        const Status status = Port::erase(region, offset, length);
        if (status == Status::ok && region == Region::flag_b && offset + length == size_bytes(region)) {
            return flash_.erase(Region::backup, 0, erase_unit_bytes(Region::backup, 0));
        }
        return status;
    }
};

/// Long writes are not split: the chip wraps inside its page. It reads nothing back.
struct PageWrap final : Port {
    using Port::Port;
    Status program(Region region, std::uint32_t offset,
                   std::span<const std::uint8_t> bytes) noexcept override {
        if (region != Region::download || !inside(region, offset, bytes.size())) {
            return Port::program(region, offset, bytes);
        }
        const auto cells = flash_.raw(region);
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            cells[offset / kPage * kPage + (offset + i) % kPage] &= bytes[i];
        }
        return Status::ok;
    }
};

/// The bounds check is one byte too strict.
struct LastByteRefused final : Port {
    using Port::Port;
    Status program(Region region, std::uint32_t offset,
                   std::span<const std::uint8_t> bytes) noexcept override {
        return offset + bytes.size() >= size_bytes(region) ? Status::out_of_range
                                                           : Port::program(region, offset, bytes);
    }
};

struct SizeOffByOne final : Port {
    using Port::Port;
    std::uint32_t size_bytes(Region region) const noexcept override {
        return flash_.size_bytes(region) + (region == Region::download ? 1 : 0);
    }
};

/// The table gives the region one unit more than there is; the driver goes on into the next one.
struct RegionTooLong final : Port {
    using Port::Port;
    std::uint32_t size_bytes(Region region) const noexcept override {
        return flash_.size_bytes(region) + (region == Region::backup ? 512 : 0);
    }
    std::uint32_t erase_unit_bytes(Region region, std::uint32_t offset) const noexcept override {
        return region == Region::backup ? 512 : flash_.erase_unit_bytes(region, offset);
    }
    Status read(Region region, std::uint32_t offset, std::span<std::uint8_t> out) noexcept override {
        if (!inside(region, offset, out.size())) return Status::out_of_range;
        return split(region, offset, out.size(),
                     [&](Region r, std::uint32_t o, std::size_t from, std::size_t n) {
                         return flash_.read(r, o, out.subspan(from, n));
                     });
    }
    Status program(Region region, std::uint32_t offset,
                   std::span<const std::uint8_t> bytes) noexcept override {
        if (region != Region::backup) return Port::program(region, offset, bytes);
        if (!inside(region, offset, bytes.size())) return Status::out_of_range;
        return split(region, offset, bytes.size(),
                     [&](Region r, std::uint32_t o, std::size_t from, std::size_t n) {
                         return flash_.program(r, o, bytes.subspan(from, n));
                     });
    }
    Status erase(Region region, std::uint32_t offset, std::uint32_t length) noexcept override {
        if (region != Region::backup) return Port::erase(region, offset, length);
        if (!inside(region, offset, length) || (offset | length) % 512 != 0) return Status::out_of_range;
        return split(region, offset, length, [&](Region r, std::uint32_t o, std::size_t, std::size_t n) {
            return flash_.erase(r, o, static_cast<std::uint32_t>(n));
        });
    }

  private:
    template <class Work>
    Status split(Region region, std::uint32_t offset, std::size_t length, Work work) noexcept {
        const std::uint32_t real = flash_.size_bytes(region);
        const std::size_t here = offset >= real ? 0 : std::min<std::size_t>(length, real - offset);
        Status status = here == 0 ? Status::ok : work(region, offset, 0, here);
        if (status == Status::ok && here < length) {
            const auto over = static_cast<std::uint32_t>(offset + here - real);
            status = work(Region::download, over, here, length - here);
        }
        return status;
    }
};

/// Reads of the two flag regions are exchanged.
struct SwappedRegions final : Port {
    using Port::Port;
    Status read(Region region, std::uint32_t offset, std::span<std::uint8_t> out) noexcept override {
        const Region swapped = region == Region::flag_a   ? Region::flag_b
                               : region == Region::flag_b ? Region::flag_a
                                                          : region;
        return Port::read(swapped, offset, out);
    }
};

/// Three address bytes: the upper half of the backup is the lower half again.
struct AddressTooShort final : Port {
    using Port::Port;
    [[nodiscard]] std::uint32_t alias(Region region, std::uint32_t offset) const noexcept {
        return region == Region::backup ? offset % 4096 : offset;
    }
    Status read(Region region, std::uint32_t offset, std::span<std::uint8_t> out) noexcept override {
        if (!inside(region, offset, out.size())) return Status::out_of_range;
        for (std::size_t i = 0; i < out.size(); ++i) {
            const Status status =
                flash_.read(region, alias(region, offset + static_cast<std::uint32_t>(i)), out.subspan(i, 1));
            if (status != Status::ok) return status;
        }
        return Status::ok;
    }
    Status program(Region region, std::uint32_t offset,
                   std::span<const std::uint8_t> bytes) noexcept override {
        if (region != Region::backup || !inside(region, offset, bytes.size()))
            return Port::program(region, offset, bytes);
        const auto cells = flash_.raw(region);
        for (std::size_t i = 0; i < bytes.size(); ++i)
            cells[(offset + i) % 4096] &= bytes[i];
        return Status::ok;
    }
    Status erase(Region region, std::uint32_t offset, std::uint32_t length) noexcept override {
        if (region != Region::backup || !inside(region, offset, length) || (offset | length) % 512 != 0)
            return Port::erase(region, offset, length);
        for (std::uint32_t at = offset; at < offset + length; at += 512)
            static_cast<void>(flash_.erase(region, at % 4096, 512));
        return Status::ok;
    }
};

/// One bit of one cell does not go to 0, in flash whose driver trusts it.
struct StuckHigh final : Port {
    using Port::Port;
    Status read(Region region, std::uint32_t offset, std::span<std::uint8_t> out) noexcept override {
        const Status status = Port::read(region, offset, out);
        constexpr std::uint32_t kCell = 1500;
        if (region == Region::running && offset <= kCell && kCell < offset + out.size()) {
            out[kCell - offset] |= 0x20;
        }
        return status;
    }
};

/// One data line is always low.
struct StuckLow final : Port {
    using Port::Port;
    Status read(Region region, std::uint32_t offset, std::span<std::uint8_t> out) noexcept override {
        const Status status = Port::read(region, offset, out);
        for (std::uint8_t& byte : out) {
            byte &= region == Region::flag_b ? 0xFB : 0xFF;
        }
        return status;
    }
};

/// Claims granules of 4 where the flash programs 16 at once and spoils the rest.
struct GranuleTooSmall final : Port {
    using Port::Port;
    Status program(Region region, std::uint32_t offset,
                   std::span<const std::uint8_t> bytes) noexcept override {
        const Status status = Port::program(region, offset, bytes);
        if (status == Status::ok && region == Region::running && bytes.size() == 4) {
            const auto cells = flash_.raw(region);
            cells[(offset / 16 * 16) + (offset + 4) % 16] &= 0x7F;
        }
        return status;
    }
};

/// A word that was written once is refused.
struct WriteOnce final : Port {
    using Port::Port;
    Status program(Region region, std::uint32_t offset,
                   std::span<const std::uint8_t> bytes) noexcept override {
        if (!inside(region, offset, bytes.size())) return Status::out_of_range;
        const auto there = flash_.raw(region).subspan(offset, bytes.size());
        const bool blank =
            std::all_of(there.begin(), there.end(), [](std::uint8_t byte) { return byte == 0xFF; });
        return blank ? Port::program(region, offset, bytes) : Status::nor_verify_failed;
    }
};

struct ReadsInWords final : Port {
    using Port::Port;
    Status read(Region region, std::uint32_t offset, std::span<std::uint8_t> out) noexcept override {
        const Status status = Port::read(region, offset, out);
        if (status == Status::ok && out.size() % 4 == 3) out.data()[out.size()] = 0;  // the guard behind it
        return status;
    }
};

struct NoLimits final : Port {
    using Port::Port;
    Status erase(Region region, std::uint32_t offset, std::uint32_t length) noexcept override {
        return inside(region, offset, length) ? Port::erase(region, offset, length) : Status::ok;
    }
};

/// Rounds an erase of part of a unit up to the whole.
struct RoundsErases final : Port {
    using Port::Port;
    Status erase(Region region, std::uint32_t offset, std::uint32_t length) noexcept override {
        if (region != Region::backup || !inside(region, offset, length))
            return Port::erase(region, offset, length);
        const std::uint32_t begin = offset / 512 * 512, end = (offset + length + 511) / 512 * 512;
        return flash_.erase(region, begin, end - begin);
    }
};

/// The device answers with its chip's error in the middle of a region.
struct ChipFails final : Port {
    using Port::Port;
    Status erase(Region region, std::uint32_t offset, std::uint32_t length) noexcept override {
        return region == Region::download && offset + length > 4096 ? Status::nor_timeout
                                                                    : Port::erase(region, offset, length);
    }
};

/// After a roll-over the first journal sector reads stale bytes: a cache that is not invalidated.
struct StaleCache final : Port {
    using Port::Port;
    Status read(Region region, std::uint32_t offset, std::span<std::uint8_t> out) noexcept override {
        const Status status = Port::read(region, offset, out);
        if (status != Status::ok || region != Region::flag_a || offset >= 1024) return status;
        // Holds the sector as it was when the journal had begun a second turn.
        if (flash_.wear(region, 0) >= 5 && cached_.empty()) {
            const auto cells = flash_.raw(region).first(1024);
            cached_.assign(cells.begin(), cells.end());
        }
        for (std::size_t i = 0; !cached_.empty() && offset + i < 1024 && i < out.size(); ++i)
            out[i] = cached_[offset + i];
        return status;
    }

  private:
    Bytes cached_;
};

template <class Driver>
std::function<std::unique_ptr<Port>(FlashModel&)> making() {
    return [](FlashModel& flash) { return std::make_unique<Driver>(flash); };
}

}  // namespace

std::vector<WrongDriver> wrong_drivers() {
    return {
        {"a write is ignored", making<WriteIgnored>(), {Finding::write_ignored}, "the write did not arrive"},
        {"an erase is ignored",
         making<EraseIgnored>(),
         {Finding::erase_left_bytes},
         "after erase() it reads"},
        {"an erase takes one unit too many",
         making<EraseOneUnitTooMany>(),
         {Finding::erase_took_neighbour},
         "an erase of other units changed it"},
        {"an erase leaves its last unit",
         making<EraseOneUnitTooFew>(),
         {Finding::erase_left_bytes},
         "after erase()"},
        {"an erase reaches into the next region",
         making<EraseReachesNextRegion>(),
         {Finding::other_region_changed},
         "work on flag_b changed it"},
        {"writes wrap inside a page",
         making<PageWrap>(),
         {Finding::page_wrap},
         "wrapped inside a page of 256 bytes"},
        {"the last byte is refused",
         making<LastByteRefused>(),
         {Finding::program_failed},
         "outside its region"},
        {"a size is off by one", making<SizeOffByOne>(), {Finding::units_do_not_fit}, "do not add up"},
        {"a region reaches into the next one",
         making<RegionTooLong>(),
         {Finding::displaced},
         "backup and download overlap or are swapped"},
        {"two regions are swapped",
         making<SwappedRegions>(),
         {Finding::arrived_elsewhere},
         "flag_a and flag_b overlap or are swapped"},
        {"addresses lack their upper byte",
         making<AddressTooShort>(),
         {Finding::displaced},
         "holds what was written"},
        {"a bit is stuck at one", making<StuckHigh>(), {Finding::stuck_bit}, "bit 5 is stuck at 1"},
        {"a data line is stuck at zero", making<StuckLow>(), {Finding::erase_left_bytes}, "reads 0xfb"},
        {"a granule spoils its neighbours",
         making<GranuleTooSmall>(),
         {Finding::wrong_bytes, Finding::granule_spoils_beside, Finding::stuck_bit},
         "running"},
        {"words take only one write", making<WriteOnce>(), {Finding::zeros_failed}, "zeros"},
        {"reads fill whole words", making<ReadsInWords>(), {Finding::read_overran}, "outside the memory"},
        {"nothing is refused", making<NoLimits>(), {Finding::erase_not_refused}, "not refused"},
        {"erases are rounded up", making<RoundsErases>(), {Finding::erase_not_refused}, "part of a unit"},
        {"the chip stays busy", making<ChipFails>(), {Finding::erase_failed}, "erase() answers"},
        {"a cache keeps old bytes",
         making<StaleCache>(),
         {Finding::journal_lost, Finding::journal_failed},
         "boot journal"},
    };
}

}  // namespace mcuota::test
