// Reading and steering commands; watching and installing have files of their own.
#include "daemon/cli/commands.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdio>
#include <sstream>
#include <utility>

#include "daemon/api/routes.hpp"
#include "daemon/cli/completions.hpp"
#include "daemon/cli/json_view.hpp"
#include "daemon/cli/words.hpp"
#include "daemon/config/config.hpp"

namespace mcuota::cli {
namespace {

namespace json = boost::json;

void print(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
}

/// Says where the answer came from when it was not the daemon.
void tell_source(const Reader& reader) {
    if (reader.offline())
        std::fprintf(stderr, "mcuota: mcuotad is not running; this is from its database %s\n",
                     reader.offline()->c_str());
}

using TextFn = std::string (*)(const json::value&, const Style&, std::int64_t);

/// Prints an answer: as it is with --json, in words otherwise.
int show(const Context& context, const Reader& reader, const Result<json::value>& answer, TextFn words) {
    if (!answer) return fail(context, answer.error());
    tell_source(reader);
    if (context.options.json)
        print_json(*answer);
    else
        print(words(*answer, context.out, now_ms()));
    return 0;
}

std::string error_text(const Context& context, const Error& error) {
    std::string out = "mcuota: " + (error.what.empty() ? std::string(summary(error.code)) : error.what) +
                      " (" + std::string(to_string(error.code)) + ")\n";
    if (!error.next.empty()) out += "  " + paint(context.err, Colour::strong, "next: ") + error.next + "\n";
    return out;
}

int show_changed(const Context& context, const Result<json::value>& job, const char* what) {
    if (!job) return fail(context, job.error());
    if (context.options.json)
        print_json(*job);
    else
        print("job " + text(*job, {"id"}) + " on " + text(*job, {"device"}) + ": " + what + "\n");
    return 0;
}

Result<api::JobFilter> filter_of(const Options& options) {
    api::JobFilter out;
    std::istringstream states(options.state);
    for (std::string state; std::getline(states, state, ',');) {
        if (!api::is_job_state(state))
            return Error{
                ErrorCode::usage, "\"" + state + "\" is not a job state",
                "states: queued downloading verifying waiting sending installing trial succeeded reverting "
                "failed cancelled",
                0};
        out.states.push_back(state);
    }
    out.device = options.device;
    out.limit = options.limit;
    if (!options.since.empty()) {
        auto since_ms = api::parse_time(options.since, now_ms());
        if (!since_ms) return std::move(since_ms).error();
        out.since_ms = *since_ms;
    }
    return out;
}

}  // namespace

std::int64_t now_ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

void print_json(const json::value& value) {
    print(json::serialize(value) + "\n");
}

int fail(const Context& context, const Error& error) {
    const std::string words = error_text(context, error);
    std::fwrite(words.data(), 1, words.size(), stderr);
    if (context.options.json) print_json(json::object{{"error", api::to_json(error)}});
    return exit_code(error.code);
}

namespace {
/// Of an error code's name, as the API gives it.
int exit_code_named(const std::string& code) {
#define MCUOTA_ERROR(name, number, cls, exit_code_, summary_) \
    if (code == #name) return exit_code_;
#include "mcu_flasher/base/errors.def"
#undef MCUOTA_ERROR
    return 1;
}
}  // namespace

int exit_code_of(const json::value& job) {
    const std::string state = text(job, {"state"});
    if (state == "succeeded") return 0;
    return state == "failed" ? exit_code_named(text(job, {"error", "code"})) : 1;
}

int run_status(const Context& context, Reader& reader) {
    return show(context, reader, reader.status(), &status_text);
}

int run_device_list(const Context& context, Reader& reader) {
    return show(context, reader, reader.devices(), &devices_text);
}

int run_device_show(const Context& context, Reader& reader) {
    return show(context, reader, reader.device(context.options.name), &device_text);
}

int run_device_refresh(const Context& context, Reader& reader) {
    const auto device = reader.client().post(
        "/v1/devices/" + api::percent_encode(context.options.name) + "/refresh", json::object{});
    const int code = show(context, reader, device, &device_text);
    if (code != 0) return code;
    // What it answered just now decides. A device that carries an error of its own answers, but not as it
    // should.
    if (!flag(*device, {"reachable"})) return exit_code(ErrorCode::device_silent);
    return at(*device, {"error"}).is_null() ? 0 : exit_code_named(text(*device, {"error", "code"}));
}

int run_job_list(const Context& context, Reader& reader) {
    const auto filter = filter_of(context.options);
    if (!filter) return fail(context, filter.error());
    return show(context, reader, reader.jobs(*filter), &jobs_text);
}

int run_job_show(const Context& context, Reader& reader) {
    return show(context, reader, reader.job(context.options.id), &job_text);
}

int run_job_cancel(const Context& context, Reader& reader) {
    const auto job =
        reader.client().post("/v1/jobs/" + std::to_string(context.options.id) + "/cancel", json::object{});
    const bool ended = job && text(*job, {"state"}) == "cancelled";
    return show_changed(
        context, job,
        ended ? "cancelled; the device keeps what it runs" : "will stop at the next safe point");
}

int run_job_retry(const Context& context, Reader& reader) {
    const auto job = reader.client().post("/v1/jobs/" + std::to_string(context.options.id) + "/retry",
                                          json::object{{"full", context.options.full}});
    return show_changed(context, job, "goes on now; follow it: mcuota job watch");
}

int run_config_check(const Context& context) {
    const Options& options = context.options;
    const std::string file = !options.file.empty()     ? options.file
                             : !options.config.empty() ? options.config
                                                       : config::kDefaultFile;
    const config::Loaded loaded = config::load(file);
    std::size_t errors = 0;
    json::array problems;
    std::string words;
    for (const config::ConfigProblem& problem : loaded.problems) {
        const bool error = problem.severity == config::ConfigProblem::Severity::error;
        errors += error ? 1 : 0;
        problems.push_back(json::object{{"severity", error ? "error" : "warning"},
                                        {"file", problem.file},
                                        {"line", problem.line},
                                        {"column", problem.column},
                                        {"key", problem.key},
                                        {"message", problem.what},
                                        {"mend", problem.mend}});
        words +=
            problem.file + (problem.line != 0 ? ":" + std::to_string(problem.line) : "") +
            (problem.column != 0 ? ":" + std::to_string(problem.column) : "") + ": " +
            (error ? paint(context.out, Colour::bad, "error") : paint(context.out, Colour::busy, "warning")) +
            ": " + (problem.key.empty() ? "" : problem.key + ": ") + problem.what + "\n";
        if (!problem.mend.empty())
            words += "  " + paint(context.out, Colour::strong, "mend: ") + problem.mend + "\n";
    }
    if (options.json) {
        print_json(json::object{{"file", file}, {"ok", loaded.usable()}, {"problems", std::move(problems)}});
    } else {
        print(words);
        if (loaded.usable())
            print(file + ": " + paint(context.out, Colour::good, "good") + ", " +
                  std::to_string(loaded.config.clouds.size()) + " clouds, " +
                  std::to_string(loaded.config.devices.size()) + " devices\n");
        else
            print(file + ": " + std::to_string(errors) + (errors == 1 ? " error" : " errors") +
                  "; mcuotad would not start with it\n");
    }
    return loaded.usable() ? 0 : exit_code(ErrorCode::config_invalid);
}

int run_completion(const Context& context) {
    print(context.options.shell == "zsh" ? kZshCompletion : kBashCompletion);
    return 0;
}

}  // namespace mcuota::cli
