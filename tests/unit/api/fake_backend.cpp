// The commands of the fake engine.
#include "tests/unit/api/fake_backend.hpp"

#include <boost/asio/as_tuple.hpp>

// GCC 12 takes the frames of coroutines that never wait for allocations of another kind.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

namespace mcuota::api {

using boost::asio::awaitable;

awaitable<Result<PackageView>> FakeBackend::adopt_package(std::filesystem::path file,
                                                          std::string sha256_hex) {
    calls.push_back("adopt " + sha256_hex);
    if (refuses_package) co_return Error(*refuses_package).while_doing("reading " + file.string());
    PackageView out{sha256_hex,
                    std::filesystem::file_size(file),
                    {{"stm32f429-demo", "2.0.0", 1, 4096, "aa", "bb", {"lzma"}}}};
    std::filesystem::create_directories(state_dir_ / "packages");
    std::filesystem::rename(file, state_dir_ / "packages" / (sha256_hex + ".mcup"));
    co_return out;
}

awaitable<Result<std::vector<InstallView>>> FakeBackend::install(InstallRequest request) {
    std::string call = "install " + request.package_sha256.substr(0, 8);
    for (const std::string& device : request.devices)
        call += " " + device;
    calls.push_back(call + (request.dry_run ? " dry" : "") + " by " + request.caller.name);
    if (refuses_install) co_return *refuses_install;
    std::vector<InstallView> out;
    for (const std::string& device : request.devices) {
        InstallView view{device, std::nullopt, up_to_date, "1.0.0", "2.0.0", "lzma", 4096};
        if (!request.dry_run && !up_to_date) {
            JobView job;
            job.id = static_cast<std::int64_t>(job_views.size()) + 1;
            job.device = device;
            job.hardware = "stm32f429-demo";
            job.source = {"local", request.caller.name, ""};
            job.state = "queued";
            job.from_version = "1.0.0";
            job.to_version = "2.0.0";
            job.progress.step = "queue";
            job_views.insert(job_views.begin(), job);
            view.job = job.id;
            emit(job);
        }
        out.push_back(std::move(view));
    }
    co_return out;
}

awaitable<Result<JobView>> FakeBackend::cancel(std::int64_t id, Caller caller) {
    calls.push_back("cancel " + std::to_string(id) + " by " + caller.name);
    auto found = job(id);
    if (found && is_finished(found->state))
        co_return Error{ErrorCode::wrong_state, "job " + std::to_string(id) + " has ended already", "", 0};
    if (found) {
        found->state = "cancelled";
        change(*found);
    }
    co_return found;
}

awaitable<Result<JobView>> FakeBackend::retry(std::int64_t id, bool full, Caller caller) {
    calls.push_back("retry " + std::to_string(id) + (full ? " full" : "") + " by " + caller.name);
    auto found = job(id);
    if (found) {
        found->state = "queued";
        found->error.reset();
        change(*found);
    }
    co_return found;
}

awaitable<Result<JobView>> FakeBackend::rollback(std::string device, Caller caller) {
    calls.push_back("rollback " + device + " by " + caller.name);
    if (device_silent) {
        silence = std::make_unique<boost::asio::steady_timer>(co_await boost::asio::this_coro::executor,
                                                              boost::asio::steady_timer::time_point::max());
        co_await silence->async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
        co_return Error{ErrorCode::device_silent, device + " does not answer", "check the cable", 0};
    }
    for (const DeviceView& view : device_views)
        if (view.name == device && view.backup) {
            JobView job;
            job.id = static_cast<std::int64_t>(job_views.size()) + 1;
            job.device = device;
            job.hardware = view.hardware;
            job.source = {"local", caller.name, ""};
            job.state = "queued";
            job.to_version = view.backup->version;
            job.progress.step = "queue";
            job_views.insert(job_views.begin(), job);
            emit(job);
            co_return job;
        }
    co_return Error{ErrorCode::not_found, device + " holds no backup image to go back to", "install it", 0};
}

awaitable<Result<DeviceView>> FakeBackend::refresh(std::string device) {
    calls.push_back("refresh " + device);
    for (const DeviceView& view : device_views)
        if (view.name == device) co_return view;
    co_return Error{ErrorCode::not_found, "there is no device \"" + device + "\"",
                    "list them: mcuota device list", 0};
}

}  // namespace mcuota::api
