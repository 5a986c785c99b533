// The door to a device: moves bytes between a transport and the machines of mcu_flasher/link, and puts their
// conversations together into whole operations.
#include "mcu_flasher/flasher.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <chrono>
#include <random>

#include "mcu_flasher/link/connect.hpp"
#include "mcu_flasher/link/device_error.hpp"
#include "mcu_flasher/link/follow.hpp"
#include "mcu_flasher/link/image_state.hpp"
#include "mcu_flasher/link/transfer.hpp"
#include "mcu_flasher/self_test_text.hpp"
#include "mcu_flasher/transport/transport.hpp"
#include "mcu_loader/core/sha256.hpp"

namespace mcuota::flasher {

namespace asio = boost::asio;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr Micros kSessionFresh = 2'000 * kMicrosPerMs;  // devices leave an idle speed after 5 s
constexpr int kTriesPerRequest = 3;
constexpr int kLostSessionsMax = 5;  // without a byte more acknowledged
constexpr int kInstallRequestsMax = 3;
constexpr int kLogPagesMax = 64;
/// A step erases and writes at most one unit, or 128 KiB: seconds, also where flash is at its slowest.
constexpr Patience kSelfTestPatience{5'000, 5'000, 60'000};

Micros now() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<Micros>(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

std::uint32_t random_u32() {
    thread_local std::random_device device;
    return device();
}

std::vector<std::uint8_t> token_body(std::uint64_t token) {
    std::vector<std::uint8_t> body(8);
    (void)link::encode_u64(token, body);
    return body;
}

Error cancelled_error() {
    return {ErrorCode::cancelled, "cancelled",
            "run it again to go on: what the device holds already is not sent twice"};
}

/// Runs a whole operation: cancellation and whatever a library throws come out as errors.
template <class T>
asio::awaitable<Result<T>> guarded(asio::awaitable<Result<T>> operation) {
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    Result<T> result = Error{ErrorCode::internal, "the operation ended without a result", "report this"};
    try {
        result = co_await std::move(operation);
    } catch (const std::exception& error) {
        result = Error{ErrorCode::internal, std::string("a library failed: ") + error.what(), "report this"};
    }
    const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    const bool cancelled = state.cancelled() != asio::cancellation_type::none;
    if (cancelled && !result) result = cancelled_error();
    co_await asio::this_coro::throw_if_cancelled(throwing);
    co_return result;
}

/// Whether a new session may find what did not answer: a device that went back to the base speed while this
/// process was kept from the line hears nothing of what is sent at the other one.
bool may_be_there(const Failure& failure) {
    return failure.kind == Failure::Kind::session_lost || failure.kind == Failure::Kind::silent ||
           failure.kind == Failure::Kind::garbled;
}

/// After these a device restarts: whether they were heard is asked otherwise.
bool may_be_repeated(link::Type type) {
    return type != link::Type::install && type != link::Type::rollback && type != link::Type::reboot;
}

/// The sequence number a journal line begins with.
std::optional<std::uint32_t> line_number(std::string_view line) {
    const std::size_t begin = line.find_first_of("0123456789");
    if (begin == std::string_view::npos) return std::nullopt;
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(line.data() + begin, line.data() + line.size(), number);
    if (error != std::errc{} || number == ~0U) return std::nullopt;
    return number;
}

std::vector<std::string> lines_of(std::span<const std::uint8_t> text) {
    std::vector<std::string> lines;
    std::string line;
    for (const std::uint8_t byte : text) {
        if (byte == '\n') {
            lines.push_back(std::exchange(line, {}));
        } else {
            line += byte >= 0x20 && byte <= 0x7E ? static_cast<char>(byte) : '?';
        }
    }
    if (!line.empty()) lines.push_back(std::move(line));
    return lines;
}

}  // namespace

struct Flasher::Impl {
    Impl(asio::any_io_executor ex, LinkAddress where, Options o)
        : executor(ex),
          address(std::move(where)),
          options(o),
          channel(address.address, address.kind == LinkAddress::Kind::tcp ? 0 : kBaseBaud),
          wake(executor) {}

    asio::awaitable<Result<void>> open() {
        if (transport && !transport->failure()) co_return Result<void>{};
        close();
        const bool tcp = address.kind == LinkAddress::Kind::tcp;
        channel = Channel{address.address, tcp ? 0 : kBaseBaud};
        if (tcp) {
            auto opened =
                co_await open_tcp(executor, address.path_or_host, address.port, options.connect_timeout_ms);
            if (!opened) co_return std::move(opened).error();
            transport = std::move(opened).value();
        } else {
            auto opened = open_serial(executor, address.path_or_host, kBaseBaud);
            if (!opened) co_return std::move(opened).error();
            transport = std::move(opened).value();
        }
        transport->start([this] { wake.cancel(); });
        co_return Result<void>{};
    }

    void close() {
        if (transport) transport->close();
        transport.reset();
        channel.drop_session();
    }

    /// Drives one conversation to its end. Errors: cancelled, link_lost. How the conversation itself ended,
    /// the machine knows.
    template <class Step>
    asio::awaitable<Result<void>> drive(Machine& machine, Step on_step) {
        machine.start(channel, now());
        while (true) {
            if (const auto baud = channel.take_baud())
                if (auto set = transport->set_baud(*baud); !set) co_return lose(std::move(set).error());
            if (const auto bytes = channel.take_bytes(); !bytes.empty()) transport->write(bytes);
            on_step();
            if (machine.done()) co_return Result<void>{};
            if (transport->failure()) co_return lose(*transport->failure());
            auto inbox = transport->take();
            if (inbox.empty()) {
                co_await sleep_until(machine.deadline());
                const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
                if (state.cancelled() != asio::cancellation_type::none) {
                    channel.drop_session();
                    co_return cancelled_error();
                }
                inbox = transport->take();
            }
            const std::uint64_t frames = channel.frames_heard();
            const Micros moment = now();
            advance(machine, channel, inbox, moment);
            if (channel.frames_heard() != frames) heard_at = moment;
        }
    }

    asio::awaitable<void> sleep_until(Micros deadline) {
        const Micros moment = now();
        constexpr Micros kLongest = 1'000 * kMicrosPerMs;  // cancellation and a lost line wake earlier
        const Micros wait = deadline > moment ? std::min(deadline - moment, kLongest) : 0;
        wake.expires_after(std::chrono::microseconds{wait});
        co_await wake.async_wait(kTuple);
    }

    Error lose(Error error) {
        close();
        return error;
    }

    asio::awaitable<Result<void>> connect(bool stay_in_loader) {
        if (auto opened = co_await open(); !opened) co_return std::move(opened).error();
        ConnectMachine machine{{address.baud, options.connect_timeout_ms, random_u32(), stay_in_loader}};
        if (auto driven = co_await drive(machine, [] {}); !driven) co_return std::move(driven).error();
        if (machine.failure()) co_return error_from_failure(*machine.failure(), "opening a session", name());
        co_return Result<void>{};
    }

    /// A session that is open and was heard of a moment ago, or a new one.
    asio::awaitable<Result<void>> ready() {
        const bool fresh = transport && !transport->failure() && channel.session().number != 0 &&
                           now() - heard_at < kSessionFresh;
        if (fresh) co_return Result<void>{};
        co_return co_await connect(options.stay_in_loader);
    }

    /// One request; opens a session first, and again when the device lost it.
    asio::awaitable<Result<std::vector<std::uint8_t>>> request(link::Type type,
                                                               std::vector<std::uint8_t> body,
                                                               std::string_view doing) {
        const std::uint32_t first = options.answer_timeout_ms;
        for (int attempt = 1;; ++attempt) {
            if (auto open_session = co_await ready(); !open_session)
                co_return std::move(open_session).error();
            AskMachine machine{type, body, Patience{first, 4 * first, options.silence_timeout_ms}};
            if (auto driven = co_await drive(machine, [] {}); !driven) co_return std::move(driven).error();
            if (!machine.failure())
                co_return std::vector<std::uint8_t>(machine.answer().begin(), machine.answer().end());
            channel.drop_session();
            const bool lost = machine.failure()->kind == Failure::Kind::session_lost;
            const bool again =
                lost ? attempt < kTriesPerRequest
                     : may_be_repeated(type) && may_be_there(*machine.failure()) && attempt == 1;
            if (!again) co_return error_from_failure(*machine.failure(), doing, name());
        }
    }

    asio::awaitable<Result<Identity>> identify();
    asio::awaitable<Result<Identity>> after_trial(Identity identity, ProgressFn progress);
    asio::awaitable<Result<void>> send(std::span<const std::uint8_t> envelope, ProgressFn progress);
    asio::awaitable<Result<InstallReport>> follow(std::uint64_t token, ProgressFn progress);
    asio::awaitable<Result<InstallReport>> start_and_follow(link::Type type, std::uint64_t token,
                                                            ProgressFn progress, std::string_view doing);
    asio::awaitable<Result<link::Outcome>> outcome(std::uint64_t token);
    asio::awaitable<Result<void>> command(link::Type type, std::vector<std::uint8_t> body,
                                          std::string_view doing);
    asio::awaitable<Result<std::uint16_t>> rotate(std::vector<std::uint8_t> record);
    asio::awaitable<Result<link::SelfTestReport>> self_test(
        std::uint32_t seed, std::uint32_t bytes, std::function<void(const link::SelfTestReport&)> each);
    asio::awaitable<Result<void>> reboot(bool stay_in_loader);
    asio::awaitable<Result<std::vector<std::string>>> log();

    [[nodiscard]] std::string name() const { return to_string(address); }

    asio::any_io_executor executor;
    LinkAddress address;
    Options options;
    Channel channel;
    asio::steady_timer wake;
    std::unique_ptr<Transport> transport;
    Micros heard_at{0};
};

asio::awaitable<Result<void>> Flasher::Impl::send(std::span<const std::uint8_t> envelope,
                                                  ProgressFn progress) {
    if (envelope.size() < link::kEnvelopeHeadBytes)
        co_return Error{ErrorCode::package_malformed, "the envelope is too short to be one",
                        "make the package anew"};
    Progress told;
    told.bytes_total = envelope.size();
    const auto tell = [&](Progress::Phase phase) {
        told.phase = phase;
        if (progress) progress(told);
    };
    const Sha256Digest package_id = sha256(envelope);
    std::uint64_t best = 0;
    std::uint64_t resent_before = 0;
    int lost_sessions = 0;
    while (true) {
        tell(Progress::Phase::connecting);
        if (auto open_session = co_await ready(); !open_session) co_return std::move(open_session).error();
        TransferOptions limits;
        limits.answer_timeout_ms = options.answer_timeout_ms;
        limits.patience_ms = options.silence_timeout_ms;
        TransferMachine machine{envelope, package_id, limits};
        bool first = true;
        auto driven = co_await drive(machine, [&] {
            const TransferStats& stats = machine.stats();
            if (machine.stage() == TransferMachine::Stage::offering) return tell(Progress::Phase::preparing);
            if (std::exchange(first, false)) told.resumed_from = stats.resumed_from;
            told.bytes = stats.bytes_acknowledged;
            told.frames_resent = resent_before + stats.frames_resent;
            const bool sending = machine.stage() == TransferMachine::Stage::sending;
            tell(sending ? Progress::Phase::sending : Progress::Phase::checking);
        });
        if (!driven) co_return std::move(driven).error();
        if (!machine.failure()) co_return Result<void>{};
        channel.drop_session();
        resent_before += machine.stats().frames_resent;
        if (!may_be_there(*machine.failure()))
            co_return error_from_failure(*machine.failure(), "sending the package", name());
        // Each new session goes on where the device stands; without any headway that has an end.
        if (machine.stats().bytes_acknowledged > best) lost_sessions = 0;
        best = std::max(best, machine.stats().bytes_acknowledged);
        if (++lost_sessions >= kLostSessionsMax)
            co_return error_from_failure(*machine.failure(), "sending the package", name());
    }
}

asio::awaitable<Result<link::Outcome>> Flasher::Impl::outcome(std::uint64_t token) {
    auto answer = co_await request(link::Type::outcome, token_body(token), "asking for the outcome");
    if (!answer) co_return std::move(answer).error();
    link::Outcome out;
    if (!link::decode(*answer, out))
        co_return error_from_failure({Failure::Kind::nonsense}, "asking for the outcome", name());
    co_return out;
}

asio::awaitable<Result<InstallReport>> Flasher::Impl::follow(std::uint64_t token, ProgressFn progress) {
    if (auto opened = co_await open(); !opened) co_return std::move(opened).error();
    FollowMachine machine{token, {options.install_timeout_ms, random_u32()}};
    Progress told;
    told.phase = Progress::Phase::installing;
    auto driven = co_await drive(machine, [&] {
        told.step = machine.step();
        told.phase = told.step == link::Step::trial ? Progress::Phase::trial : Progress::Phase::installing;
        told.bytes = machine.percent();
        told.bytes_total = 100;
        if (progress) progress(told);
    });
    if (!driven) co_return std::move(driven).error();
    if (machine.failure()) {
        channel.drop_session();
        co_return error_from_failure(*machine.failure(), "following the installation", name());
    }
    co_return InstallReport{machine.outcome().status, machine.identity()};
}

asio::awaitable<Result<InstallReport>> Flasher::Impl::start_and_follow(link::Type type, std::uint64_t token,
                                                                       ProgressFn progress,
                                                                       std::string_view doing) {
    // A token the device knows was accepted before: then there is only something to follow.
    auto known = co_await outcome(token);
    if (!known) co_return std::move(known).error();
    if (known->status != Status::unknown_token) co_return co_await follow(token, progress);
    for (int attempt = 1;; ++attempt) {
        auto accepted = co_await request(type, token_body(token), doing);
        // Without an answer it may have been accepted all the same: the device itself knows.
        const bool unheard = !accepted && (accepted.error().code == ErrorCode::device_silent ||
                                           accepted.error().code == ErrorCode::device_garbled);
        const bool under_way =
            !accepted && accepted.error().device_status == static_cast<std::uint16_t>(Status::in_progress);
        if (!accepted && !unheard && !under_way) co_return std::move(accepted).error();
        channel.drop_session();
        auto report = co_await follow(token, progress);
        const bool never_heard_of_it = report && report->status == Status::unknown_token;
        if (!never_heard_of_it || attempt >= kInstallRequestsMax) co_return report;
    }
}

asio::awaitable<Result<Identity>> Flasher::Impl::identify() {
    auto answer = co_await request(link::Type::identify, {}, "asking who it is");
    if (!answer) co_return std::move(answer).error();
    Identity out;
    if (!link::decode(*answer, out))
        co_return error_from_failure({Failure::Kind::nonsense}, "asking who it is", name());
    co_return out;
}

asio::awaitable<Result<Identity>> Flasher::Impl::after_trial(Identity identity, ProgressFn progress) {
    if (identity.running.state != kImageOnTrial) co_return identity;
    auto report = co_await follow(identity.last_token, std::move(progress));
    const bool unproven = !report && report.error().code == ErrorCode::install_unproven;
    if (!report && !unproven) co_return std::move(report).error();
    if (unproven || report->identity.running.state == kImageOnTrial)
        co_return Error{ErrorCode::device_busy,
                        "the device on " + name() + " still tries " +
                            std::string(identity.running.version.view()) +
                            " and takes nothing else meanwhile",
                        "try again when its trial has ended; mcuota-flash info shows it"};
    co_return report->identity;
}

asio::awaitable<Result<void>> Flasher::Impl::command(link::Type type, std::vector<std::uint8_t> body,
                                                     std::string_view doing) {
    auto answer = co_await request(type, std::move(body), doing);
    if (!answer) co_return std::move(answer).error();
    co_return Result<void>{};
}

asio::awaitable<Result<std::uint16_t>> Flasher::Impl::rotate(std::vector<std::uint8_t> record) {
    auto answer = co_await request(link::Type::rotate, std::move(record), "rotating the keys");
    if (!answer) co_return std::move(answer).error();
    std::uint16_t generation = 0;
    if (!link::decode_u16(*answer, generation))
        co_return error_from_failure({Failure::Kind::nonsense}, "rotating the keys", name());
    co_return generation;
}

asio::awaitable<Result<link::SelfTestReport>> Flasher::Impl::self_test(
    std::uint32_t seed, std::uint32_t bytes, std::function<void(const link::SelfTestReport&)> each) {
    if (auto open_session = co_await ready(); !open_session) co_return std::move(open_session).error();
    link::SelfTestReport report;
    for (std::uint32_t step = 0;; ++step) {
        std::vector<std::uint8_t> body(16);
        (void)link::encode(link::SelfTestRequest{step, seed, bytes}, body);
        // One session for all steps: a device that lost it has started again, and knows nothing of the test.
        AskMachine machine{link::Type::self_test, std::move(body), kSelfTestPatience};
        if (auto driven = co_await drive(machine, [] {}); !driven) co_return std::move(driven).error();
        if (machine.failure()) {
            channel.drop_session();
            std::string doing = "the self test";
            if (step != 0) {
                doing += ", " + std::string(check_text(report.check));
                if (report.region != link::kSelfTestNoRegion)
                    doing += " (" + std::string(region_name(report.region)) + ")";
            }
            co_return error_from_failure(*machine.failure(), doing, name());
        }
        if (!link::decode(machine.answer(), report))
            co_return error_from_failure({Failure::Kind::nonsense}, "the self test", name());
        if (each) each(report);
        if (report.state != link::SelfTestReport::State::goes_on) co_return report;
    }
}

asio::awaitable<Result<void>> Flasher::Impl::reboot(bool stay_in_loader) {
    std::vector<std::uint8_t> body(1, stay_in_loader ? 1 : 0);
    auto done = co_await command(link::Type::reboot, std::move(body), "restarting the device");
    channel.drop_session();
    channel.set_baud(kBaseBaud);  // where it starts
    co_return done;
}

asio::awaitable<Result<std::vector<std::string>>> Flasher::Impl::log() {
    std::vector<std::string> out;
    std::uint32_t first = 0;
    for (int page = 0; page < kLogPagesMax; ++page) {
        std::vector<std::uint8_t> body(4);
        (void)link::encode_u32(first, body);
        auto answer = co_await request(link::Type::log, std::move(body), "reading the log");
        if (!answer) co_return std::move(answer).error();
        const std::vector<std::string> lines = lines_of(*answer);
        if (lines.empty()) break;
        out.insert(out.end(), lines.begin(), lines.end());
        const std::optional<std::uint32_t> last = line_number(lines.back());
        if (!last || *last < first) break;
        first = *last + 1;
    }
    co_return out;
}

Flasher::Flasher(asio::any_io_executor executor, LinkAddress address, Options options)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(address), options)) {}
Flasher::~Flasher() {
    if (impl_) impl_->close();
}
Flasher::Flasher(Flasher&&) noexcept = default;
Flasher& Flasher::operator=(Flasher&&) noexcept = default;

