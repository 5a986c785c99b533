// Memory that fails at every place of every kind of job: one operation or read, a place for good, the whole
// journal, the whole NOR. No promise is broken, every job ends with an answer, and when the memory works
// again so does the device.
#include <catch2/catch.hpp>

#include "test_device.hpp"

using namespace mcuota;
using namespace mcuota::test;

namespace {

const Bytes kOld = make_image(2100, 1);
const Bytes kNew = make_image(1900, 2);
const Bytes kThird = make_image(700, 3);

#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t kEvery = 8;
#else
constexpr std::uint64_t kEvery = 1;
#endif

TestPackage package_of(const Bytes& image, const char* version) {
    PackageSpec spec;
    spec.image = image;
    spec.version = version;
    return make_package(spec);
}

const TestPackage& old_package() {
    static const TestPackage package = package_of(kOld, "1.0.0");
    return package;
}
const TestPackage& fresh_package() {
    static const TestPackage package = package_of(kNew, "2.0.0");
    return package;
}
const TestPackage& third_package() {
    static const TestPackage package = package_of(kThird, "3.0.0");
    return package;
}

/// A device and what the gateway wants of it.
struct Scene {
    const char* name;
    TestDevice device;
    GatewayJob job;
};

TestDevice running_old(const Geometry& geometry) {
    TestDevice device = device_with(geometry, old_package());
    device.agent_has_keys = false;
    return device;
}

Scene scene(std::size_t index) {
    const GatewayJob update{&fresh_package(), 7, 300};
    switch (index) {
        case 0:
            return {"update", running_old(Geometry::small()), update};
        case 1: {
            Scene made{"update, backup made ahead", running_old(Geometry::small_two_banks()), update};
            made.device.ahead_steps_max = 1000;
            return made;
        }
        case 2: {
            Scene made{"an image that never confirms", running_old(Geometry::small()), update};
            made.device.applications.emplace_back(fresh_package().image_sha256, Application::never_confirms);
            return made;
        }
        case 3: {
            // The backup is the running image: an update finds it and keeps it.
            Scene made = scene(2);
            made.name = "update after a return";
            REQUIRE(made.device.perform({&fresh_package(), 6, 300}).status == Status::trial_not_confirmed);
            made.device.applications.clear();
            return made;
        }
        default: {
            Scene made{"rollback", running_old(Geometry::small()), {nullptr, 7, 300}};
            REQUIRE(made.device.perform({&fresh_package(), 6, 300}).status == Status::ok);
            return made;
        }
    }
}
constexpr std::size_t kScenes = 5;

Status fault_of(Region region, bool erase) {
    const Status internal = erase ? Status::flash_erase_failed : Status::flash_program_failed;
    return region == Region::running ? internal : Status::nor_verify_failed;
}

/// How the memory fails, from the `failing`th operation or read of the job on.
enum class Kind {
    once,
    there_for_good,
    journal_for_good,
    nor_for_good,
    read_once,
    read_flips_once,
    reads_for_good
};

constexpr bool counts_reads(Kind kind) {
    return kind >= Kind::read_once;
}

constexpr bool for_good(Kind kind) {
    return kind != Kind::once && kind != Kind::read_once && kind != Kind::read_flips_once;
}

/// Sets the faults of one trial. Kept alive while the device is used.
class Trouble {
  public:
    Trouble(TestDevice& device, Kind kind, std::uint64_t failing) : kind_{kind}, failing_{failing} {
        device.flash.set_fault([this](Region region, bool erase, std::uint32_t offset) {
            return operation(region, erase, offset);
        });
        device.flash.set_read_fault(
            [this](Region region, std::uint32_t, std::span<std::uint8_t> out) { return read(region, out); });
    }
    Trouble(const Trouble&) = delete;
    Trouble& operator=(const Trouble&) = delete;

