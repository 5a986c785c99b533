// Addresses, rights and the small machines of the API, without a socket.
#include "daemon/api/routes.hpp"

#include <catch2/catch.hpp>
#include <variant>

#include "daemon/api/event_queue.hpp"
#include "daemon/api/peer.hpp"

using namespace mcuota;
using namespace mcuota::api;

namespace {
constexpr TimeMs kNow = 1'795'255'200'000;
}

TEST_CASE("every served address leads to its action", "[api]") {
    struct Row {
        const char* method;
        const char* target;
        Action action;
        const char* name;
        std::int64_t id;
        bool changes;
    };
    const Row rows[] = {
        {"GET", "/v1/status", Action::status, "", 0, false},
        {"GET", "/v1/devices", Action::devices, "", 0, false},
        {"GET", "/v1/devices/pump-3", Action::device, "pump-3", 0, false},
        {"GET", "/v1/devices/a%20b%2Fc", Action::device, "a b/c", 0, false},
        {"POST", "/v1/devices/pump-3/refresh", Action::refresh, "pump-3", 0, true},
        {"POST", "/v1/devices/pump-3/rollback", Action::rollback, "pump-3", 0, true},
        {"GET", "/v1/jobs", Action::jobs, "", 0, false},
        {"GET", "/v1/jobs?", Action::jobs, "", 0, false},
        {"POST", "/v1/jobs", Action::install, "", 0, true},
        {"GET", "/v1/jobs/7", Action::job, "", 7, false},
        {"POST", "/v1/jobs/7/cancel", Action::cancel, "", 7, true},
        {"POST", "/v1/jobs/7/retry", Action::retry, "", 7, true},
        {"POST", "/v1/packages", Action::upload, "", 0, true},
        {"GET", "/v1/events", Action::events, "", 0, false},
        {"GET", "/v1/events?job=12", Action::events, "", 0, false},
    };
    for (const Row& row : rows) {
        INFO(row.method << " " << row.target);
        const auto routed = route(row.method, row.target, kNow);
        REQUIRE(std::holds_alternative<Route>(routed));
        const Route& out = std::get<Route>(routed);
        CHECK(out.action == row.action);
        CHECK(out.name == row.name);
        CHECK(out.id == row.id);
        CHECK(out.changes() == row.changes);
    }
}

TEST_CASE("the filters of the job list are read", "[api]") {
    const auto routed =
        route("GET", "/v1/jobs?state=failed,succeeded&device=pump%2d3&since=2h&limit=7", kNow);
    REQUIRE(std::holds_alternative<Route>(routed));
    const JobFilter& filter = std::get<Route>(routed).filter;
    CHECK(filter.states == std::vector<std::string>{"failed", "succeeded"});
    CHECK(filter.device == "pump-3");
    CHECK(*filter.since_ms == kNow - 7'200'000);
    CHECK(filter.limit == 7);
    CHECK(std::get<Route>(route("GET", "/v1/events?job=12,13", kNow)).only ==
          std::vector<std::int64_t>{12, 13});
}

TEST_CASE("what is not served is refused with the fitting status", "[api]") {
    struct Row {
        const char* method;
        const char* target;
        int status;
        const char* code;
        const char* says;
    };
    const Row rows[] = {
        {"GET", "/", 404, "not_found", "nothing is served at /"},
        {"GET", "/v1", 404, "not_found", "nothing"},
        {"GET", "/v2/status", 404, "not_found", "nothing"},
        {"GET", "/v1/status/", 404, "not_found", "nothing"},
        {"GET", "", 404, "not_found", "nothing"},
        {"DELETE", "/v1/jobs/7", 405, "usage", "DELETE is not possible here"},
        {"POST", "/v1/status", 405, "usage", "POST"},
        {"GET", "/v1/jobs/seven", 404, "not_found", "jobs have numbers"},
        {"GET", "/v1/jobs/0", 404, "not_found", "jobs have numbers"},
        {"GET", "/v1/jobs/-1", 404, "not_found", "jobs have numbers"},
        {"GET", "/v1/jobs/99999999999999999999", 404, "not_found", "jobs have numbers"},
        {"GET", "/v1/jobs?state=done", 400, "usage", "\"done\" is not a job state"},
        {"GET", "/v1/jobs?state=", 400, "usage", "not a job state"},
        {"GET", "/v1/jobs?limit=0", 400, "usage", "limit=0"},
        {"GET", "/v1/jobs?limit=1001", 400, "usage", "limit=1001"},
        {"GET", "/v1/jobs?limit=ten", 400, "usage", "limit=ten"},
        {"GET", "/v1/jobs?since=yesterday", 400, "usage", "not a time"},
        {"GET", "/v1/jobs?colour=red", 400, "usage", "\"colour\""},
        {"GET", "/v1/status?x=1", 400, "usage", "\"x\""},
        {"GET", "/v1/devices/%zz", 400, "usage", "broken % escape"},
        {"GET", "/v1/devices/%0", 400, "usage", "broken % escape"},
        {"GET", "/v1/devices/%00", 400, "usage", "broken % escape"},
        {"GET", "/v1/jobs?device=%", 400, "usage", "broken % escape"},
        {"GET", "/v1/events?job=1,", 400, "usage", "not a job number"},
        {"GET", "/v1/events?job=x", 400, "usage", "not a job number"},
    };
    for (const Row& row : rows) {
        INFO(row.method << " " << row.target);
        const auto routed = route(row.method, row.target, kNow);
        REQUIRE(std::holds_alternative<Refusal>(routed));
        const Refusal& refusal = std::get<Refusal>(routed);
        CHECK(refusal.http_status == row.status);
        CHECK(to_string(refusal.error.code) == row.code);
        CHECK(refusal.error.what.find(row.says) != std::string::npos);
        CHECK_FALSE(refusal.error.next.empty());
    }
    CHECK(std::get<Refusal>(route("DELETE", "/v1/jobs", kNow)).allow == "GET, POST");
}