void Flasher::close() {
    impl_->close();
}

asio::awaitable<Result<Identity>> Flasher::identify() {
    return guarded(impl_->identify());
}
asio::awaitable<Result<Identity>> Flasher::after_trial(Identity identity, ProgressFn progress) {
    return guarded(impl_->after_trial(std::move(identity), std::move(progress)));
}
asio::awaitable<Result<void>> Flasher::send(std::span<const std::uint8_t> envelope, ProgressFn progress) {
    return guarded(impl_->send(envelope, std::move(progress)));
}
asio::awaitable<Result<InstallReport>> Flasher::install(std::uint64_t token, ProgressFn progress) {
    return guarded(impl_->start_and_follow(link::Type::install, token, std::move(progress), "installing"));
}
asio::awaitable<Result<InstallReport>> Flasher::follow(std::uint64_t token, ProgressFn progress) {
    return guarded(impl_->follow(token, std::move(progress)));
}
asio::awaitable<Result<void>> Flasher::confirm() {
    return guarded(impl_->command(link::Type::confirm, {}, "confirming the image"));
}
asio::awaitable<Result<InstallReport>> Flasher::rollback(std::uint64_t token, ProgressFn progress) {
    return guarded(impl_->start_and_follow(link::Type::rollback, token, std::move(progress), "going back"));
}
asio::awaitable<Result<std::uint16_t>> Flasher::rotate(std::span<const std::uint8_t> record) {
    return guarded(impl_->rotate({record.begin(), record.end()}));
}
asio::awaitable<Result<link::SelfTestReport>> Flasher::self_test(
    std::uint32_t seed, std::uint32_t bytes, std::function<void(const link::SelfTestReport&)> each) {
    return guarded(impl_->self_test(seed, bytes, std::move(each)));
}
asio::awaitable<Result<void>> Flasher::reboot(bool stay_in_loader) {
    return guarded(impl_->reboot(stay_in_loader));
}
asio::awaitable<Result<std::vector<std::string>>> Flasher::log() {
    return guarded(impl_->log());
}

}  // namespace mcuota::flasher
