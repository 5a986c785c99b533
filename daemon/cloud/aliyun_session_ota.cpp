// Aliyun session: what arrives from the platform about updates, lost sessions and managed sub-devices.
#include <algorithm>

#include "daemon/cloud/aliyun_session.hpp"
#include "daemon/cloud/json_read.hpp"
#include "daemon/cloud/redact.hpp"

namespace mcuota::cloud::aliyun {

Actions Session::on_message(const std::string& topic, const std::string& payload, std::uint64_t now_ms) {
    Actions out;
    const std::optional<ParsedTopic> parsed = parse_topic(topic);
    if (!parsed) {
        out.push_back(action::Log{LogLevel::info, "message on an unknown topic ignored: " + topic});
        return out;
    }
    switch (parsed->kind) {
        case Downlink::upgrade:
            on_push(*parsed, payload, now_ms, out);
            break;
        case Downlink::request:
            if (!is_own_request(payload)) on_firmware_reply(*parsed, payload, out);
            break;
        case Downlink::firmware_get_reply:
            on_firmware_reply(*parsed, payload, out);
            break;
        case Downlink::login_reply:
            on_login_reply(payload, false, now_ms, out);
            break;
        case Downlink::batch_login_reply:
            on_login_reply(payload, true, now_ms, out);
            break;
        case Downlink::logout_reply:
            break;
        case Downlink::topo_add_reply:
            on_topo_reply(payload, now_ms, out);
            break;
        case Downlink::topo_change:
            on_topology_changed(payload, now_ms, out);
            break;
        case Downlink::disable:
        case Downlink::enable:
        case Downlink::remove:
            on_management(*parsed, payload, now_ms, out);
            break;
        case Downlink::session_error:
            on_session_error(payload, now_ms, out);
            break;
    }
    return out;
}

void Session::poll(std::size_t device, bool awaited, unsigned attempts, std::uint64_t now_ms, Actions& out) {
    const CloudDeviceConfig& entry = config_.devices[device];
    const Identity& who = members_[member_of_device_[device]].sub.who;
    const std::uint32_t id = next_id();
    std::string payload;
    if (config_.legacy_request) {
        // The legacy question is a version report on another topic; without a known version it cannot be
        // asked.
        const std::optional<std::string> version = version_of_ ? version_of_(entry.device) : std::nullopt;
        if (!version) return;
        payload = inform_payload(id, *version, entry.module);
    } else {
        payload = firmware_get_payload(id, entry.module);
        polls_[id] = Poll{device, awaited, attempts + 1, now_ms + limits_.reply_timeout_ms};
    }
    out.push_back(action::Publish{{request_topic(who), std::move(payload), 1, {}}});
}

Actions Session::on_offer_wanted(const std::string& device, const std::string& module, std::uint64_t now_ms) {
    Actions out;
    for (std::size_t i = 0; i < config_.devices.size(); ++i) {
        const CloudDeviceConfig& entry = config_.devices[i];
        if (entry.device != device || (!module.empty() && module != entry.module)) continue;
        if (ready_ && members_[member_of_device_[i]].state == State::online) {
            poll(i, true, 0, now_ms, out);
        } else {
            polls_wanted_[i] = true;  // asked as soon as the device is online
        }
    }
    return out;
}

void Session::on_push(const ParsedTopic& topic, const std::string& payload, std::uint64_t, Actions& out) {
    on_push_parsed(topic.who, parse_push(payload, {config_.artifact_size_max, config_.require_signature}),
                   out);
}

void Session::on_firmware_reply(const ParsedTopic& topic, const std::string& payload, Actions& out) {
    std::optional<Poll> asked;
    if (const Result<boost::json::object> message = parse_object(payload)) {
        const std::string id = id_member(*message, "id").value_or("");
        const auto found = std::find_if(polls_.begin(), polls_.end(), [&](const auto& entry) {
            return std::to_string(entry.first) == id &&
                   members_[member_of_device_[entry.second.device]].sub.who == topic.who;
        });
        if (found != polls_.end()) {
            asked = found->second;
            polls_.erase(found);
        }
    }
    on_push_parsed(topic.who, parse_push(payload, {config_.artifact_size_max, config_.require_signature}),
                   out, asked ? &*asked : nullptr);
}

void Session::on_push_parsed(const Identity& who, std::variant<Push, PushError> parsed, Actions& out,
                             const Poll* asked) {
    const Member* member = find(who);
    const std::string name = who.product_key + "/" + who.device_name;
    Push* push = std::get_if<Push>(&parsed);
    if (!member) {
        // The gateway's own firmware is not ours to update; others are not ours at all.
        if (!push || push->offer)
            out.push_back(
                action::Log{LogLevel::warning, "offer for " + name + ", which is not configured: ignored"});
        return;
    }
    if (push && !push->offer) {
        if (asked && asked->awaited)
            out.push_back(action::Log{
                LogLevel::info, "the platform has no update for " + config_.devices[asked->device].device});
        return;
    }
    const std::string& module = push ? push->offer->module : std::get<PushError>(parsed).module;
    const auto named = std::find_if(member->devices.begin(), member->devices.end(),
                                    [&](std::size_t i) { return config_.devices[i].module == module; });
    std::optional<std::size_t> device;
    if (named != member->devices.end()) {
        device = *named;
    } else if (asked && module.empty()) {
        device = asked->device;  // the answer may leave out what the question said
    } else if (!push && member->devices.size() == 1) {
        device = member->devices.front();  // so damaged that even the module is not readable
    }
    if (!device) {
        const std::string words = module.empty() ? "no device is configured for its default module"
                                                 : "no device is configured for its module " + module;
        out.push_back(action::Log{LogLevel::warning, "offer for " + name + " refused: " + words});
        const std::string topic = ota_topic("progress", who);
        out.push_back(action::Publish{
            {topic,
             progress_payload(next_id(), failure_step(ErrorCode::offer_unsupported), words, module),
             1,
             {}}});
        return;
    }
    const std::string& ours = config_.devices[*device].device;
    if (!push) {
        Error error = std::get<PushError>(parsed).error;
        out.push_back(
            action::Log{LogLevel::warning, "offer for " + ours + " refused: " + redact_urls(error.what)});
        out.push_back(action::DeliverBadOffer{ours, std::move(error)});
        return;
    }
    Offer offer = std::move(*push->offer);
    offer.provider = config_.name;
    offer.device = ours;
    offer.module = config_.devices[*device].module;
    out.push_back(action::DeliverOffer{std::move(offer)});
}

void Session::on_session_error(const std::string& payload, std::uint64_t now_ms, Actions& out) {
    const Result<Reply> error = parse_reply(payload);
    if (!error) {
        out.push_back(action::Log{LogLevel::warning, "session error ignored: " + error.error().what});
        return;
    }
    bool ours = false;
    for (const Identity& who : error->devices) {
        Member* member = find(who);
        if (!member || member->is_gateway) continue;
        ours = true;
        if (error->code != 520 || (member->state != State::online && member->state != State::subscribing))
            continue;
        out.push_back(action::Log{LogLevel::warning, "the platform has lost the session of " +
                                                         who.product_key + "/" + who.device_name +
                                                         ": logging in again"});
        login_again(*member, now_ms);
    }
    if (!ours || error->code != 520)
        out.push_back(action::Log{LogLevel::warning, "the platform reports code " +
                                                         std::to_string(error->code) + " " + error->message});
    start_logins(now_ms, out);
    tell_link(out);
}

void Session::on_management(const ParsedTopic& topic, const std::string& payload, std::uint64_t now_ms,
                            Actions& out) {
    Member* member = find(topic.who);
    if (!member || member->is_gateway || !ready_) return;
    std::string id = "0";
    if (const Result<boost::json::object> message = parse_object(payload))
        id = id_member(*message, "id").value_or(id);
    const char* what = topic.kind == Downlink::disable  ? "disable"
                       : topic.kind == Downlink::enable ? "enable"
                                                        : "delete";
    out.push_back(
        action::Publish{{sys_topic(topic.who, std::string(what) + "_reply"), ok_payload(id), 0, {}}});
    if (topic.kind == Downlink::enable) {
        if (member->state == State::barred) {
            member->state = State::waiting;
            member->failures = 0;
            member->why = "the login is under way";
            member->deadline_ms = now_ms;
        }
    } else {
        member->state = State::barred;
        member->deadline_ms = kNever;
        member->why = topic.kind == Downlink::disable ? "disabled in the cloud's console"
                                                      : "deleted in the cloud's console";
        out.push_back(action::Log{LogLevel::warning, "sub-device " + topic.who.product_key + "/" +
                                                         topic.who.device_name + " was " + member->why});
    }
    start_logins(now_ms, out);
    tell_link(out);
}

/// Devices named in a topology change that are waiting for their next try get it now.
void Session::on_topology_changed(const std::string& payload, std::uint64_t now_ms, Actions& out) {
    const Result<boost::json::object> message = parse_object(payload);
    if (!message || !ready_) return;
    const std::string id = id_member(*message, "id").value_or("0");
    out.push_back(action::Publish{{sys_topic(gateway_, "topo/change_reply"), ok_payload(id), 0, {}}});
    const boost::json::object* params = object_member(*message, "params");
    const boost::json::value* list = params ? member(*params, "subList") : nullptr;
    if (!list || !list->is_array()) return;
    for (const boost::json::value& entry : list->get_array()) {
        const boost::json::object* names = entry.if_object();
        if (!names) continue;
        Member* known = find(
            {text_member(*names, "productKey").value_or(""), text_member(*names, "deviceName").value_or("")});
        if (known && known->state == State::waiting) known->deadline_ms = now_ms;
    }
    start_logins(now_ms, out);
    tell_link(out);
}

}  // namespace mcuota::cloud::aliyun