TEST_CASE("every error code has an HTTP status that is an error", "[api]") {
#define MCUOTA_ERROR(name, number, cls, exit_code, summary) \
    CHECK(http_status(ErrorCode::name) >= 400);             \
    CHECK(http_status(ErrorCode::name) < 600);
#include "mcu_flasher/base/errors.def"
#undef MCUOTA_ERROR
    CHECK(http_status(ErrorCode::signature_invalid) == 422);
    CHECK(http_status(ErrorCode::wrong_state) == 409);
    CHECK(http_status(ErrorCode::device_silent) == 503);
    CHECK(http_status(ErrorCode::disk_full) == 507);
}

TEST_CASE("percent coding gives back any name", "[api]") {
    for (const std::string& name :
         {std::string("pump-3"), std::string("a b/c?d=e&f%"), std::string("\xc3\xbc\x01")})
        CHECK(percent_decode(percent_encode(name)) == name);
    CHECK(percent_encode("a/b") == "a%2Fb");
}

TEST_CASE("rights follow account and groups", "[api]") {
    const AccessRules rules{990, 42, 43};
    struct Row {
        const char* who;
        Peer peer;
        Access access;
    };
    const Row rows[] = {
        {"root", {0, 0, {}}, Access::change},
        {"the daemon's own account", {990, 990, {}}, Access::change},
        {"a stranger", {1000, 1000, {4, 24, 27}}, Access::none},
        {"a reader by supplementary group", {1000, 1000, {4, 42}}, Access::read},
        {"a reader by primary group", {1000, 42, {}}, Access::read},
        {"an admin", {1000, 1000, {42, 43}}, Access::change},
        {"an admin by primary group alone", {1000, 43, {}}, Access::change},
        {"nobody", {65534, 65534, {65534}}, Access::none},
    };
    for (const Row& row : rows) {
        INFO(row.who);
        CHECK(access_of(row.peer, rules) == row.access);
    }
    const AccessRules no_groups{990, std::nullopt, std::nullopt};
    CHECK(access_of(Peer{1000, 42, {43}}, no_groups) == Access::none);
    CHECK(access_of(Peer{0, 42, {}}, no_groups) == Access::change);
}

TEST_CASE("groups and accounts are found by name and number", "[api]") {
    CHECK(group_id("root") == 0U);
    CHECK_FALSE(group_id("no-such-group-here"));
    CHECK(user_name(0) == "root");
    CHECK(user_name(4'000'000'000U) == "4000000000");
}

TEST_CASE("a slow listener gets the newest state of each thing, in order, within bounds", "[api]") {
    EventQueue queue(2);
    CHECK(queue.empty());
    CHECK(queue.push("job 1", "a"));
    CHECK(queue.push("job 2", "b"));
    CHECK(queue.push("job 1", "A"));
    CHECK_FALSE(queue.push("job 3", "c"));
    CHECK(queue.take_all() == "Ab");
    CHECK(queue.empty());
    CHECK(queue.push("job 3", "c"));
    CHECK(queue.take_all() == "c");
}
