// mcuota-flash selftest: a porter's proof that the five regions of a board behave.
#include <iostream>
#include <random>

#include "mcu_flasher/base/status_text.hpp"
#include "mcu_flasher/cli/commands.hpp"
#include "mcu_flasher/cli/output.hpp"
#include "mcu_flasher/self_test_text.hpp"

namespace mcuota::flash {

namespace asio = boost::asio;

namespace {

constexpr std::uint32_t kQuickBytes = 128 * 1024;

Error error_of(const link::SelfTestReport& report, std::uint32_t seed) {
    return {ErrorCode::device_storage_failed,
            flasher::finding_text(report) + " (seed " + std::to_string(seed) + ")",
            std::string(flasher::finding_hint(report.finding))};
}

boost::json::object report_json(const link::SelfTestReport& report, std::uint32_t seed, const Error& error) {
    boost::json::object out{{"outcome", "failed"},
                            {"seed", seed},
                            {"check", flasher::check_name(report.check)},
                            {"region", flasher::region_name(report.region)},
                            {"offset", report.offset},
                            {"finding", flasher::finding_name(report.finding)},
                            {"status", to_string(report.status)},
                            {"expected", report.expected},
                            {"found", report.found}};
    if (report.other_region != link::kSelfTestNoRegion) {
        out["other_region"] = flasher::region_name(report.other_region);
        out["other_offset"] = report.other_offset;
    }
    out["error"] = {{"code", to_string(error.code)},
                    {"class", to_string(error.cls())},
                    {"message", error.what},
                    {"next", error.next}};
    return out;
}

/// Why a device cannot do it, told before it is asked.
Result<void> able(const link::Identity& identity) {
    if (identity.role == link::Role::loader) return {};
    return Error{ErrorCode::wrong_state, "the application answers, and only a loader can test its memories",
                 "mcuota-flash reboot --loader, then again"};
}

asio::awaitable<Result<void>> test(flasher::Flasher& device, Common& common, std::uint32_t seed, bool quick) {
    auto identity = co_await device.identify();
    if (!identity) co_return std::move(identity).error();
    if (auto can = able(*identity); !can) co_return can;
    ProgressLine line;
    auto report =
        co_await device.self_test(seed, quick ? kQuickBytes : 0, [&](const link::SelfTestReport& now) {
            if (now.state != link::SelfTestReport::State::goes_on) return;
            std::string text{flasher::check_text(now.check)};
            if (now.region != link::kSelfTestNoRegion)
                text += ", " + std::string(flasher::region_name(now.region));
            line.show(text, now.percent);
        });
    line.clear();
    if (!report) {
        Error error = std::move(report).error();
        if (error.device_status == static_cast<std::uint16_t>(Status::unknown_request)) {
            error.code = ErrorCode::device_refused;
            error.what = "this loader was built without the self test";
            error.next = "load the one that has it (firmware/loader-selftest.elf), see docs/porting.md";
        } else if (error.code != ErrorCode::cancelled) {
            error.next =
                "if the device started again by itself, a driver call outlasted the watchdog or ran into a "
                "fault; look at mcuota-flash info";
        }
        co_return error;
    }
    if (report->state != link::SelfTestReport::State::passed) {
        const Error error = error_of(*report, seed);
        if (common.json) print_json(report_json(*report, seed, error));
        common.json = false;
        co_return error;
    }
    if (common.json) {
        print_json({{"outcome", "passed"}, {"seed", seed}});
    } else {
        std::cout << "all regions of " << identity->hardware.view() << " behave as the loader needs it (seed "
                  << seed << "); the device is empty now\n";
    }
    // The loader in RAM still knows what was there before.
    co_return co_await device.reboot(true);
}

}  // namespace

Result<void> self_test(Common& common, const SelfTestOptions& options) {
    if (!options.erase_everything)
        return Error{
            ErrorCode::usage,
            "the self test erases the application, its backup, the keys and the journal of the device",
            "say that you want that: --yes-erase-everything"};
    const std::uint32_t seed = options.seed != 0 ? options.seed : std::random_device{}() | 1U;
    return with_device(common, {},
                       [&](flasher::Flasher& device) { return test(device, common, seed, options.quick); });
}

}  // namespace mcuota::flash
