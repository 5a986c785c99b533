// The flasher over real ptys and sockets, against the firmware's link server in a thread.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <catch2/catch.hpp>
#include <optional>

#include "mcu_flasher/flasher.hpp"
#include "mcu_flasher/link/image_state.hpp"
#include "mcu_loader/core/sha256.hpp"
#include "tests/unit/flasher/fd_device.hpp"

using namespace mcuota;
using namespace mcuota::flasher;
namespace asio = boost::asio;

namespace {

/// Runs one operation on a loop of its own; `cancel_when` is asked at every progress.
struct Runner {
    template <class T>
    Result<T> run(asio::awaitable<Result<T>> operation) {
        std::optional<Result<T>> out;
        loop.restart();
        asio::co_spawn(loop, keep(std::move(operation), out),
                       asio::bind_cancellation_slot(cancel.slot(), [this](std::exception_ptr thrown) {
                           CHECK_FALSE(thrown);  // The open port keeps reading.
                           loop.stop();
                       }));
        loop.run();
        REQUIRE(out);
        return std::move(*out);
    }
    template <class T>
    static asio::awaitable<void> keep(asio::awaitable<Result<T>> operation, std::optional<Result<T>>& out) {
        out.emplace(co_await std::move(operation));
    }
    asio::io_context loop{1};
    asio::cancellation_signal cancel;
};

LinkAddress uart(const std::string& path, std::uint32_t baud = 921'600) {
    LinkAddress out;
    out.path_or_host = path;
    out.baud = baud;
    return out;
}

Options quick() {
    Options out;
    out.connect_timeout_ms = 1'500;
    out.answer_timeout_ms = 200;
    out.silence_timeout_ms = 1'500;
    out.install_timeout_ms = 5'000;
    return out;
}

link::Identity some_identity() {
    link::Identity id;
    id.hardware.length = 4;
    std::copy_n("pump", 4, id.hardware.bytes.begin());
    id.running.state = 1;
    return id;
}

}  // namespace

