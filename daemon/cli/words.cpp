// Screens and lines.
#include "daemon/cli/words.hpp"

#include <algorithm>
#include <vector>

#include "daemon/api/views.hpp"
#include "daemon/cli/json_view.hpp"

namespace mcuota::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kBarColumns = 20;

std::string or_dash(std::string text) {
    return text.empty() ? "-" : text;
}

std::string ago(std::int64_t at_ms, std::int64_t now_ms) {
    if (at_ms == 0) return "never";
    return now_ms - at_ms < 1000 ? "just now" : human_duration(now_ms - at_ms) + " ago";
}

Colour colour_of(const std::string& state) {
    if (state == "succeeded") return Colour::good;
    if (state == "failed") return Colour::bad;
    if (state == "cancelled" || state == "queued") return Colour::faint;
    return Colour::busy;
}

std::string title(const Style& style, const char* text) {
    return paint(style, Colour::strong, text) + "\n";
}

std::string version_cell(const json::value& device, const Style& style) {
    if (at(device, {"running"}).is_null())
        return paint(style, Colour::faint, text(device, {"seen_at"}).empty() ? "?" : "none");
    const std::string version = or_dash(text(device, {"running", "version"}));
    const std::string state = text(device, {"running", "state"});
    if (state == "trial") return version + paint(style, Colour::busy, " on trial");
    if (state == "damaged") return version + paint(style, Colour::bad, " damaged");
    return version;
}

bool backup_damaged(const json::value& device) {
    return text(device, {"backup", "state"}) == "damaged";
}

std::string state_cell(const json::value& device, const Style& style, std::int64_t now_ms) {
    const std::string seen = ago(time_ms(device, {"seen_at"}), now_ms);
    const json::value& reachable = at(device, {"reachable"});
    if (reachable.is_null()) return paint(style, Colour::faint, "not asked yet");
    if (!flag(device, {"reachable"}))
        return paint(style, Colour::bad, "no answer") +
               (seen == "never" ? ", never seen" : ", last seen " + seen);
    const std::string stays = text(device, {"stay_reason"});
    const bool loader = text(device, {"role"}) == "loader";
    if (!stays.empty())
        return paint(style, Colour::bad, loader ? "stays in its loader: " : "its memory fails: ") + stays;
    return paint(style, Colour::good, loader ? "loader answers" : "application answers") + ", seen " + seen +
           (backup_damaged(device) ? ", " + paint(style, Colour::bad, "backup damaged") : "");
}

void device_rows(Table& table, const json::array& devices, const Style& style, std::int64_t now_ms) {
    for (const json::value& device : devices)
        table.row({text(device, {"name"}), version_cell(device, style), text(device, {"hardware"}),
                   or_dash(text(device, {"link"})), state_cell(device, style, now_ms)});
    if (!table.empty()) table.head({"NAME", "VERSION", "HARDWARE", "LINK", "STATE"}, style);
}

/// The error and what helps, below a job or device.
std::string error_lines(const json::value& error, const Style& style, const std::string& indent) {
    if (error.is_null()) return "";
    std::string out = indent + text(error, {"message"}) + " (" + text(error, {"code"}) + ")\n";
    const std::string next = text(error, {"next"});
    if (!next.empty()) out += indent + paint(style, Colour::strong, "next: ") + next + "\n";
    return out;
}

std::string clouds_text(const json::array& clouds, const Style& style, std::int64_t now_ms) {
    Table table("  ");
    for (const json::value& cloud : clouds) {
        const std::int64_t since = time_ms(cloud, {"since"});
        const std::int64_t pending = number(cloud, {"reports_pending"});
        std::string state = flag(cloud, {"up"})
                                ? paint(style, Colour::good, "connected")
                                : paint(style, Colour::bad, "down") +
                                      (text(cloud, {"why"}).empty() ? "" : ": " + text(cloud, {"why"}));
        if (since != 0) state += ", since " + human_duration(now_ms - since);
        if (pending != 0)
            state += ", " + std::to_string(pending) + (pending == 1 ? " report waits" : " reports wait");
        table.row({text(cloud, {"name"}), text(cloud, {"provider"}), text(cloud, {"host"}), state});
    }
    if (table.empty()) return "  no cloud is configured\n";
    table.head({"NAME", "PROVIDER", "HOST", "LINK"}, style);
    return table.text();
}

