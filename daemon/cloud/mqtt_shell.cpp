// Keeps one broker connection alive on the event loop and moves messages between protocol, outbox and broker.
#include "daemon/cloud/mqtt_shell.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "daemon/cloud/mqtt_connection.hpp"
#include "daemon/cloud/probe.hpp"
#include "mcu_flasher/base/quietly.hpp"

namespace mcuota::cloud {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kOutboxLook = 256;  // messages of held-back devices must not hide the others for long
constexpr std::uint32_t kCloseTimeoutMs = 500;
constexpr std::uint32_t kProbeTimeoutMs = 5'000;

std::uint64_t now_ms() {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count());
}

}  // namespace

class MqttShell::Core : public std::enable_shared_from_this<Core> {
  public:
    Core(MqttOptions options, std::unique_ptr<Protocol> protocol, asio::any_io_executor executor,
         CloudSink& sink, Outbox& outbox, LogSink log)
        : options_(std::move(options)),
          protocol_(std::move(protocol)),
          executor_(std::move(executor)),
          sink_(sink),
          outbox_(outbox),
          log_(std::move(log)),
          attempt_timer_(executor_),
          protocol_timer_(executor_),
          ack_timer_(executor_),
          questions_(executor_),
          random_(std::random_device{}()) {}
    ~Core() {
        quietly([this] {
            retire();
            reaper_.join();  // the pool would drop what still waits, the DISCONNECT with it
        });
    }

    void start() {
        if (started_ || stopped_) return;
        started_ = true;
        begin_attempt();
    }

    void stop() {
        if (stopped_) return;
        stopped_ = true;
        if (up_ && connection_)
            for (const OutMessage& message : protocol_->farewell())
                (void)connection_->publish(next_operation_++, message);
        attempt_timer_.cancel();
        protocol_timer_.cancel();
        ack_timer_.cancel();
        retire();
    }

    void drain();
    void perform(Actions actions);
    [[nodiscard]] Protocol& protocol() { return *protocol_; }
    [[nodiscard]] bool up() const { return up_; }
    [[nodiscard]] bool running() const { return started_ && !stopped_; }

  private:
    /// What a running operation of the connection means.
    struct Operation {
        enum class Kind : std::uint8_t { outbox, conversation, subscribe } kind;
        std::int64_t outbox_id{0};
        std::uint32_t tag{0};
        std::uint64_t begun_ms{0};
    };

    void begin_attempt();
    void open_connection();
    void on_connected(std::uint64_t generation, int code, const std::string& words);
    void on_lost(std::uint64_t generation, const std::string& words);
    void on_completed(std::uint64_t generation, std::uint64_t id, bool ok);
    void on_message(std::uint64_t generation, const std::string& topic, const std::string& payload);
    void give_up(const Error& why, std::uint32_t pause_ms);
    void retire();
    void arm_protocol_timer();
    void arm_ack_timer();
    void subscribe_next();
    std::uint32_t next_pause_ms();
    void tell_link(bool up, const std::string& why);
    void log(LogLevel level, const std::string& text) {
        if (log_) log_(level, "cloud " + options_.name + ": " + text);
    }
    std::string broker() const { return options_.host + ":" + std::to_string(options_.port); }

    /// A handler that does nothing once this object has gone or been stopped.
    template <class F>
    auto guarded(F f) {
        return [weak = weak_from_this(), f = std::move(f)](auto&&... arguments) {
            if (const std::shared_ptr<Core> self = weak.lock(); self && !self->stopped_)
                f(*self, std::forward<decltype(arguments)>(arguments)...);
        };
    }

    MqttOptions options_;
    std::unique_ptr<Protocol> protocol_;
    asio::any_io_executor executor_;
    CloudSink& sink_;
    Outbox& outbox_;
    LogSink log_;
    asio::steady_timer attempt_timer_, protocol_timer_, ack_timer_;
    Questions questions_;
    std::minstd_rand random_;

    bool started_{false}, stopped_{false};
    bool connected_{false};  // CONNACK received
    bool up_{false};         // the protocol says so: outbox may be drained
    std::optional<std::pair<bool, std::string>> link_told_;
    unsigned failures_{0};
    std::uint64_t connected_at_ms_{0};
    std::uint64_t generation_{0};  // of the connection; events of earlier ones are dropped
    std::unique_ptr<MqttConnection> connection_;
    std::uint64_t next_operation_{1};
    std::map<std::uint64_t, Operation> operations_;
    std::set<std::int64_t> outbox_in_flight_;
    // SUBSCRIBEs go one filter a packet, one packet at a time: some platforms allow no more.
    std::vector<std::pair<std::uint32_t, std::string>> filters_waiting_;
    std::map<std::uint32_t, std::size_t> filters_left_;  // by tag
    // The library joins its threads when a client is destroyed; that must not stop the event loop.
    asio::thread_pool reaper_{1};
};

