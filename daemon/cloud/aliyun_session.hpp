#pragma once
// The order of things on one Aliyun connection: subscribe, bring sub-devices online, report versions, ask for
// updates; and what to do when a reply is lost, refused, or a session is gone (cloud-protocols §0.3, §1.10).
//
//   sub-device    event                         next           what is done
//   offline       gateway subscribed            logging_in     login (QoS 0), reply awaited
//   logging_in    reply 200                     subscribing    subscribe its OTA topics
//   logging_in    520 or topology missing       adding         topo/add, once per login round
//   logging_in    other code, or no reply       waiting        retry with growing pauses
//   adding        reply 200                     logging_in     login again
//   adding        other code, or no reply       waiting        retry
//   subscribing   granted                       online         version report, firmware/get
//   subscribing   not granted                   waiting        retry
//   online        520 from the platform         logging_in     (after a pause when it repeats)
//   any           disabled or deleted           barred         until the platform enables it or a reconnect
//   barred        enabled                       logging_in
//   any           connection lost               offline
//
// An MCU that is a module of the gateway is online as soon as the gateway is.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "daemon/cloud/aliyun_codec.hpp"
#include "daemon/cloud/protocol.hpp"

namespace mcuota::cloud::aliyun {

struct SessionLimits {
    std::uint64_t reply_timeout_ms{10'000};
    std::uint64_t retry_min_ms{2'000};
    std::uint64_t retry_max_ms{300'000};
    std::size_t logins_at_once{16};  ///< the platform allows 200 per second and gateway
    std::size_t batch_size{50};
    unsigned poll_attempts_max{3};
};

class Session final : public Protocol {
  public:
    /// `seed` spreads the retries of many gateways.
    Session(CloudConfig config, VersionOf version_of, std::uint32_t seed, SessionLimits limits = {});

    ConnectPlan connect_plan() const override;
    Actions on_connected(std::uint64_t now_ms) override;
    Actions on_disconnected() override;
    Actions on_subscribed(std::uint32_t tag, bool ok, std::uint64_t now_ms) override;
    Actions on_message(const std::string& topic, const std::string& payload, std::uint64_t now_ms) override;
    Actions on_timer(std::uint64_t now_ms) override;
    Actions on_offer_wanted(const std::string& device, const std::string& module,
                            std::uint64_t now_ms) override;
    std::uint64_t deadline_ms() const override;
    bool may_send(const OutMessage& message) const override;
    std::vector<OutMessage> farewell() override;
    std::vector<OutMessage> encode(const Report& report) const override;

  private:
    enum class State : std::uint8_t { offline, waiting, logging_in, adding, subscribing, online, barred };
    /// One identity on the wire: a sub-device, or the gateway for MCUs that are its modules.
    struct Member {
        SubDevice sub;
        std::vector<std::size_t> devices;  ///< indices into config_.devices
        bool is_gateway{false};
        State state{State::offline};
        std::uint32_t request_id{0};  ///< of the login or topo/add awaited
        std::uint64_t deadline_ms{kNever};
        unsigned failures{0};        ///< in a row
        bool topology_tried{false};  ///< in this login round
        bool alone{false};           ///< not with a batch: the last batch failed
        std::uint64_t online_since_ms{0};
        std::string why;  ///< why it is not online
    };
    struct Poll {
        std::size_t device;
        bool awaited{false};  ///< the job engine asked for it: repeated when unanswered
        unsigned attempts{0};
        std::uint64_t deadline_ms{kNever};
    };

    void start_logins(std::uint64_t now_ms, Actions& out);
    void send_logins(std::vector<std::size_t>& members, std::uint64_t now_ms, Actions& out);
    void add_topology(Member& member, std::uint64_t now_ms, Actions& out);
    void retry_later(Member& member, std::string why, std::uint64_t now_ms, Actions& out);
    void came_online(std::size_t index, std::uint64_t now_ms, Actions& out);
    void poll(std::size_t device, bool awaited, unsigned attempts, std::uint64_t now_ms, Actions& out);
    void on_login_reply(const std::string& payload, bool batch, std::uint64_t now_ms, Actions& out);
    void on_login_refused(Member& member, const Reply& reply, std::uint64_t now_ms, Actions& out);
    void on_topo_reply(const std::string& payload, std::uint64_t now_ms, Actions& out);
    void on_push(const ParsedTopic& topic, const std::string& payload, std::uint64_t now_ms, Actions& out);
    void on_firmware_reply(const ParsedTopic& topic, const std::string& payload, Actions& out);
    void on_push_parsed(const Identity& who, std::variant<Push, PushError> parsed, Actions& out,
                        const Poll* asked = nullptr);
    void on_session_error(const std::string& payload, std::uint64_t now_ms, Actions& out);
    void on_management(const ParsedTopic& topic, const std::string& payload, std::uint64_t now_ms,
                       Actions& out);
    void on_topology_changed(const std::string& payload, std::uint64_t now_ms, Actions& out);
    void login_again(Member& member, std::uint64_t now_ms);
    void tell_link(Actions& out);
    Member* find(const Identity& who);
    const Member* find(const Identity& who) const;
    std::uint32_t next_id() { return ++last_id_; }
    std::uint64_t pause_ms(unsigned failures);
    std::uint64_t sub_timestamp_ms() const;
    std::string request_topic(const Identity& who) const;

    CloudConfig config_;
    VersionOf version_of_;
    SessionLimits limits_;
    Identity gateway_;
    std::vector<Member> members_;
    std::vector<std::size_t> member_of_device_;
    std::map<std::uint32_t, Poll> polls_;       ///< by request id
    std::map<std::size_t, bool> polls_wanted_;  ///< devices to ask for once they are online
    bool ready_{false};                         ///< connected, gateway topics subscribed
    std::uint32_t last_id_{0};
    std::uint32_t random_;
    std::string link_told_;
};

}  // namespace mcuota::cloud::aliyun