std::string running_text(const json::array& jobs, const Style& style) {
    Table table("  ");
    for (const json::value& job : jobs) {
        const std::string pace = pace_of(job);
        table.row(
            {text(job, {"id"}), text(job, {"device"}), versions_of(job, style),
             (style.terminal ? bar(style, number(job, {"progress", "percent"}), 10) + " " : "") +
                 std::to_string(number(job, {"progress", "percent"})) + " %",
             paint(style, colour_of(text(job, {"state"})), doing(job)) + (pace.empty() ? "" : ", " + pace)});
    }
    if (table.empty()) return "  none\n";
    table.head({"JOB", "DEVICE", "VERSION", "PROGRESS", "DOING"}, style);
    return table.text();
}

struct Step {
    std::string_view name;
    std::string_view words;
};
constexpr Step kSteps[] = {
    {"queue", "waiting for its turn"},
    {"download", "downloading"},
    {"backoff", "waiting before the next try"},
    {"new_url", "waiting for a new download address from the cloud"},
    {"device", "waiting for the device to answer"},
    {"link", "waiting for the device's link"},
    {"window", "waiting for its time window"},
    {"operator", "waiting for a person"},
    {"connect", "connecting to the device"},
    {"prepare", "device prepares its memory"},
    {"send", "sending"},
    {"rehearse", "device rehearses the installation"},
    {"back_up", "device backs up the old image"},
    {"apply", "device writes the new image"},
    {"trial", "new image is on trial"},
    {"restore", "device puts the old image back"},
};

}  // namespace

std::string versions_of(const json::value& job, const Style& style) {
    const std::string from = text(job, {"from_version"});
    const std::string to = text(job, {"to_version"});
    return (from.empty() ? "" : from + arrow(style)) + (to.empty() ? "?" : to);
}

std::string doing(const json::value& job) {
    const std::string state = text(job, {"state"});
    const std::string step = text(job, {"progress", "step"});
    if (api::is_finished(state)) return state;
    if (state == "reverting") return "device puts the old image back";
    if (step == "check")
        return state == "installing" ? "device checks the package" : "device checks what it received";
    if (step == "verify")
        return state == "installing" ? "device verifies the new image" : "checking the package";
    for (const Step& known : kSteps)
        if (known.name == step) return std::string(known.words);
    return step.empty() ? state : state + " (" + step + ")";
}

std::string pace_of(const json::value& job) {
    // A rate from before a pause says nothing about the pause.
    const std::string state = text(job, {"state"});
    if (state != "downloading" && state != "sending") return "";
    const std::int64_t rate = number(job, {"progress", "bytes_per_second"});
    const std::int64_t left = number(job, {"progress", "bytes_total"}) - number(job, {"progress", "bytes"});
    if (rate <= 0) return "";
    std::string out = human_bytes(rate) + "/s";
    if (left > 0) out += ", " + human_duration((left / rate + 1) * 1000) + " left";
    return out;
}

std::string watch_head(const json::value& job, const Style& style) {
    return text(job, {"device"}) + "  " + versions_of(job, style);
}

