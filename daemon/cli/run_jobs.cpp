// `mcuota job watch`, `mcuota install` and `mcuota rollback`: the commands that stay until something has
// ended.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdio>
#include <utility>
#include <vector>

#include "daemon/api/routes.hpp"
#include "daemon/api/views.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json_view.hpp"
#include "daemon/cli/watcher.hpp"
#include "daemon/cli/words.hpp"

namespace mcuota::cli {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kShowUploadFrom = 1U << 20;

/// The worst of the outcomes: a refusal or a silent device says more than "failed".
int exit_code_of_all(const std::map<std::int64_t, json::value>& jobs) {
    int worst = 0;
    for (const auto& [id, job] : jobs)
        worst = std::max(worst, exit_code_of(job));
    return worst;
}

void say_still_running(const std::map<std::int64_t, json::value>& jobs) {
    for (const auto& [id, job] : jobs)
        if (!api::is_finished(text(job, {"state"})))
            std::fprintf(stderr, "job %lld goes on; see it again: mcuota job watch %lld\n",
                         static_cast<long long>(id), static_cast<long long>(id));
}

void print_outcomes(const Context& context, const std::map<std::int64_t, json::value>& jobs) {
    for (const auto& [id, job] : jobs) {
        const std::string words = outcome_text(job, context.out);
        std::fwrite(words.data(), 1, words.size(), stdout);
    }
}

Result<json::value> upload(const Context& context, Reader& reader) {
    const bool bars = context.err.terminal && !context.options.json;
    bool drawn = false;
    auto package = reader.client().upload(
        "/v1/packages", context.options.file, [&](std::uint64_t sent, std::uint64_t total) {
            if (!bars || total < kShowUploadFrom) return;
            const auto percent = static_cast<std::int64_t>(sent * 100 / total);
            std::fprintf(stderr, "\rhanding the package over  %s %3lld %%",
                         bar(context.err, percent, 20).c_str(), static_cast<long long>(percent));
            drawn = true;
        });
    if (drawn) std::fprintf(stderr, "\r\x1b[K");
    return package;
}

std::string plan_text(const json::value& install, const Style& style, bool dry_run) {
    const std::string device = text(install, {"device"});
    if (flag(install, {"up_to_date"}))
        return device + ": " + text(install, {"to_version"}) + " runs there already, confirmed\n";
    std::string payload;
    if (!at(install, {"payload", "kind"}).is_null())
        payload = ", " + text(install, {"payload", "kind"}) + ", " +
                  human_bytes(number(install, {"payload", "bytes"}));
    if (dry_run) return device + ": would install " + versions_of(install, style) + payload + "\n";
    return device + ": job " + text(install, {"job"}) + ", " + versions_of(install, style) + payload + "\n";
}

/// Waits for the jobs and tells how they ended: in words, or with `about` and their last states as JSON.
int wait_for(const Context& context, Reader& reader, Interrupts& interrupts, json::object about,
             const std::vector<std::int64_t>& ids) {
    using Form = WatchScreen::Form;
    const Form form = context.options.json ? Form::silent : context.err.terminal ? Form::bars : Form::lines;
    WatchScreen screen(stderr, context.err, form);
    const auto watched = watch(reader.client(), ids, screen, interrupts);
    if (!watched) return fail(context, watched.error());
    if (context.options.json) {
        json::array jobs;
        for (const auto& [id, job] : watched->jobs)
            jobs.push_back(job);
        about["jobs"] = std::move(jobs);
        print_json(about);
    } else if (!watched->interrupted) {
        print_outcomes(context, watched->jobs);
    }
    if (watched->interrupted) {
        say_still_running(watched->jobs);
        return 1;
    }
    return exit_code_of_all(watched->jobs);
}

}  // namespace

int run_job_watch(const Context& context, Reader& reader) {
    using Form = WatchScreen::Form;
    const Form form = context.options.json ? Form::json : context.out.terminal ? Form::bars : Form::lines;
    WatchScreen screen(stdout, context.out, form);
    std::vector<std::int64_t> ids;
    if (context.options.id != 0) ids.push_back(context.options.id);
    if (ids.empty() && form == Form::bars)
        std::fprintf(stderr, "watching all jobs; Ctrl-C ends the watching only\n");
    Interrupts interrupts;
    const auto watched = watch(reader.client(), ids, screen, interrupts);
    if (!watched) return fail(context, watched.error());
    if (watched->interrupted) {
        say_still_running(watched->jobs);
        return 0;
    }
    if (!context.options.json) print_outcomes(context, watched->jobs);
    return exit_code_of_all(watched->jobs);
}

int run_install(const Context& context, Reader& reader) {
    const auto package = upload(context, reader);
    if (!package) return fail(context, package.error());
    json::array devices;
    for (const std::string& device : context.options.devices)
        devices.emplace_back(device);
    const bool dry_run = context.options.dry_run;
    Interrupts interrupts;
    const auto accepted = reader.client().post(
        "/v1/jobs",
        json::object{
            {"package", at(*package, {"sha256"})}, {"devices", std::move(devices)}, {"dry_run", dry_run}},
        interrupts);
    if (!accepted) return fail(context, accepted.error());

    std::vector<std::int64_t> ids;
    bool needed = false;
    std::string plan;
    for (const json::value& install : list(*accepted, {"installs"})) {
        if (!at(install, {"job"}).is_null()) ids.push_back(number(install, {"job"}));
        needed = needed || !flag(install, {"up_to_date"});
        plan += plan_text(install, context.out, dry_run);
    }
    const bool waits = !ids.empty() && !context.options.no_wait;
    json::object about{
        {"package", *package}, {"dry_run", dry_run}, {"installs", at(*accepted, {"installs"})}};
    if (!context.options.json) {
        std::fwrite(plan.data(), 1, plan.size(), stdout);
        std::fflush(stdout);
    } else if (!waits) {
        print_json(about);
    }
    if (!needed) return exit_code(ErrorCode::nothing_to_do);
    return waits ? wait_for(context, reader, interrupts, std::move(about), ids) : 0;
}

int run_rollback(const Context& context, Reader& reader) {
    Interrupts interrupts;
    const auto job = reader.client().post(
        "/v1/devices/" + api::percent_encode(context.options.name) + "/rollback", json::object{}, interrupts);
    if (!job) return fail(context, job.error());
    const std::int64_t id = number(*job, {"id"});
    if (!context.options.json) {
        std::printf("%s: job %lld, back to %s\n", context.options.name.c_str(), static_cast<long long>(id),
                    text(*job, {"to_version"}).c_str());
        std::fflush(stdout);
    }
    if (!context.options.no_wait) return wait_for(context, reader, interrupts, json::object{}, {id});
    if (context.options.json) print_json(json::object{{"jobs", json::array({*job})}});
    return 0;
}

}  // namespace mcuota::cli
