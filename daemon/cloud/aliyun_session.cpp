// Aliyun session: connection, sub-device logins, version reports. What arrives about updates is in
// aliyun_session_ota.cpp.
#include "daemon/cloud/aliyun_session.hpp"

#include <algorithm>
#include <utility>

#include "daemon/cloud/json_read.hpp"

namespace mcuota::cloud::aliyun {
namespace {

constexpr std::uint32_t kGatewayTag = 0;
constexpr std::uint64_t kSdkTimestampMs = 2'524'608'000'000;

std::string quoted(const Identity& who) {
    return who.product_key + "/" + who.device_name;
}

}  // namespace

Session::Session(CloudConfig config, VersionOf version_of, std::uint32_t seed, SessionLimits limits)
    : config_(std::move(config)),
      version_of_(std::move(version_of)),
      limits_(limits),
      gateway_{config_.product_key, config_.device_name},
      random_(seed | 1U) {
    for (std::size_t i = 0; i < config_.devices.size(); ++i) {
        const CloudDeviceConfig& device = config_.devices[i];
        Identity who{device.product_key, device.device_name};
        if (who.product_key.empty() && who.device_name.empty()) who = gateway_;
        Member* member = find(who);
        if (!member) {
            members_.push_back({});
            member = &members_.back();
            member->sub.who = who;
            member->is_gateway = who == gateway_;
        }
        if (member->sub.secret.empty()) member->sub.secret = device.device_secret;
        member->devices.push_back(i);
        member_of_device_.push_back(static_cast<std::size_t>(member - members_.data()));
    }
}

Session::Member* Session::find(const Identity& who) {
    return const_cast<Member*>(std::as_const(*this).find(who));
}
const Session::Member* Session::find(const Identity& who) const {
    for (const Member& member : members_)
        if (member.sub.who == who) return &member;
    return nullptr;
}

/// Doubling pause with up to a quarter of jitter, so that many gateways do not come back in step.
std::uint64_t Session::pause_ms(unsigned failures) {
    std::uint64_t pause = limits_.retry_min_ms;
    for (unsigned i = 1; i < failures && pause < limits_.retry_max_ms; ++i)
        pause *= 2;
    pause = std::min(pause, limits_.retry_max_ms);
    random_ = random_ * 1664525U + 1013904223U;
    return pause + pause / 4 * (random_ >> 16U) / 65536U;
}

std::uint64_t Session::sub_timestamp_ms() const {
    return config_.timestamp_ms == 0 ? kSdkTimestampMs : config_.timestamp_ms;  // a login must carry one
}

std::string Session::request_topic(const Identity& who) const {
    return config_.legacy_request ? ota_topic("request", who) : sys_topic(who, "ota/firmware/get");
}

ConnectPlan Session::connect_plan() const {
    Credentials fields = connect_credentials(config_);
    return {std::move(fields.client_id), std::move(fields.username), std::move(fields.password)};
}

Actions Session::on_connected(std::uint64_t) {
    ready_ = false;
    std::vector<std::string> filters{
        ota_topic("upgrade", gateway_),
        config_.legacy_request ? request_topic(gateway_) : sys_topic(gateway_, "ota/firmware/get_reply"),
        error_topic(gateway_)};
    for (const char* what : {"login_reply", "batch_login_reply", "logout_reply"})
        filters.push_back(session_topic(gateway_, what));
    for (const char* what : {"topo/add_reply", "topo/change"})
        filters.push_back(sys_topic(gateway_, what));
    return {action::Subscribe{kGatewayTag, std::move(filters)}};
}

Actions Session::on_disconnected() {
    ready_ = false;
    polls_.clear();
    link_told_.clear();
    for (Member& member : members_) {
        member.state = State::offline;
        member.deadline_ms = kNever;
        member.failures = 0;
        member.topology_tried = false;
        member.alone = false;
    }
    return {};
}

Actions Session::on_subscribed(std::uint32_t tag, bool ok, std::uint64_t now_ms) {
    Actions out;
    if (tag == kGatewayTag) {
        if (!ok) {
            out.push_back(
                action::Reconnect{"the broker refused the subscription of the gateway's own topics"});
            return out;
        }
        ready_ = true;
        if (!config_.gateway_version.empty())
            out.push_back(action::Publish{{ota_topic("inform", gateway_),
                                           inform_payload(next_id(), config_.gateway_version, {}),
                                           1,
                                           {}}});
        for (std::size_t i = 0; i < members_.size(); ++i) {
            if (members_[i].is_gateway) {
                came_online(i, now_ms, out);
                continue;
            }
            members_[i].state = State::waiting;
            members_[i].deadline_ms = now_ms;
            members_[i].why = "the login is under way";
        }
        start_logins(now_ms, out);
        tell_link(out);
        return out;
    }
    const std::size_t index = tag - 1;
    if (!ready_ || index >= members_.size() || members_[index].state != State::subscribing) return out;
    if (ok) {
        came_online(index, now_ms, out);
    } else {
        retry_later(members_[index], "the broker refused its subscriptions", now_ms, out);
    }
    tell_link(out);
    return out;
}

void Session::start_logins(std::uint64_t now_ms, Actions& out) {
    std::size_t busy = 0;
    for (const Member& member : members_)
        busy += member.state == State::logging_in || member.state == State::adding ? 1 : 0;
    std::vector<std::size_t> due, due_alone;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        Member& member = members_[i];
        if (member.state != State::waiting || member.deadline_ms > now_ms) continue;
        const bool alone = !config_.batch_login || member.alone;
        if (alone && busy + due_alone.size() >= limits_.logins_at_once) continue;
        (alone ? due_alone : due).push_back(i);
    }
    for (const std::size_t i : due_alone) {
        std::vector<std::size_t> one{i};
        send_logins(one, now_ms, out);
    }
    for (std::size_t from = 0; from < due.size(); from += limits_.batch_size) {
        const std::size_t to = std::min(due.size(), from + limits_.batch_size);
        std::vector<std::size_t> batch(due.begin() + static_cast<std::ptrdiff_t>(from),
                                       due.begin() + static_cast<std::ptrdiff_t>(to));
        send_logins(batch, now_ms, out);
    }
}