std::string watch_line(const json::value& job, const Style& style, std::size_t head_columns) {
    const std::string state = text(job, {"state"});
    const std::int64_t percent = number(job, {"progress", "percent"});
    const std::string number_text = std::to_string(percent);
    std::string head = watch_head(job, style);
    head.append(std::max(head_columns, width(head)) - width(head) + 2, ' ');
    std::string tail = doing(job);
    const std::string pace = pace_of(job);
    if (!pace.empty()) tail += ", " + pace;
    if (state == "waiting" || state == "failed") {
        const std::string why = text(job, {"error", "message"});
        if (!why.empty()) tail += ": " + why;
    }
    if (!style.terminal) return head + number_text + " %  " + tail;
    const std::string line = head + bar(style, percent, kBarColumns) +
                             std::string(4 - std::min<std::size_t>(3, number_text.size()), ' ') +
                             number_text + " %  ";
    const std::size_t used = width(line);
    const auto columns = static_cast<std::size_t>(std::max(style.columns, 20));
    if (used + 4 < columns) tail = shortened(style, tail, columns - used - 1);
    return line + paint(style, colour_of(state), tail);
}

std::string outcome_text(const json::value& job, const Style& style) {
    const std::string state = text(job, {"state"});
    const std::string head = "job " + text(job, {"id"}) + " on " + text(job, {"device"}) + ": ";
    if (state == "succeeded")
        return head + paint(style, Colour::good, "succeeded") + ", the device reports " +
               text(job, {"to_version"}) + " running and confirmed\n";
    if (state == "cancelled") return head + "cancelled; the device keeps what it runs\n";
    if (state == "failed")
        return head + paint(style, Colour::bad, "failed") + "\n" +
               error_lines(at(job, {"error"}), style, "  ");
    return head + doing(job) + "\n";
}

std::string status_text(const json::value& status, const Style& style, std::int64_t now_ms) {
    std::string out;
    if (flag(status, {"daemon", "running"})) {
        out = "mcuotad " + text(status, {"daemon", "version"});
        const std::int64_t since = time_ms(status, {"daemon", "started_at"});
        if (since != 0) out += ", running for " + human_duration(now_ms - since);
        out += "\n\n" + title(style, "Clouds") + clouds_text(list(status, {"clouds"}), style, now_ms);
    } else {
        out = paint(style, Colour::bad, "mcuotad is not running") + ": nothing moves until it is started\n";
    }
    Table devices("  ");
    device_rows(devices, list(status, {"devices"}), style, now_ms);
    out += "\n" + title(style, "Devices") + (devices.empty() ? "  none is configured\n" : devices.text());
    out += "\n" + title(style, "Running jobs") + running_text(list(status, {"jobs"}), style);

    const json::array& failures = list(status, {"failures"});
    if (failures.empty()) return out;
    out += "\n" + title(style, "Last failures");
    for (const json::value& job : failures) {
        out += "  job " + text(job, {"id"}) + "  " + text(job, {"device"}) + "  " + versions_of(job, style) +
               "  " + paint(style, Colour::bad, "failed ") + ago(time_ms(job, {"updated_at"}), now_ms) + "\n";
        out += error_lines(at(job, {"error"}), style, "    ");
    }
    return out;
}

std::string devices_text(const json::value& devices, const Style& style, std::int64_t now_ms) {
    Table table;
    device_rows(table, list(devices, {}), style, now_ms);
    return table.empty() ? "no device is configured\n" : table.text();
}

std::string device_text(const json::value& device, const Style& style, std::int64_t now_ms) {
    Table table("  ");
    const auto line = [&](const char* what, const std::string& value) {
        if (!value.empty()) table.row({paint(style, Colour::faint, what), value});
    };
    const auto image = [&](const char* key) -> std::string {
        if (at(device, {key}).is_null()) return "none";
        return or_dash(text(device, {key, "version"})) + ", " + text(device, {key, "state"}) + ", " +
               human_bytes(number(device, {key, "bytes"})) + ", sha256 " +
               text(device, {key, "sha256"}).substr(0, 16) +
               (at(device, {key, "security_counter"}).is_null()
                    ? ""
                    : ", security counter " + text(device, {key, "security_counter"}));
    };
    const bool seen = !at(device, {"seen_at"}).is_null();
    line("state", state_cell(device, style, now_ms));
    line("hardware", text(device, {"hardware"}));
    line("link", text(device, {"link"}));
    line("cloud", text(device, {"cloud"}) +
                      (text(device, {"module"}).empty() ? "" : ", module " + text(device, {"module"})));
    if (seen) {
        line("running", image("running"));
        line("backup", image("backup"));
        line("loader", text(device, {"loader_version"}));
        line("agent", text(device, {"agent_version"}));
        line("unique id", text(device, {"unique_id"}));
        line("counter floor", text(device, {"security_counter_floor"}));
    }
    if (!at(device, {"active_job"}).is_null())
        line("job", text(device, {"active_job"}) + " (mcuota job show " + text(device, {"active_job"}) + ")");
    const std::string warning = !backup_damaged(device)
                                    ? ""
                                    : "  " + paint(style, Colour::bad, "the backup is damaged") +
                                          ": if the running image fails there is nothing to go back to\n"
                                          "  next: install a package; that makes a backup of what runs now: "
                                          "mcuota install FILE --device " +
                                          text(device, {"name"}) + "\n";
    return paint(style, Colour::strong, text(device, {"name"})) + "\n" + table.text() + warning +
           error_lines(at(device, {"error"}), style, "  ");
}

