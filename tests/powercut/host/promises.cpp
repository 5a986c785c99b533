// The promises, one after the other.
#include "tests/powercut/host/promises.hpp"

#include <algorithm>

namespace mcuota::powercut {
namespace {

using device::LoaderEnd;
using test::TestDevice;

constexpr unsigned kQuietStarts = 3;

std::string number(Status status) {
    char text[8];
    static_cast<void>(std::snprintf(text, sizeof text, "0x%04X", static_cast<unsigned>(status)));
    return text;
}

/// Trial boots and attempts are counted: several lost starts may end a job that one or two may not.
bool excused(const Case& subject, const Cuts& cuts) {
    const auto resets = std::count_if(
        cuts.begin(), cuts.end(), [](const test::Cut& cut) { return cut.cause != test::CutCause::supply; });
    return cuts.size() > subject.starts_to_lose || resets > 1;
}

const Ending* matching(const Case& subject, const Cuts& cuts, const test::JobEnd& end) {
    const auto fits = [&](const Ending& one) {
        return one.status == end.status && one.refused == end.refused;
    };
    const auto usual = std::find_if(subject.endings.begin(), subject.endings.end(), fits);
    if (usual != subject.endings.end()) {
        return &*usual;
    }
    const auto rare = std::find_if(subject.also.begin(), subject.also.end(), fits);
    return rare != subject.also.end() && excused(subject, cuts) ? &*rare : nullptr;
}

/// Later starts must read the same story: what was told as final stays final.
std::string check_quiet_start(TestDevice& device, const Ending& ending, const device::State& told) {
    const std::optional<LoaderEnd> end = device.start_loader();
    const LoaderEnd::Kind wanted = ending.image.empty() ? LoaderEnd::Kind::serve : LoaderEnd::Kind::boot;
    if (!end || end->kind != wanted) {
        return ending.image.empty() ? "a later start booted an image that may not run"
                                    : "a later start did not reach the application: " +
                                          (end ? number(end->reason) : std::string{"it never ended"});
    }
    const device::State state = device.journal();
    if (state.token != told.token || state.outcome != told.outcome || state.phase != told.phase ||
        state.running_confirmed != told.running_confirmed || state.image_sha256 != told.image_sha256) {
        return "a later start reads another outcome: " + number(state.outcome);
    }
    return ending.image.empty() || device.holds(ending.image) ? std::string{}
                                                              : "a later start finds other bytes";
}

std::vector<std::uint32_t> wear_of_running(const TestDevice& device) {
    using device::Region;
    std::vector<std::uint32_t> wear;
    for (std::uint32_t at = 0; at < device.flash.size_bytes(Region::running);
         at += device.flash.erase_unit_bytes(Region::running, at)) {
        wear.push_back(device.flash.wear(Region::running, at));
    }
    return wear;
}

}  // namespace

std::string broken_promise(TestDevice& device, const Case& subject, const Cuts& cuts,
                           const test::JobEnd& end) {
    if (!end.trouble.empty()) {
        return end.trouble;
    }
    if (!end.ended) {
        return "the job never ended";
    }
    const Ending* const ending = matching(subject, cuts, end);
    if (ending == nullptr) {
        return "ended with status " + number(end.status) + (end.refused ? ", refused" : "");
    }
    if (!ending->image.empty() && !device.holds(ending->image)) {
        return "the application area holds other bytes than status " + number(end.status) + " says";
    }
    const device::State told = device.journal();
    const bool idle = told.phase == device::Phase::idle && told.running_confirmed;
    if (idle == ending->image.empty() || (!end.refused && told.outcome != end.status)) {
        return "the journal contradicts status " + number(end.status);
    }
    if (ending->untouched && wear_of_running(device) != wear_of_running(subject.start)) {
        return "the application area was erased for a package that was never proven";
    }
    for (unsigned start = 0; start < kQuietStarts; ++start) {
        if (std::string trouble = check_quiet_start(device, *ending, told); !trouble.empty()) {
            return trouble;
        }
    }
    const test::JobEnd next = device.perform(subject.next_job);
    if (!next.trouble.empty() || !next.ended || next.refused || next.status != Status::ok) {
        return "the next job ended with status " + number(next.status) + " " + next.trouble;
    }
    if (!device.holds(subject.next_image)) {
        return "the next job left other bytes than it says";
    }
    return device.flash.violation();
}

}  // namespace mcuota::powercut
