// Erase units of the running region that were in flight when power went: no start looks at them before it has
// erased them, so what a start does, and for how long, never hangs on their cells.
#include <catch2/catch.hpp>

#include "test_device.hpp"

using namespace mcuota;
using namespace mcuota::test;
using device::Phase;

namespace {

const Bytes kOld = make_image(2100, 1);
const Bytes kNew = make_image(1900, 2);
constexpr std::uint32_t kUnit = 512, kUnitBytes = 256;  // the second one of the running region

TestPackage package_of(const Bytes& image, const char* version) {
    PackageSpec spec;
    spec.image = image;
    spec.version = version;
    return make_package(spec);
}

/// Sees each start's reads and erases of the units that the journal called dirty when it began.
struct DirtyUnitWatch {
    TestDevice& device;
    std::uint32_t dirty{0};  ///< not erased yet by this start
    unsigned reads_too_early{0};
    unsigned dirty_starts{0};

    explicit DirtyUnitWatch(TestDevice& watched) : device{watched} {
        device.flash.set_read_fault([this](Region region, std::uint32_t offset, std::span<std::uint8_t> out) {
            if (region == Region::running && (dirty & units_in(offset, out.size())) != 0) {
                ++reads_too_early;
            }
            return Status::ok;
        });
        device.flash.watch([this](const FlashModel&, const Operation& operation) {
            if (operation.region == Region::running && operation.erase) {
                dirty &= ~units_in(operation.offset, operation.length);
            }
        });
    }
    ~DirtyUnitWatch() {
        device.flash.set_read_fault({});
        device.flash.watch({});
    }

    [[nodiscard]] std::uint32_t units_in(std::uint32_t offset, std::size_t length) const {
        std::uint32_t units = 0;
        std::uint32_t bit = 1;
        for (std::uint32_t begin = 0; begin < device.flash.size_bytes(Region::running); bit <<= 1U) {
            const std::uint32_t end = begin + device.flash.erase_unit_bytes(Region::running, begin);
            units |= offset < end && begin < offset + length ? bit : 0;
            begin = end;
        }
        return units;
    }

    void start() {
        dirty = device.journal().dirty_units;
        dirty_starts += dirty != 0 ? 1 : 0;
        static_cast<void>(device.start_loader());
        dirty = 0;
    }
};

/// A device whose trial is over: its next start puts the old application back. Or one that installs at its
/// next.
TestDevice device_before(bool restoring) {
    const TestPackage old = package_of(kOld, "1.0.0");
    const TestPackage fresh = package_of(kNew, "2.0.0");
    TestDevice device = device_with(Geometry::small(), old);
    REQUIRE(device.accepts(fresh, 7));
    for (unsigned starts = 0; restoring && starts < device.product.trial_boots_allowed; ++starts) {
        REQUIRE(device.start_loader(kCauseSoftware));
    }
    return device;
}

}  // namespace

TEST_CASE("no start reads an erase unit that was in flight before it has erased it",
          "[loader][install][powercut]") {
    const bool restoring = GENERATE(false, true);
    const Tear tear = GENERATE(Tear::looks_done, Tear::looks_untouched, Tear::restless);
    const TestDevice begin = device_before(restoring);
    unsigned dirty_starts = 0;
    for (std::uint32_t place = 0;; ++place) {
        CAPTURE(restoring, name(tear), place);
        TestDevice device{begin};
        device.flash.arm({place, tear, place, 0});
        if (device.start_loader()) {
            break;  // nothing was left to cut
        }
        device.flash.disarm();
        DirtyUnitWatch watch{device};
        watch.start();
        CHECK(watch.reads_too_early == 0);
        CHECK(device.journal().phase == (restoring ? Phase::idle : Phase::trial));
        CHECK(device.holds(restoring ? kOld : kNew));
        dirty_starts += watch.dirty_starts;
    }
    CHECK(dirty_starts > 10);
}

TEST_CASE("an attempt after a failed one reads no unit of it before it has erased it",
          "[loader][install][faults]") {
    TestDevice device = device_before(false);
    unsigned erases = 0;
    unsigned early = 0;
    std::uint32_t waiting = 0;  // begin of the unit whose erase failed, plus 1
    device.flash.set_fault([&](Region region, bool erase, std::uint32_t offset) {
        if (region != Region::running || !erase) {
            return Status::ok;
        }
        waiting = ++erases == 2 ? offset + 1 : waiting == offset + 1 ? 0 : waiting;
        return erases == 2 ? Status::flash_erase_failed : Status::ok;
    });
    device.flash.set_read_fault([&](Region region, std::uint32_t offset, std::span<std::uint8_t> out) {
        early +=
            region == Region::running && waiting != 0 && offset < waiting && waiting <= offset + out.size()
                ? 1
                : 0;
        return Status::ok;
    });
    REQUIRE(device.start_loader(kCauseSoftware));
    CHECK(erases > 3);
    CHECK(early == 0);
    CHECK(device.holds(kNew));
}

TEST_CASE("a unit in flight that will not erase any more is kept when it holds its part of the image",
          "[loader][worn]") {
    const std::uint32_t wrong_at = GENERATE(0U, 512U, 612U, 767U);
    TestDevice device = device_before(true);
    // Power goes when the unit has been written: its dirty bit stands.
    bool written = false;
    device.flash.watch([&](const FlashModel&, const Operation& operation) {
        written = written || (operation.region == Region::running && operation.offset > kUnit);
        if (written && operation.region != Region::running) {
            device.power.cut(CutCause::supply);
        }
    });
    REQUIRE_FALSE(device.start_loader());
    device.flash.watch({});
    REQUIRE((device.journal().dirty_units & 2U) != 0);
    if (wrong_at != 0) {
        device.flash.raw(Region::running)[wrong_at] ^= 0x01;
    }
    unsigned programs = 0;
    device.flash.set_fault([&](Region region, bool erase, std::uint32_t offset) {
        const bool there = region == Region::running && offset >= kUnit && offset < kUnit + kUnitBytes;
        programs += there && !erase ? 1 : 0;
        return there && erase ? Status::flash_erase_failed : Status::ok;
    });
    const std::optional<device::LoaderEnd> end = device.start_loader();
    REQUIRE(end);
    CHECK(programs == 0);
    if (wrong_at == 0) {
        CHECK(end->kind == device::LoaderEnd::Kind::boot);
        CHECK(device.holds(kOld));
    } else {
        CHECK(end->kind == device::LoaderEnd::Kind::serve);
        CHECK(end->reason == Status::flash_erase_failed);
    }
}