std::string jobs_text(const json::value& jobs, const Style& style, std::int64_t now_ms) {
    Table table;
    for (const json::value& job : list(jobs, {})) {
        const std::string state = text(job, {"state"});
        std::string note = ago(time_ms(job, {"updated_at"}), now_ms);
        if (!api::is_finished(state)) note = doing(job);
        if (state == "failed") note += ": " + shortened(style, text(job, {"error", "message"}), 60);
        const std::string pace = pace_of(job);
        if (!pace.empty()) note += ", " + pace;
        table.row({text(job, {"id"}), text(job, {"device"}), versions_of(job, style),
                   paint(style, colour_of(state), state),
                   std::to_string(number(job, {"progress", "percent"})) + " %", note});
    }
    if (table.empty()) return "no jobs\n";
    table.head({"JOB", "DEVICE", "VERSION", "STATE", "DONE", "NOTE"}, style);
    return table.text();
}

std::string job_text(const json::value& job, const Style& style, std::int64_t now_ms) {
    const std::string state = text(job, {"state"});
    std::string out = paint(style, Colour::strong, "Job " + text(job, {"id"})) + ": " +
                      text(job, {"device"}) + ", " + versions_of(job, style) + ", " +
                      paint(style, colour_of(state), state) + "\n";
    Table table("  ");
    const auto line = [&](const char* what, const std::string& value) {
        if (!value.empty()) table.row({paint(style, Colour::faint, what), value});
    };
    std::string asked = text(job, {"source", "kind"}) == "local" ? "a person: " : "cloud ";
    asked += text(job, {"source", "provider"});
    if (!text(job, {"source", "request_id"}).empty())
        asked += ", request " + text(job, {"source", "request_id"});
    line("asked by", asked);
    line("hardware", text(job, {"hardware"}));
    if (!at(job, {"payload", "kind"}).is_null())
        line("payload",
             text(job, {"payload", "kind"}) + ", " + human_bytes(number(job, {"payload", "bytes"})));
    if (!api::is_finished(state)) {
        const std::string pace = pace_of(job);
        line("doing", doing(job) + ", " + std::to_string(number(job, {"progress", "percent"})) + " %" +
                          (pace.empty() ? "" : ", " + pace));
    }
    line("attempts", text(job, {"attempts"}));
    const std::int64_t created = time_ms(job, {"created_at"});
    const std::int64_t finished = time_ms(job, {"finished_at"});
    line("created", local_time(created) + " (" + ago(created, now_ms) + ")");
    if (finished != 0)
        line("finished", local_time(finished) + ", after " + human_duration(finished - created));
    out += table.text() + error_lines(at(job, {"error"}), style, "  ");

    Table history("  ");
    for (const json::value& step : list(job, {"transitions"}))
        history.row({local_time(time_ms(step, {"at"})), text(step, {"to"}), text(step, {"reason"})});
    if (!history.empty()) out += title(style, "History") + history.text();
    return out;
}

}  // namespace mcuota::cli