TEST_CASE("a package goes over a pty and is installed to its outcome, twice in a row", "[flasher]") {
    sim::Pty pty;
    sim::FdDevice device{pty.master};
    device.target.identity_now = some_identity();
    device.start();
    Runner runner;
    Flasher flasher{runner.loop.get_executor(), uart(pty.path), quick()};
    const auto identity = runner.run(flasher.identify());
    REQUIRE(identity);
    CHECK(identity->hardware.view() == "pump");
    const sim::Bytes envelope = sim::random_bytes(120'000, 1);
    Progress last;
    bool sending_seen = false;
    const auto watch = [&](const Progress& progress) {
        last = progress;
        sending_seen = sending_seen || progress.phase == Progress::Phase::sending;
    };
    REQUIRE(runner.run(flasher.send(envelope, watch)));
    CHECK(sending_seen);
    CHECK(last.bytes == envelope.size());
    CHECK(last.phase == Progress::Phase::checking);
    flasher.close();
    device.stop();
    CHECK(device.target.stored == envelope);
    device.target.outcomes = {{Status::unknown_token, link::Step::check, 0, {}},
                              {Status::in_progress, link::Step::trial, 0, {}},
                              {Status::ok, link::Step::trial, 100, {}}};
    device.target.token = 77;
    device.start();
    const auto report = runner.run(flasher.install(77, watch));
    REQUIRE(report);
    CHECK(report->status == Status::ok);
    CHECK(report->identity.running.state == 1);
    CHECK(last.phase == Progress::Phase::trial);
    // After a crash of the gateway the same token is only followed.
    const auto again = runner.run(flasher.install(77, {}));
    REQUIRE(again);
    flasher.close();
    device.stop();
    CHECK(device.target.calls["install"] == 1);
    CHECK(device.target.calls["reset"] == 1);
}

TEST_CASE("a trial is followed to its end before anything new is begun", "[flasher]") {
    sim::Pty pty;
    sim::FdDevice device{pty.master};
    device.target.identity_now = some_identity();
    Runner runner;
    Options options = quick();
    options.install_timeout_ms = 300;
    Flasher flasher{runner.loop.get_executor(), uart(pty.path), options};
    // Nothing is on trial: nothing is asked.
    REQUIRE(runner.run(flasher.after_trial(some_identity(), {})));
    CHECK(device.target.calls["outcome"] == 0);

    device.target.identity_now.running.state = kImageOnTrial;
    device.target.identity_now.last_token = device.target.token = 9;
    device.target.outcomes = {{Status::in_progress, link::Step::trial, 0, {}}};
    device.start();
    const auto on_trial = runner.run(flasher.identify());
    REQUIRE(on_trial);
    const auto busy = runner.run(flasher.after_trial(*on_trial, {}));
    REQUIRE_FALSE(busy);
    CHECK(busy.error().code == ErrorCode::device_busy);
    flasher.close();
    device.stop();

    device.target.outcomes = {{Status::in_progress, link::Step::trial, 0, {}},
                              {Status::trial_not_confirmed, link::Step::trial, 100, {}}};
    device.after_poll = [&target = device.target] {
        if (target.outcomes.size() == 1) target.identity_now = some_identity();
        return true;
    };
    device.start();
    options.install_timeout_ms = 5'000;
    Flasher patient{runner.loop.get_executor(), uart(pty.path), options};
    bool trial_seen = false;
    const auto after = runner.run(patient.after_trial(*on_trial, [&](const Progress& progress) {
        trial_seen = trial_seen || progress.phase == Progress::Phase::trial;
    }));
    REQUIRE(after);
    CHECK(after->running.state == kImageConfirmed);
    CHECK(trial_seen);
    patient.close();
    device.stop();
}

TEST_CASE("every other request reaches the device", "[flasher]") {
    sim::Pty pty;
    sim::FdDevice device{pty.master};
    device.start();
    Runner runner;
    Flasher flasher{runner.loop.get_executor(), uart(pty.path, 115'200), quick()};
    CHECK(runner.run(flasher.confirm()));
    const auto lines = runner.run(flasher.log());
    REQUIRE(lines);
    CHECK(lines->front() == "1 installed");
    const auto unknown = runner.run(flasher.follow(5, {}));
    REQUIRE(unknown);
    CHECK(unknown->status == Status::unknown_token);
    const sim::Bytes record = sim::random_bytes(149, 5);
    const auto generation = runner.run(flasher.rotate(record));
    REQUIRE(generation);
    CHECK(*generation == 1);
    CHECK(runner.run(flasher.reboot(true)));
    CHECK(runner.run(flasher.identify()));
    flasher.close();
    device.stop();
    CHECK(device.target.stayed);
    CHECK(device.target.rotation == record);
    CHECK(device.target.calls["reset"] == 1);
}

TEST_CASE("a device's refusal comes out with its code, its status and a next step", "[flasher]") {
    sim::Pty pty;
    sim::FdDevice device{pty.master};
    device.target.refusals["finish"] = Status::signature_invalid;
    device.target.refusals["confirm"] = Status::wrong_state;
    device.start();
    Runner runner;
    Flasher flasher{runner.loop.get_executor(), uart(pty.path), quick()};
    const auto sent = runner.run(flasher.send(sim::random_bytes(5'000, 1), {}));
    REQUIRE_FALSE(sent);
    CHECK(sent.error().code == ErrorCode::signature_invalid);
    CHECK(sent.error().device_status == static_cast<std::uint16_t>(Status::signature_invalid));
    CHECK_FALSE(sent.error().next.empty());
    const auto confirmed = runner.run(flasher.confirm());
    REQUIRE_FALSE(confirmed);
    CHECK(confirmed.error().code == ErrorCode::wrong_state);
}

TEST_CASE("a cancelled send stops at once and the next one goes on where it stood", "[flasher]") {
    sim::Pty pty;
    sim::FdDevice device{pty.master};
    device.start();
    Runner runner;
    Flasher flasher{runner.loop.get_executor(), uart(pty.path), quick()};
    const sim::Bytes envelope = sim::random_bytes(200'000, 1);
    const auto stopped = runner.run(flasher.send(envelope, [&](const Progress& progress) {
        if (progress.bytes > 60'000) runner.cancel.emit(asio::cancellation_type::terminal);
    }));
    REQUIRE_FALSE(stopped);
    CHECK(stopped.error().code == ErrorCode::cancelled);
    Runner second;
    Flasher later{second.loop.get_executor(), uart(pty.path), quick()};
    flasher.close();
    std::uint64_t resumed = 0;
    REQUIRE(
        second.run(later.send(envelope, [&](const Progress& progress) { resumed = progress.resumed_from; })));
    CHECK(resumed >= 50'000);
    later.close();
    device.stop();
    CHECK(device.target.stored == envelope);
}

TEST_CASE("a port that vanishes in the middle is link_lost at once", "[flasher]") {
    sim::Pty pty;
    sim::FdDevice device{pty.master};
    device.start();
    Runner runner;
    Flasher flasher{runner.loop.get_executor(), uart(pty.path), quick()};
    bool cut = false;
    const auto begin = std::chrono::steady_clock::now();
    const auto sent = runner.run(flasher.send(sim::random_bytes(500'000, 1), [&](const Progress& progress) {
        if (cut || progress.bytes < 50'000) return;
        cut = true;
        device.stop();
        device.hang_up();
    }));
    REQUIRE_FALSE(sent);
    CHECK(sent.error().code == ErrorCode::link_lost);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds{5});
    CHECK(runner.run(flasher.identify()).error().code == ErrorCode::link_open_failed);
}

TEST_CASE("a silent device is given up in time, and closing its stuck port does not block", "[flasher]") {
    sim::Pty pty;  // nobody reads it
    Runner runner;
    Options options = quick();
    options.connect_timeout_ms = 600;
    Flasher flasher{runner.loop.get_executor(), uart(pty.path, 115'200), options};
    const auto begin = std::chrono::steady_clock::now();
    const auto identity = runner.run(flasher.identify());
    REQUIRE_FALSE(identity);
    CHECK(identity.error().code == ErrorCode::device_silent);
    flasher.close();
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds{3});
    (void)::close(pty.master);
}

TEST_CASE("a device that prints text is garbled, not silent", "[flasher]") {
    sim::Pty pty;
    std::atomic<bool> running{true};
    std::thread chatter{[&] {
        while (running) {
            (void)!::write(pty.master, "boot: hello\r\n", 13);
            (void)::poll(nullptr, 0, 20);
        }
    }};
    Runner runner;
    Options options = quick();
    options.connect_timeout_ms = 600;
    Flasher flasher{runner.loop.get_executor(), uart(pty.path, 115'200), options};
    const auto identity = runner.run(flasher.identify());
    running = false;
    chatter.join();
    (void)::close(pty.master);
    REQUIRE_FALSE(identity);
    CHECK(identity.error().code == ErrorCode::device_garbled);
}

TEST_CASE("a port in use, a missing one and one that is no port cannot be opened, each with what helps",
          "[flasher]") {
    sim::Pty pty;
    sim::FdDevice device{pty.master};
    device.start();
    Runner runner;
    Flasher first{runner.loop.get_executor(), uart(pty.path), quick()};
    REQUIRE(runner.run(first.identify()));
    for (const std::string& path :
         {pty.path, std::string{"/dev/mcuota-no-such-port"}, std::string{"/dev/null"}}) {
        Flasher second{runner.loop.get_executor(), uart(path), quick()};
        const auto identity = runner.run(second.identify());
        REQUIRE_FALSE(identity);
        CHECK(identity.error().code == ErrorCode::link_open_failed);
        CHECK_FALSE(identity.error().next.empty());
    }
    first.close();
    Flasher third{runner.loop.get_executor(), uart(pty.path), quick()};
    CHECK(runner.run(third.identify()));
}

TEST_CASE("a device behind TCP is reached like one behind a port", "[flasher]") {
    asio::io_context server;
    asio::ip::tcp::acceptor acceptor{server, {asio::ip::address_v4::loopback(), 0}};
    LinkAddress address;
    address.kind = LinkAddress::Kind::tcp;
    address.path_or_host = "127.0.0.1";
    address.port = acceptor.local_endpoint().port();
    Runner runner;
    Flasher flasher{runner.loop.get_executor(), address, quick()};
    std::unique_ptr<sim::FdDevice> device;
    std::thread accepting{[&] {
        auto socket = acceptor.accept();
        device = std::make_unique<sim::FdDevice>(socket.release());
        device->start();
    }};
    const sim::Bytes envelope = sim::random_bytes(300'000, 1);
    const auto sent = runner.run(flasher.send(envelope, {}));
    accepting.join();
    REQUIRE(sent);
    device->stop();
    CHECK(device->target.stored == envelope);
    device->hang_up();
    acceptor.close();
    CHECK(runner.run(flasher.identify()).error().code == ErrorCode::link_lost);
    CHECK(runner.run(flasher.identify()).error().code == ErrorCode::link_open_failed);
}
