// The watcher behind `job watch` and `install`.
#include "daemon/cli/watcher.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <utility>

#include "daemon/api/views.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json_view.hpp"
#include "daemon/cli/words.hpp"

namespace mcuota::cli {
namespace {

namespace json = boost::json;

constexpr std::int64_t kRedrawMs = 100;
constexpr int kReconnectMs = 250;

bool finished(const json::value& job) {
    return api::is_finished(text(job, {"state"}));
}

/// What makes a new line where there is no terminal: another state or step, a new error, ten percent more.
std::string news_of(const json::value& job) {
    return text(job, {"state"}) + "/" + text(job, {"progress", "step"}) + "/" +
           text(job, {"error", "message"}) + "/" + std::to_string(number(job, {"progress", "percent"}) / 10);
}

}  // namespace

void WatchScreen::erase_bars() {
    if (bars_drawn_ > 0) std::fprintf(stream_, "\x1b[%zuA\x1b[J", bars_drawn_);
    bars_drawn_ = 0;
}

void WatchScreen::say(const std::string& line) {
    if (form_ == Form::json || form_ == Form::silent) {
        std::fprintf(stderr, "%s\n", line.c_str());
        return;
    }
    erase_bars();
    std::fprintf(stream_, "%s\n", line.c_str());
    std::fflush(stream_);
    redraw();
}

void WatchScreen::redraw() {
    if (form_ != Form::bars) return;
    erase_bars();
    std::size_t head_columns = 0;
    for (const auto& [id, job] : jobs_)
        head_columns = std::max(head_columns, width(watch_head(job, style_)));
    for (const auto& [id, job] : jobs_) {
        std::fprintf(stream_, "%s\n", watch_line(job, style_, head_columns).c_str());
        ++bars_drawn_;
    }
    std::fflush(stream_);
    drawn_at_ms_ = now_ms();
}

void WatchScreen::show(const json::value& job) {
    const std::int64_t id = number(job, {"id"});
    jobs_[id] = job;
    const std::string news = news_of(job);
    const bool changed = std::exchange(told_[id], news) != news;
    switch (form_) {
        case Form::bars:
            if (changed || now_ms() - drawn_at_ms_ >= kRedrawMs) redraw();
            break;
        case Form::lines:
            if (!changed) return;
            std::fprintf(stream_, "job %lld  %s\n", static_cast<long long>(id),
                         watch_line(job, style_).c_str());
            std::fflush(stream_);
            break;
        case Form::json:
            std::fprintf(stream_, "%s\n", json::serialize(job).c_str());
            std::fflush(stream_);
            break;
        case Form::silent:
            break;
    }
}

Result<Watched> watch(Client& client, const std::vector<std::int64_t>& ids, WatchScreen& screen,
                      Interrupts& interrupts, std::int64_t patience_ms) {
    std::string path = "/v1/events";
    for (std::size_t i = 0; i < ids.size(); ++i)
        path += (i == 0 ? "?job=" : ",") + std::to_string(ids[i]);
    const auto all_ended = [&] {
        if (ids.empty()) return false;
        for (const std::int64_t id : ids) {
            const auto found = screen.jobs().find(id);
            if (found == screen.jobs().end() || !finished(found->second)) return false;
        }
        return true;
    };
    bool connected_once = false;
    std::int64_t lost_at_ms = 0;  // 0: connected
    Client::Listener listener;
    listener.on_event = [&](std::string_view kind, const json::value& data) {
        if (lost_at_ms != 0) screen.say("mcuotad is back.");
        lost_at_ms = 0;
        if (kind == "job") screen.show(data);
        return !all_ended();
    };
    listener.on_second = [&] { screen.redraw(); };

    for (;;) {
        const auto end = client.events(path, listener, interrupts);
        if (!end && (end.error().code != ErrorCode::daemon_unreachable || !connected_once))
            return end.error();
        if (end && *end == StreamEnd::enough) return Watched{false, screen.jobs()};
        if (interrupts.came()) return Watched{true, screen.jobs()};
        if (end) {
            connected_once = true;
            lost_at_ms = now_ms();
            screen.say("mcuotad went away; the jobs go on when it is back. Waiting for it.");
        } else if (now_ms() - lost_at_ms > patience_ms) {
            return end.error();
        }
        if (interrupts.wait(kReconnectMs)) return Watched{true, screen.jobs()};
    }
}

}  // namespace mcuota::cli
