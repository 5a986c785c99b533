// Power-cut proofs of the loader's decisions on a small geometry: every flash operation of every kind of job.
#include <catch2/catch.hpp>
#include <iostream>

#include "cut_sweep.hpp"

using namespace mcuota;
using namespace mcuota::test;

namespace {

const Bytes kOld = make_image(2100, 1);
const Bytes kNew = make_image(1900, 2);
const Bytes kThird = make_image(700, 3);

// Sanitized builds are slow: they cut at every eighth operation and leave the rest to the plain build.
#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t kEvery = 8;
#else
constexpr std::uint64_t kEvery = 1;
#endif

SweepPlan plan_for(const GatewayJob& job, const Bytes& image) {
    SweepPlan plan;
    plan.job = job;
    plan.image = image;
    plan.every = kEvery;
    return plan;
}

TestPackage package_of(const Bytes& image, const char* version) {
    PackageSpec spec;
    spec.image = image;
    spec.version = version;
    return make_package(spec);
}

void expect_clean(const char* what, const SweepReport& report) {
    std::cout << what << ": " << report.summary() << '\n';
    INFO(report.summary());
    CHECK(report.failed.empty());
    CHECK(report.cuts * kEvery >= 20);
}

/// Runs old; may ever start only old and the others. Its application leaves signatures to the loader.
TestDevice prepared(const TestPackage& old, std::initializer_list<const TestPackage*> others,
                    const Geometry& geometry = Geometry::small()) {
    TestDevice device = device_with(geometry, old);
    device.agent_has_keys = false;
    device.authentic.push_back(old.image_sha256);
    for (const TestPackage* other : others) {
        device.authentic.push_back(other->image_sha256);
    }
    return device;
}

}  // namespace

TEST_CASE("a full install survives a power cut at any flash operation", "[loader][powercut]") {
    const TestPackage old = package_of(kOld, "1.0.0");
    const TestPackage fresh = package_of(kNew, "2.0.0");
    const TestPackage third = package_of(kThird, "3.0.0");
    const TestDevice start = prepared(old, {&fresh, &third});
    SweepPlan plan = plan_for({&fresh, 77, 300}, kNew);
    plan.next_job = &third;
    expect_clean("install", sweep_cuts(start, plan));
}

TEST_CASE("an install survives a second power cut during the recovery from the first", "[loader][powercut]") {
    const TestPackage old = package_of(kOld, "1.0.0");
    const TestPackage fresh = package_of(kNew, "2.0.0");
    const TestDevice start = prepared(old, {&fresh});
    SweepPlan plan = plan_for({&fresh, 77, 300}, kNew);
    plan.second_cut = true;
    plan.tears = {Tear::mixed};
    expect_clean("install, two cuts", sweep_cuts(start, plan));
}

TEST_CASE("a first install on a blank chip survives a power cut at any flash operation",
          "[loader][powercut]") {
    const TestPackage fresh = package_of(kNew, "2.0.0");
    TestDevice start{Geometry::small()};
    start.authentic.push_back(fresh.image_sha256);
    SweepPlan plan = plan_for({&fresh, 77, 300}, kNew);
    plan.tears = {Tear::mixed, Tear::looks_untouched};
    expect_clean("first install", sweep_cuts(start, plan));
}

TEST_CASE("a failed trial and its restore survive a power cut at any flash operation", "[loader][powercut]") {
    const TestPackage old = package_of(kOld, "1.0.0");
    const TestPackage bad = package_of(kNew, "2.0.0");
    const TestPackage third = package_of(kThird, "3.0.0");
    TestDevice start = prepared(old, {&bad, &third});
    start.applications.emplace_back(bad.image_sha256, Application::never_confirms);
    SweepPlan plan = plan_for({&bad, 78, 300}, kOld);
    plan.outcome = Status::trial_not_confirmed;
    plan.next_job = &third;
    plan.tears = {Tear::mixed, Tear::looks_done};
    expect_clean("failed trial", sweep_cuts(start, plan));
}

TEST_CASE("a rollback on request survives a power cut at any flash operation", "[loader][powercut]") {
    const TestPackage old = package_of(kOld, "1.0.0");
    const TestPackage fresh = package_of(kNew, "2.0.0");
    const TestPackage third = package_of(kThird, "3.0.0");
    TestDevice start = prepared(old, {&fresh, &third});
    REQUIRE(start.perform({&fresh, 79, 300}).status == Status::ok);
    SweepPlan plan = plan_for({nullptr, 80, 300}, kOld);
    plan.outcome = Status::rolled_back;
    plan.next_job = &third;
    plan.tears = {Tear::mixed, Tear::looks_done};
    expect_clean("rollback", sweep_cuts(start, plan));
}

