// mcuota-flash confirm, rollback, reboot, log.
#include <boost/json/array.hpp>
#include <iostream>

#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/base/status_text.hpp"
#include "mcu_flasher/cli/commands.hpp"
#include "mcu_flasher/cli/output.hpp"
#include "mcu_flasher/link/device_error.hpp"
#include "mcu_flasher/link/image_state.hpp"

namespace mcuota::flash {

namespace asio = boost::asio;

Result<void> confirm(const Common& common) {
    return with_device(common, {}, [&](flasher::Flasher& device) -> asio::awaitable<Result<void>> {
        if (auto done = co_await device.confirm(); !done) co_return done;
        auto identity = co_await device.identify();
        if (!identity) co_return std::move(identity).error();
        if (common.json) {
            print_json({{"outcome", "confirmed"},
                        {"version", identity->running.version.view()},
                        {"image_sha256", to_hex(identity->running.sha256)}});
        } else {
            std::cout << image_name(identity->running) << " is confirmed\n";
        }
        co_return Result<void>{};
    });
}

namespace {

asio::awaitable<Result<void>> go_back(flasher::Flasher& device, const Common& common) {
    auto before = co_await device.identify();
    if (!before) co_return std::move(before).error();
    ProgressLine line;
    auto report = co_await device.rollback(new_token(),
                                           [&](const flasher::Progress& progress) { line.show(progress); });
    line.clear();
    if (!report) co_return std::move(report).error();
    const bool back = report->identity.running.state == flasher::kImageConfirmed &&
                      report->identity.running.sha256 == before->backup.sha256;
    if (!back) {
        Error error = flasher::error_from_status(report->status, "going back");
        if (report->status == Status::ok || report->status == Status::rolled_back) {
            error.code = ErrorCode::install_unproven;
            error.what = "the device says it went back, but reports " + image_name(report->identity.running);
        }
        error.next = "look at it: mcuota-flash info, mcuota-flash log";
        co_return error;
    }
    if (common.json) {
        print_json({{"outcome", "rolled_back"},
                    {"version", report->identity.running.version.view()},
                    {"image_sha256", to_hex(report->identity.running.sha256)}});
    } else {
        std::cout << image_name(report->identity.running) << " runs again on "
                  << report->identity.hardware.view() << '\n';
    }
    co_return Result<void>{};
}

}  // namespace

Result<void> rollback(const Common& common, std::uint32_t install_timeout_s) {
    flasher::Options limits;
    limits.install_timeout_ms = install_timeout_s * 1'000;
    return with_device(common, limits, [&](flasher::Flasher& device) { return go_back(device, common); });
}

Result<void> reboot(const Common& common, bool stay_in_loader) {
    return with_device(common, {}, [&](flasher::Flasher& device) -> asio::awaitable<Result<void>> {
        if (auto done = co_await device.reboot(stay_in_loader); !done) co_return done;
        const std::string_view into = stay_in_loader ? "loader" : "application";
        if (common.json) {
            print_json({{"outcome", "rebooting"}, {"into", into}});
        } else {
            std::cout << "the device restarts" << (stay_in_loader ? " and stays in its loader\n" : "\n");
        }
        co_return Result<void>{};
    });
}

Result<void> log(const Common& common) {
    return with_device(common, {}, [&](flasher::Flasher& device) -> asio::awaitable<Result<void>> {
        auto lines = co_await device.log();
        if (!lines) co_return std::move(lines).error();
        if (common.json) {
            boost::json::array all(lines->begin(), lines->end());
            print_json({{"lines", std::move(all)}});
        } else {
            for (const std::string& line : *lines)
                std::cout << line << '\n';
        }
        co_return Result<void>{};
    });
}

}  // namespace mcuota::flash