  private:
    Status operation(Region region, bool erase, std::uint32_t offset) {
        if (counts_reads(kind_)) {
            return Status::ok;
        }
        const std::tuple here{region, erase, offset};
        const bool now = count_++ == failing_;
        if (now) {
            broken_ = here;
        }
        const bool begun = count_ > failing_;
        const bool in_nor = region != Region::running;
        const bool in_journal = (region == Region::flag_a || region == Region::flag_b) && offset < 1024;
        const bool fails = now || (kind_ == Kind::there_for_good && broken_ == here) ||
                           (begun && ((kind_ == Kind::journal_for_good && in_journal) ||
                                      (kind_ == Kind::nor_for_good && in_nor)));
        return fails ? fault_of(region, erase) : Status::ok;
    }

    Status read(Region region, std::span<std::uint8_t> out) {
        if (kind_ == Kind::nor_for_good) {
            return count_ > failing_ && region != Region::running ? Status::nor_timeout : Status::ok;
        }
        if (!counts_reads(kind_)) {
            return Status::ok;
        }
        const bool now = count_++ == failing_;
        if (now && kind_ == Kind::read_flips_once) {
            out[failing_ % out.size()] ^= 0x10U;
            return Status::ok;
        }
        if (now) {
            unreadable_ = region;
        }
        const bool fails = now || (kind_ == Kind::reads_for_good && unreadable_ == region);
        return fails ? Status::nor_timeout : Status::ok;
    }

    Kind kind_;
    std::uint64_t failing_;
    std::uint64_t count_{0};
    std::optional<std::tuple<Region, bool, std::uint32_t>> broken_;
    std::optional<Region> unreadable_;
};

/// Whatever the memory did: no promise was broken meanwhile, and when it works again and power comes back the
/// device takes the next package.
void check_sound(TestDevice& device, const JobEnd& end, bool must_end) {
    CHECK(end.trouble == "");
    if (must_end) {
        CHECK(end.ended);
        CHECK(end.starts <= 12);
    }
    device.flash.set_fault({});
    device.flash.set_read_fault({});
    REQUIRE(device.start_loader(kCausePowerOn));
    // A trial or a restore under way comes to its end first.
    CHECK(device.perform({&fresh_package(), 7, 300}).ended);
    const JobEnd later = device.perform({&third_package(), 9, 300});
    CHECK(later.trouble == "");
    CHECK(later.ended);
    CHECK_FALSE(later.refused);
    CHECK(static_cast<unsigned>(later.status) == static_cast<unsigned>(Status::ok));
    CHECK(device.holds(kThird));
}

}  // namespace

TEST_CASE("memory that fails at any place of any job leaves a device that takes the next package",
          "[loader][faults]") {
    const std::size_t index = GENERATE(range(std::size_t{0}, kScenes));
    const Kind kind = GENERATE(Kind::once, Kind::there_for_good, Kind::journal_for_good, Kind::nor_for_good,
                               Kind::read_once, Kind::read_flips_once, Kind::reads_for_good);
    Scene start = scene(index);
    TestDevice undisturbed{start.device};
    // As in the trials: what is programmed is read back.
    undisturbed.flash.set_read_fault(
        [](Region, std::uint32_t, std::span<std::uint8_t>) { return Status::ok; });
    const std::uint64_t operations = undisturbed.flash.operations();
    const std::uint32_t reads = undisturbed.flash.reads();
    REQUIRE(undisturbed.perform(start.job).ended);
    const std::uint64_t places =
        counts_reads(kind) ? undisturbed.flash.reads() - reads : undisturbed.flash.operations() - operations;
    REQUIRE(places > 30);
    for (std::uint64_t failing = index % kEvery; failing < places; failing += kEvery) {
        CAPTURE(start.name, static_cast<int>(kind), failing);
        TestDevice device{start.device};
        const Trouble trouble{device, kind, failing};
        const JobEnd end = device.perform(start.job);
        check_sound(device, end, for_good(kind));
    }
}