void Session::send_logins(std::vector<std::size_t>& members, std::uint64_t now_ms, Actions& out) {
    const std::uint32_t id = next_id();
    std::vector<SubDevice> subs;
    for (const std::size_t i : members) {
        members_[i].state = State::logging_in;
        members_[i].request_id = id;
        members_[i].deadline_ms = now_ms + limits_.reply_timeout_ms;
        subs.push_back(members_[i].sub);
    }
    const bool batch = config_.batch_login && !members_[members.front()].alone;
    const std::string payload =
        batch ? batch_login_payload(id, subs, config_.sign_method, sub_timestamp_ms())
              : login_payload(id, subs.front(), config_.sign_method, sub_timestamp_ms());
    // QoS 0 is what the platform demands here; the reply is what counts.
    out.push_back(
        action::Publish{{session_topic(gateway_, batch ? "batch_login" : "login"), payload, 0, {}}});
}

void Session::add_topology(Member& member, std::uint64_t now_ms, Actions& out) {
    member.state = State::adding;
    member.topology_tried = true;
    member.request_id = next_id();
    member.deadline_ms = now_ms + limits_.reply_timeout_ms;
    out.push_back(action::Publish{
        {sys_topic(gateway_, "topo/add"),
         topo_add_payload(member.request_id, {&member.sub, 1}, config_.sign_method, sub_timestamp_ms()),
         1,
         {}}});
}

void Session::retry_later(Member& member, std::string why, std::uint64_t now_ms, Actions& out) {
    ++member.failures;
    member.state = State::waiting;
    member.topology_tried = false;
    const std::uint64_t pause = pause_ms(member.failures);
    member.deadline_ms = now_ms + pause;
    out.push_back(action::Log{LogLevel::warning, "sub-device " + quoted(member.sub.who) + ": " + why +
                                                     "; next try in " + std::to_string(pause / 1000) + " s"});
    member.why = std::move(why);
}