TEST_CASE("an install whose backup is made ahead survives a power cut at any flash operation",
          "[loader][powercut]") {
    const TestPackage old = package_of(kOld, "1.0.0");
    const TestPackage fresh = package_of(kNew, "2.0.0");
    const TestPackage third = package_of(kThird, "3.0.0");
    TestDevice start = prepared(old, {&fresh, &third}, Geometry::small_two_banks());
    // All of it, or so little that the loader makes the backup itself.
    start.ahead_steps_max = GENERATE(1000U, 4U);
    SweepPlan plan = plan_for({&fresh, 77, 300}, kNew);
    plan.next_job = &third;
    expect_clean("install, backup ahead", sweep_cuts(start, plan));
}

TEST_CASE(
    "a failed trial and its restore with a backup made ahead survive a power cut at any flash operation",
    "[loader][powercut]") {
    const TestPackage old = package_of(kOld, "1.0.0");
    const TestPackage middle = package_of(kThird, "1.5.0");
    const TestPackage bad = package_of(kNew, "2.0.0");
    TestDevice start = prepared(old, {&middle, &bad}, Geometry::small_two_banks());
    start.ahead_steps_max = 1000;
    REQUIRE(start.perform({&middle, 76, 300}).status ==
            Status::ok);  // the backup lies in the second bank now
    start.applications.emplace_back(bad.image_sha256, Application::never_confirms);
    SweepPlan plan = plan_for({&bad, 78, 300}, kThird);
    plan.outcome = Status::trial_not_confirmed;
    plan.next_job = &old;
    plan.tears = {Tear::mixed, Tear::looks_done};
    expect_clean("failed trial, backup ahead", sweep_cuts(start, plan));
}

TEST_CASE("a rollback to a backup made ahead survives a power cut at any flash operation",
          "[loader][powercut]") {
    const TestPackage old = package_of(kOld, "1.0.0");
    const TestPackage fresh = package_of(kNew, "2.0.0");
    const TestPackage third = package_of(kThird, "3.0.0");
    TestDevice start = prepared(old, {&fresh, &third}, Geometry::small_two_banks());
    start.ahead_steps_max = 1000;
    REQUIRE(start.perform({&fresh, 79, 300}).status == Status::ok);
    SweepPlan plan = plan_for({nullptr, 80, 300}, kOld);
    plan.outcome = Status::rolled_back;
    plan.next_job = &third;
    plan.tears = {Tear::mixed, Tear::looks_untouched};
    expect_clean("rollback, backup ahead", sweep_cuts(start, plan));
}

TEST_CASE("key rotations and the install after them survive a power cut at any flash operation",
          "[loader][powercut]") {
    // Two rotations on a device as built; a third one on a device that holds two.
    const bool rotated_before = GENERATE(false, true);
    static const TestKey fifth;
    const std::vector<Bytes> records{make_rotation(next_key(), third_key(), 1),
                                     make_rotation(third_key(), fourth_key(), 2),
                                     make_rotation(fourth_key(), fifth, 3)};
    const std::vector<Bytes> first_two(records.begin(), records.begin() + 2);
    PackageSpec spec;
    spec.image = kNew;
    spec.version = "2.0.0";
    spec.key = rotated_before ? &fourth_key() : &third_key();
    const TestPackage fresh = make_package(spec);
    spec.image = kThird;
    spec.version = "3.0.0";
    spec.key = &third_key();
    const TestPackage second = make_package(spec);

    const TestPackage old = package_of(kOld, "1.0.0");
    TestDevice start = prepared(old, {&fresh, &second});
    start.agent_has_keys = true;
    if (rotated_before) {
        REQUIRE(start.perform({&second, 70, 300, first_two}).status == Status::ok);
    }
    SweepPlan plan = plan_for({&fresh, 77, 300, rotated_before ? records : first_two}, kNew);
    // The rotations come first; what an installation does is swept above.
    plan.operations_max = rotated_before ? 24 : 36;
    expect_clean("rotation", sweep_cuts(start, plan));
    plan.tears = {Tear::mixed};
    plan.second_cut = true;
    expect_clean("rotation, two cuts", sweep_cuts(start, plan));
}