void MqttShell::Core::begin_attempt() {
    log(LogLevel::info, "connecting to " + broker());
    questions_.ask([host = options_.host] { return lookup_problem(host); },
                   guarded([](Core& self, const std::string& problem) {
                       if (problem.empty()) {
                           self.open_connection();
                       } else {
                           self.give_up({ErrorCode::cloud_unreachable, problem, "check host in [[cloud]]"},
                                        self.next_pause_ms());
                       }
                   }));
}

void MqttShell::Core::open_connection() {
    const std::uint64_t generation = ++generation_;
    // The library calls from its own threads; weak_from_this and post are all that happens there.
    const auto forward = [executor = executor_, weak = weak_from_this(), generation](auto member) {
        return [executor, weak, generation, member](auto... arguments) {
            asio::post(executor, [weak, generation, member, arguments...] {
                if (const std::shared_ptr<Core> self = weak.lock(); self && !self->stopped_)
                    ((*self).*member)(generation, arguments...);
            });
        };
    };
    MqttEvents events;
    events.connected = forward(&Core::on_connected);
    events.lost = forward(&Core::on_lost);
    events.completed = forward(&Core::on_completed);
    events.message = forward(&Core::on_message);
    connection_ = std::make_unique<MqttConnection>(
        MqttConnection::Target{options_.host, options_.port, options_.ca_file, options_.keepalive_s,
                               options_.connect_timeout_ms, protocol_->connect_plan()},
        std::move(events));
    if (const std::string problem = connection_->connect(); !problem.empty()) {
        give_up({ErrorCode::cloud_unreachable, broker() + ": " + problem, {}}, next_pause_ms());
        return;
    }
    // The library checks its own timeout only every few seconds, and not in every phase.
    attempt_timer_.expires_after(std::chrono::milliseconds(options_.connect_timeout_ms + 5'000));
    attempt_timer_.async_wait(guarded([generation](Core& self, boost::system::error_code cancelled) {
        if (cancelled || generation != self.generation_ || self.connected_) return;
        self.give_up({ErrorCode::cloud_unreachable, self.broker() + " does not answer", {}},
                     self.next_pause_ms());
    }));
}

void MqttShell::Core::on_connected(std::uint64_t generation, int code, const std::string& words) {
    if (generation != generation_ || connected_) return;
    attempt_timer_.cancel();
    if (code == 0) {
        connected_ = true;
        connected_at_ms_ = now_ms();
        log(LogLevel::info, "connected to " + broker());
        perform(protocol_->on_connected(now_ms()));
        return;
    }
    if (code == 4 || code == 5) {
        const std::string user = protocol_->connect_plan().username;
        give_up({ErrorCode::cloud_login_refused, broker() + " refused the credentials of " + user,
                 "check product_key, device_name and device_secret of [[cloud]] " + options_.name},
                std::max(options_.login_refused_retry_ms, next_pause_ms()));
        return;
    }
    if (code > 0) {
        give_up({ErrorCode::cloud_unreachable,
                 broker() + " refused the connection (code " + std::to_string(code) + ")",
                 {}},
                next_pause_ms());
        return;
    }
    // The library says no more than "failed"; what it really was takes a look of our own.
    const std::uint32_t pause = next_pause_ms();
    retire();
    questions_.ask([host = options_.host, port = options_.port,
                    ca = options_.ca_file] { return tls_problem(host, port, ca, kProbeTimeoutMs); },
                   guarded([pause, words](Core& self, const std::string& problem) {
                       const std::string why = !problem.empty() ? problem
                                               : words.empty()  ? "the MQTT connection failed"
                                                                : words;
                       const bool certificate = why.find("certificate") != std::string::npos ||
                                                why.find("mismatch") != std::string::npos;
                       self.give_up({ErrorCode::cloud_unreachable, self.broker() + ": " + why,
                                     certificate ? "check ca_file and host of [[cloud]] " + self.options_.name
                                                 : std::string{}},
                                    pause);
                   }));
}

void MqttShell::Core::on_lost(std::uint64_t generation, const std::string& words) {
    if (generation != generation_) return;
    give_up({ErrorCode::cloud_unreachable,
             "the connection to " + broker() + " broke" + (words.empty() ? std::string{} : ": " + words),
             {}},
            next_pause_ms());
}

void MqttShell::Core::on_message(std::uint64_t generation, const std::string& topic,
                                 const std::string& payload) {
    if (generation != generation_ || !connected_) return;
    perform(protocol_->on_message(topic, payload, now_ms()));
}

void MqttShell::Core::on_completed(std::uint64_t generation, std::uint64_t id, bool ok) {
    if (generation != generation_) return;
    const auto found = operations_.find(id);
    if (found == operations_.end()) return;
    const Operation operation = found->second;
    operations_.erase(found);
    arm_ack_timer();
    switch (operation.kind) {
        case Operation::Kind::conversation:
            break;
        case Operation::Kind::outbox:
            outbox_in_flight_.erase(operation.outbox_id);
            if (ok) outbox_.acknowledged(operation.outbox_id);
            // Not ok: the connection is going down; the message stays in the outbox for the next one.
            if (ok) drain();
            break;
        case Operation::Kind::subscribe: {
            subscribe_next();
            const auto left = filters_left_.find(operation.tag);
            if (left == filters_left_.end()) break;
            if (ok && --left->second > 0) break;
            filters_left_.erase(left);
            perform(protocol_->on_subscribed(operation.tag, ok, now_ms()));
            break;
        }
    }
}

void MqttShell::Core::subscribe_next() {
    while (connection_ && !filters_waiting_.empty()) {
        const auto [tag, filter] = std::move(filters_waiting_.front());
        filters_waiting_.erase(filters_waiting_.begin());
        if (!filters_left_.contains(tag)) continue;  // one of its filters was refused: the rest is pointless
        const std::uint64_t id = next_operation_++;
        if (!connection_->subscribe(id, filter)) continue;  // the connection has gone; on_lost follows
        operations_[id] = {Operation::Kind::subscribe, 0, tag, now_ms()};
        arm_ack_timer();
        return;
    }
}

void MqttShell::Core::perform(Actions actions) {
    const std::uint64_t generation = generation_;
    for (Action& action : actions) {
        if (stopped_) return;
        // A machine's actions belong to the connection it has heard; deliveries are good in any case.
        const bool same = generation == generation_;
        if (auto* subscribe = std::get_if<action::Subscribe>(&action); subscribe && same) {
            filters_left_[subscribe->tag] = subscribe->filters.size();
            const bool idle = std::none_of(operations_.begin(), operations_.end(), [](const auto& entry) {
                return entry.second.kind == Operation::Kind::subscribe;
            });
            for (std::string& filter : subscribe->filters)
                filters_waiting_.emplace_back(subscribe->tag, std::move(filter));
            if (idle) subscribe_next();
        } else if (auto* publish = std::get_if<action::Publish>(&action); publish && same && connection_) {
            const std::uint64_t id = next_operation_++;
            if (connection_->publish(id, publish->message)) {
                operations_[id] = {Operation::Kind::conversation, 0, 0, now_ms()};
                arm_ack_timer();
            }
        } else if (auto* offer = std::get_if<action::DeliverOffer>(&action)) {
            sink_.on_offer(offer->offer);
        } else if (auto* bad = std::get_if<action::DeliverBadOffer>(&action)) {
            sink_.on_bad_offer(options_.name, bad->device, bad->error);
        } else if (auto* link = std::get_if<action::LinkState>(&action); link && same) {
            up_ = link->up;
            tell_link(link->up, link->why);
        } else if (auto* again = std::get_if<action::Reconnect>(&action); again && same) {
            give_up({ErrorCode::cloud_unreachable, again->why, {}}, next_pause_ms());
        } else if (auto* text = std::get_if<action::Log>(&action)) {
            log(text->level, text->text);
        }
    }
    arm_protocol_timer();
    drain();
}

void MqttShell::Core::drain() {
    if (!up_ || !connection_ || stopped_) return;
    for (const Outbox::Item& item : outbox_.pending(options_.name, kOutboxLook)) {
        if (outbox_in_flight_.size() >= options_.window) return;
        if (outbox_in_flight_.contains(item.id) || !protocol_->may_send(item.message)) continue;
        const std::uint64_t id = next_operation_++;
        if (!connection_->publish(id, item.message))
            return;  // going down: the next connection takes it up again
        operations_[id] = {Operation::Kind::outbox, item.id, 0, now_ms()};
        outbox_in_flight_.insert(item.id);
        arm_ack_timer();
    }
}

void MqttShell::Core::arm_protocol_timer() {
    const std::uint64_t deadline = protocol_->deadline_ms();
    if (deadline == kNever) {
        protocol_timer_.cancel();
        return;
    }
    const std::uint64_t now = now_ms();
    protocol_timer_.expires_after(std::chrono::milliseconds(deadline > now ? deadline - now : 0));
    protocol_timer_.async_wait(guarded([](Core& self, boost::system::error_code cancelled) {
        if (!cancelled) self.perform(self.protocol_->on_timer(now_ms()));
    }));
}

/// Watches the oldest unanswered operation: long before the keep-alive notices, a silent broker shows here.
void MqttShell::Core::arm_ack_timer() {
    if (operations_.empty()) {
        ack_timer_.cancel();
        return;
    }
    const std::uint64_t due = operations_.begin()->second.begun_ms + options_.ack_timeout_ms;
    const std::uint64_t now = now_ms();
    ack_timer_.expires_after(std::chrono::milliseconds(due > now ? due - now : 0));
    ack_timer_.async_wait(guarded([](Core& self, boost::system::error_code cancelled) {
        if (cancelled || self.operations_.empty()) return;
        if (self.operations_.begin()->second.begun_ms + self.options_.ack_timeout_ms > now_ms()) {
            self.arm_ack_timer();
            return;
        }
        self.give_up({ErrorCode::cloud_unreachable, self.broker() + " acknowledges nothing any more", {}},
                     self.next_pause_ms());
    }));
}

std::uint32_t MqttShell::Core::next_pause_ms() {
    if (connected_ && now_ms() - connected_at_ms_ >= options_.stable_ms) failures_ = 0;
    std::uint64_t pause = options_.reconnect_min_ms;
    for (unsigned i = 0; i < failures_ && pause < options_.reconnect_max_ms; ++i)
        pause *= 2;
    ++failures_;
    pause = std::min<std::uint64_t>(pause, options_.reconnect_max_ms);
    return static_cast<std::uint32_t>(pause +
                                      std::uniform_int_distribution<std::uint64_t>(0, pause / 4)(random_));
}

/// Ends the present connection or attempt and plans the next.
void MqttShell::Core::give_up(const Error& why, std::uint32_t pause_ms) {
    retire();
    log(LogLevel::warning, why.line() + "; next try in " + std::to_string((pause_ms + 500) / 1000) + " s");
    attempt_timer_.expires_after(std::chrono::milliseconds(pause_ms));
    attempt_timer_.async_wait(guarded([](Core& self, boost::system::error_code cancelled) {
        if (!cancelled) self.begin_attempt();
    }));
    tell_link(false, why.line());
}

void MqttShell::Core::retire() {
    ++generation_;
    operations_.clear();
    outbox_in_flight_.clear();
    filters_waiting_.clear();
    filters_left_.clear();
    ack_timer_.cancel();
    if (connection_) {
        asio::post(reaper_, [old = std::shared_ptr<MqttConnection>(std::move(connection_)),
                             orderly = stopped_ && connected_]() mutable {
            if (orderly) old->close(kCloseTimeoutMs);
            old.reset();
        });
    }
    const bool was_connected = std::exchange(connected_, false);
    up_ = false;
    if (was_connected && !stopped_) perform(protocol_->on_disconnected());
}

void MqttShell::Core::tell_link(bool up, const std::string& why) {
    std::pair<bool, std::string> now{up, why};
    if (link_told_ == now) return;
    link_told_ = std::move(now);
    if (up && !why.empty()) log(LogLevel::warning, why);
    sink_.on_link(options_.name, up, why);
}

MqttShell::MqttShell(MqttOptions options, std::unique_ptr<Protocol> protocol, asio::any_io_executor executor,
                     CloudSink& sink, Outbox& outbox, LogSink log)
    : core_(std::make_shared<Core>(std::move(options), std::move(protocol), std::move(executor), sink, outbox,
                                   std::move(log))) {}

MqttShell::~MqttShell() {
    quietly([this] { core_->stop(); });
}

void MqttShell::start() {
    core_->start();
}
void MqttShell::stop() {
    core_->stop();
}
std::vector<OutMessage> MqttShell::encode(const Report& report) const {
    return core_->protocol().encode(report);
}
void MqttShell::outbox_changed() {
    core_->drain();
}
void MqttShell::request_offer(const std::string& device, const std::string& module) {
    if (core_->running()) core_->perform(core_->protocol().on_offer_wanted(device, module, now_ms()));
}
bool MqttShell::connected() const {
    return core_->up();
}

}  // namespace mcuota::cloud