void Session::came_online(std::size_t index, std::uint64_t now_ms, Actions& out) {
    Member& member = members_[index];
    member.state = State::online;
    member.deadline_ms = kNever;
    member.topology_tried = false;
    member.alone = false;
    member.online_since_ms = now_ms;
    member.why.clear();
    for (const std::size_t device : member.devices) {
        const CloudDeviceConfig& entry = config_.devices[device];
        if (const std::optional<std::string> version = version_of_ ? version_of_(entry.device) : std::nullopt)
            out.push_back(action::Publish{{ota_topic("inform", member.sub.who),
                                           inform_payload(next_id(), *version, entry.module),
                                           1,
                                           {}}});
        const auto wanted = polls_wanted_.find(device);
        const bool awaited = wanted != polls_wanted_.end();
        if (awaited) polls_wanted_.erase(wanted);
        poll(device, awaited, 0, now_ms, out);
    }
}

/// The login fell away while connected. A session that breaks again at once must not become a loop.
void Session::login_again(Member& member, std::uint64_t now_ms) {
    constexpr std::uint64_t kStableMs = 60'000;
    member.failures = now_ms - member.online_since_ms >= kStableMs ? 0 : member.failures + 1;
    member.state = State::waiting;
    member.topology_tried = false;
    member.why = "the platform ended its session";
    member.deadline_ms = member.failures == 0 ? now_ms : now_ms + pause_ms(member.failures);
}

void Session::on_login_reply(const std::string& payload, bool batch, std::uint64_t now_ms, Actions& out) {
    const Result<Reply> reply = parse_reply(payload);
    if (!reply) {
        out.push_back(action::Log{LogLevel::warning, "login reply ignored: " + reply.error().what});
        return;
    }
    std::vector<std::size_t> members;
    for (std::size_t i = 0; i < members_.size(); ++i)
        if (members_[i].state == State::logging_in && std::to_string(members_[i].request_id) == reply->id)
            members.push_back(i);
    if (members.empty()) {
        out.push_back(
            action::Log{LogLevel::info, "login reply " + reply->id + " is not awaited (any more): ignored"});
        return;
    }
    for (const std::size_t i : members) {
        Member& member = members_[i];
        if (reply->code == 200) {
            member.state = State::subscribing;
            member.deadline_ms = kNever;
            std::vector<std::string> filters{ota_topic("upgrade", member.sub.who),
                                             config_.legacy_request
                                                 ? request_topic(member.sub.who)
                                                 : sys_topic(member.sub.who, "ota/firmware/get_reply")};
            for (const char* what : {"disable", "enable", "delete"})
                filters.push_back(sys_topic(member.sub.who, what));
            out.push_back(action::Subscribe{static_cast<std::uint32_t>(i + 1), std::move(filters)});
        } else if (batch) {
            // One bad device spoils the whole batch: each of them now logs in by itself.
            member.alone = true;
            member.state = State::waiting;
            member.deadline_ms = now_ms;
        } else {
            on_login_refused(member, *reply, now_ms, out);
        }
    }
    if (batch && reply->code != 200)
        out.push_back(action::Log{LogLevel::warning, "batch login refused (code " +
                                                         std::to_string(reply->code) + " " + reply->message +
                                                         "): logging in one by one"});
    start_logins(now_ms, out);
    tell_link(out);
}

void Session::on_login_refused(Member& member, const Reply& reply, std::uint64_t now_ms, Actions& out) {
    const bool topology =
        reply.code == 520 || reply.code == 6401 || reply.message.find("topo") != std::string::npos;
    const std::string words = "code " + std::to_string(reply.code) + " " + reply.message;
    if (topology && config_.add_topology && !member.topology_tried) {
        out.push_back(action::Log{LogLevel::info, "sub-device " + quoted(member.sub.who) +
                                                      " is not in the topology (" + words + "): adding it"});
        add_topology(member, now_ms, out);
        return;
    }
    retry_later(member, "the login was refused, " + words, now_ms, out);
}

void Session::on_topo_reply(const std::string& payload, std::uint64_t now_ms, Actions& out) {
    const Result<Reply> reply = parse_reply(payload);
    if (!reply) return;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        Member& member = members_[i];
        if (member.state != State::adding || std::to_string(member.request_id) != reply->id) continue;
        if (reply->code == 200) {
            member.alone = true;
            std::vector<std::size_t> one{i};
            send_logins(one, now_ms, out);
        } else {
            retry_later(member,
                        "topo/add was refused, code " + std::to_string(reply->code) + " " + reply->message,
                        now_ms, out);
        }
    }
    tell_link(out);
}

Actions Session::on_timer(std::uint64_t now_ms) {
    Actions out;
    if (!ready_) return out;
    for (Member& member : members_) {
        if ((member.state != State::logging_in && member.state != State::adding) ||
            member.deadline_ms > now_ms)
            continue;
        const char* what = member.state == State::adding ? "topo/add got no reply" : "the login got no reply";
        if (config_.batch_login) member.alone = true;
        retry_later(member, what, now_ms, out);
    }
    start_logins(now_ms, out);
    std::vector<Poll> again;
    for (auto it = polls_.begin(); it != polls_.end();) {
        if (it->second.deadline_ms > now_ms) {
            ++it;
            continue;
        }
        again.push_back(it->second);
        it = polls_.erase(it);
    }
    for (const Poll& lost : again) {
        if (lost.attempts < limits_.poll_attempts_max) {
            poll(lost.device, lost.awaited, lost.attempts, now_ms, out);
        } else {
            out.push_back(
                action::Log{LogLevel::warning, "the platform did not answer whether there is an update for " +
                                                   config_.devices[lost.device].device});
        }
    }
    tell_link(out);
    return out;
}

std::uint64_t Session::deadline_ms() const {
    if (!ready_) return kNever;
    std::uint64_t earliest = kNever;
    std::size_t busy = 0;
    for (const Member& member : members_) {
        if (member.state != State::logging_in && member.state != State::adding) continue;
        ++busy;
        earliest = std::min(earliest, member.deadline_ms);
    }
    for (const Member& member : members_)
        if (member.state == State::waiting && busy < limits_.logins_at_once)
            earliest = std::min(earliest, member.deadline_ms);
    for (const auto& [id, poll] : polls_)
        earliest = std::min(earliest, poll.deadline_ms);
    return earliest;
}

/// Tells how well the cloud is reached, whenever that has changed.
void Session::tell_link(Actions& out) {
    if (!ready_) return;
    std::string why;
    for (const Member& member : members_) {
        if (member.state == State::online) continue;
        if (!why.empty()) why += "; ";
        why += "sub-device " + quoted(member.sub.who) + " is offline: " + member.why;
    }
    const std::string told = "up " + why;
    if (told == link_told_) return;
    link_told_ = told;
    out.push_back(action::LinkState{true, why});
}

bool Session::may_send(const OutMessage& message) const {
    if (!ready_) return false;
    for (const Member& member : members_) {
        const std::string owner = "/" + member.sub.who.product_key + "/" + member.sub.who.device_name;
        if (message.topic.ends_with(owner)) return member.state == State::online;
    }
    return true;  // of a device that is no longer configured: let the platform judge rather than keep it for
                  // ever
}

std::vector<OutMessage> Session::farewell() {
    std::vector<OutMessage> out;
    for (const Member& member : members_)
        if (!member.is_gateway && member.state == State::online)
            out.push_back(
                {session_topic(gateway_, "logout"), logout_payload(next_id(), member.sub.who), 0, {}});
    return out;
}

std::vector<OutMessage> Session::encode(const Report& report) const {
    for (std::size_t i = 0; i < config_.devices.size(); ++i) {
        const CloudDeviceConfig& device = config_.devices[i];
        if (device.device != report.device) continue;
        const std::string& module = report.module.empty() ? device.module : report.module;
        return encode_report(members_[member_of_device_[i]].sub.who, module, report);
    }
    return {};
}

}  // namespace mcuota::cloud::aliyun
