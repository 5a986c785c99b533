// HTTP/1.1 on the Unix socket with Boost.Beast, in this one translation unit because it is costly to compile.
// Decides nothing about jobs: it frames requests, guards limits and rights, and streams uploads and events.
// Arguments of awaited calls are named first: GCC 12 destroys some temporaries in co_await expressions twice.
#include "daemon/api/server.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <exception>
#include <list>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/api/connection.hpp"
#include "daemon/api/event_text.hpp"
#include "daemon/api/handlers.hpp"
#include "daemon/api/peer.hpp"
#include "daemon/api/refusals.hpp"
#include "daemon/api/routes.hpp"
#include "daemon/api/socket_file.hpp"
#include "daemon/api/upload.hpp"
#include "mcu_flasher/base/quietly.hpp"

namespace mcuota::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Acceptor = asio::basic_socket_acceptor<Protocol, asio::any_io_executor>;
using Head = http::request_parser<http::empty_body>;
using asio::awaitable;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kUploadChunkBytes = 64U << 10;
constexpr std::size_t kDrainBytesMax = 4U << 20;
constexpr std::chrono::milliseconds kDrainTime{1'000};
constexpr std::chrono::milliseconds kAcceptPause{200};

TimeMs now_ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

/// Why a request whose header could not be read is refused; nothing when the client simply left or fell
/// silent.
std::optional<Reply> refusal_of(const error_code& problem, const ServerOptions& options) {
    if (problem == http::error::header_limit || problem == http::error::buffer_overflow) {
        Refusal refusal = too_large("the request's header is larger than " +
                                    std::to_string(options.header_bytes_max) + " bytes");
        refusal.http_status = 431;
        return reply_for(refusal);
    }
    if (!problem || problem.category() != make_error_code(http::error::bad_method).category() ||
        problem == http::error::end_of_stream || problem == http::error::partial_message)
        return std::nullopt;
    return reply_for(Error{ErrorCode::usage, "this is not HTTP: " + problem.message(),
                           "docs/openapi.yaml shows how to ask", 0});
}

/// Runs `work` on a thread of the pool and comes back with its value.
template <class Work>
awaitable<std::invoke_result_t<Work>> on_pool(asio::thread_pool& pool, Work work) {
    auto value = std::make_shared<std::optional<std::invoke_result_t<Work>>>();
    auto task = [work = std::move(work), value]() mutable -> awaitable<void> {
        value->emplace(work());
        co_return;
    };
    co_await asio::co_spawn(pool.get_executor(), std::move(task), asio::use_awaitable);
    co_return std::move(**value);
}

}  // namespace

struct Server::Core : std::enable_shared_from_this<Server::Core> {
    Core(asio::any_io_executor executor, asio::thread_pool& its_pool, Backend& its_backend,
         ServerOptions its_options)
        : acceptor(executor), pool(its_pool), backend(its_backend), options(std::move(its_options)) {}

    Acceptor acceptor;
    asio::thread_pool& pool;
    Backend& backend;
    ServerOptions options;
    std::optional<SocketFile> file;
    AccessRules rules;
    std::list<ConnectionPtr> connections;
    std::size_t uploads{0};
    std::size_t listeners{0};
    std::optional<std::uint64_t> subscription;
    bool stopping{false};

    Result<void> start();
    void stop();
    awaitable<void> accept_all();
    void admit(Stream stream);
    bool make_room();
    void forget(const ConnectionPtr& connection);
    awaitable<void> serve(ConnectionPtr connection);
    awaitable<bool> serve_one(ConnectionPtr connection);
    awaitable<bool> serve_plain(ConnectionPtr connection, Head& head, Route route);
    awaitable<Reply> receive_package(ConnectionPtr connection, Head& head);
    awaitable<Reply> store_package(ConnectionPtr connection, Head& head);
    awaitable<void> stream_events(ConnectionPtr connection, Route route);
    awaitable<Caller> caller_of(const ConnectionPtr& connection);
    awaitable<bool> send(ConnectionPtr connection, Reply reply, bool keep_alive);
    awaitable<void> refuse(ConnectionPtr connection, Reply reply);
    void on_event(const Event& event);
    std::optional<Reply> first_events(Connection& connection);
    void stop_listening(Connection& connection);
};

Result<void> Server::Core::start() {
    const auto group = group_id(options.read_group);
    auto listening = SocketFile::listen(options.socket, group);
    if (!listening) return std::move(listening).error();
    file = std::move(*listening);
    rules = AccessRules{::geteuid(), group, group_id(options.admin_group)};
    Upload::remove_leftovers(backend.upload_dir());
    error_code problem;
    acceptor.assign(Protocol{}, file->release_descriptor(), problem);
    if (problem)
        return Error{ErrorCode::internal, "cannot watch the API's socket: " + problem.message(),
                     "report this", 0};
    asio::co_spawn(
        acceptor.get_executor(),
        [self = shared_from_this()]() -> awaitable<void> { co_await self->accept_all(); }, asio::detached);
    return {};
}

void Server::Core::stop() {
    if (stopping) return;
    stopping = true;
    error_code ignored;
    acceptor.close(ignored);
    if (file) file->remove();
    for (const ConnectionPtr& connection : connections)
        connection->close();
    if (subscription) backend.unsubscribe(*subscription);
    subscription.reset();
}

awaitable<void> Server::Core::accept_all() {
    while (!stopping) {
        auto [problem, socket] = co_await acceptor.async_accept(kToken);
        if (stopping || problem == asio::error::operation_aborted) co_return;
        if (problem) {
            // Out of descriptors or memory: the client waits in the queue, the daemon must not spin.
            asio::steady_timer pause(acceptor.get_executor(), kAcceptPause);
            co_await pause.async_wait(kToken);
            continue;
        }
        admit(Stream(std::move(socket)));
    }
}

void Server::Core::admit(Stream stream) {
    if (connections.size() >= options.connections_max && !make_room()) return;  // closed by its destructor
    auto connection = std::make_shared<Connection>(std::move(stream), options.header_bytes_max + 4096);
    if (auto peer = peer_of(connection->stream.socket().native_handle())) {
        connection->peer = std::move(*peer);
        connection->access = access_of(connection->peer, rules);
    }
    connections.push_back(connection);
    asio::co_spawn(
        acceptor.get_executor(),
        [self = shared_from_this(), connection]() -> awaitable<void> {
            try {
                co_await self->serve(connection);
            } catch (const std::exception&) {
                // Out of memory at worst: this client is dropped, the others are served.
            }
            self->forget(connection);
        },
        asio::detached);
}

/// Closes the connection that has been waiting for its next request the longest.
bool Server::Core::make_room() {
    Connection* oldest = nullptr;
    for (const ConnectionPtr& connection : connections)
        if (connection->between_requests && !connection->closed &&
            (oldest == nullptr || connection->since < oldest->since))
            oldest = connection.get();
    if (oldest == nullptr) return false;
    oldest->close();
    return true;
}

void Server::Core::forget(const ConnectionPtr& connection) {
    stop_listening(*connection);
    connection->close();
    connections.remove(connection);
}

awaitable<void> Server::Core::serve(ConnectionPtr connection) {
    while (!stopping && !connection->closed) {
        connection->between_requests = true;
        connection->since = std::chrono::steady_clock::now();
        if (connection->buffer.size() == 0) {
            connection->stream.expires_after(std::chrono::milliseconds(options.idle_timeout_ms));
            const auto [problem, bytes] =
                co_await connection->stream.async_read_some(connection->buffer.prepare(4096), kToken);
            if (problem) co_return;
            connection->buffer.commit(bytes);
        }
        connection->between_requests = false;
        if (!co_await serve_one(connection)) co_return;
    }
}

/// Reads and answers one request. False: the connection ends.
awaitable<bool> Server::Core::serve_one(ConnectionPtr connection) {
    Head head;
    head.header_limit(options.header_bytes_max);
    head.body_limit(boost::none);  // checked by kind of request below
    connection->stream.expires_after(std::chrono::milliseconds(options.request_timeout_ms));
    const auto [problem, bytes] =
        co_await http::async_read_header(connection->stream, connection->buffer, head, kToken);
    std::optional<Reply> refusal = refusal_of(problem, options);
    if (!refusal && problem) co_return false;

    Route wish;
    if (!refusal) {
        const auto& request = head.get();
        auto routed = route(std::string_view(request.method_string().data(), request.method_string().size()),
                            std::string_view(request.target().data(), request.target().size()), now_ms());
        refusal = refusal_of(routed, connection->access, options);
        if (!refusal) wish = std::get<Route>(std::move(routed));
    }
    if (refusal) {
        co_await refuse(connection, std::move(*refusal));
        co_return false;
    }
    if (wish.action == Action::events) {
        co_await stream_events(connection, std::move(wish));
        co_return false;
    }
    if (wish.action == Action::upload) {
        Reply reply = co_await receive_package(connection, head);
        // A body that was not read to its end would be taken for the next request.
        if (reply.http_status >= 400) {
            co_await refuse(connection, std::move(reply));
            co_return false;
        }
        co_return co_await send(connection, std::move(reply), head.get().keep_alive());
    }
    co_return co_await serve_plain(connection, head, std::move(wish));
}

awaitable<bool> Server::Core::serve_plain(ConnectionPtr connection, Head& head, Route route) {
    Reply body_too_large =
        reply_for(too_large("the body is larger than " + std::to_string(options.body_bytes_max) + " bytes"));
    if (head.content_length().value_or(0) > options.body_bytes_max) {
        co_await refuse(connection, std::move(body_too_large));
        co_return false;
    }
    http::request_parser<http::string_body> whole{std::move(head)};
    whole.body_limit(options.body_bytes_max);
    const auto [problem, bytes] =
        co_await http::async_read(connection->stream, connection->buffer, whole, kToken);
    if (problem) {
        if (problem == http::error::body_limit) co_await refuse(connection, std::move(body_too_large));
        co_return false;
    }
    const bool keep_alive = whole.get().keep_alive();
    std::string body = std::move(whole.get().body());
    Caller caller;
    if (route.changes()) caller = co_await caller_of(connection);
    Reply reply = co_await answer(backend, std::move(route), std::move(body), std::move(caller));
    co_return co_await send(connection, std::move(reply), keep_alive);
}

awaitable<Reply> Server::Core::receive_package(ConnectionPtr connection, Head& head) {
    if (head.content_length().value_or(0) > backend.package_bytes_max())
        co_return reply_for(Error{ErrorCode::package_oversized,
                                  "the file has " + std::to_string(*head.content_length()) +
                                      " bytes, this gateway takes at most " +
                                      std::to_string(backend.package_bytes_max()),
                                  "build a smaller package, or raise the limit in mcuota.toml", 0});
    if (uploads >= options.uploads_max)
        co_return reply_for(busy("the gateway is taking other packages at the moment"));
    struct Slot {
        explicit Slot(std::size_t& its_count) : count(its_count) { ++count; }
        Slot(const Slot&) = delete;
        Slot& operator=(const Slot&) = delete;
        ~Slot() { --count; }
        std::size_t& count;
    } slot(uploads);
    co_return co_await store_package(connection, head);
}

awaitable<Reply> Server::Core::store_package(ConnectionPtr connection, Head& head) {
    auto create = [dir = backend.upload_dir(), bytes_max = backend.package_bytes_max()] {
        return Upload::create(dir, bytes_max);
    };
    auto made = co_await on_pool(pool, std::move(create));
    if (!made) co_return reply_for(made.error());
    const auto upload = std::make_shared<Upload>(std::move(*made));  // shared with the pool's threads

    Stream& stream = connection->stream;
    const auto stall = std::chrono::milliseconds(options.stall_timeout_ms);
    if (beast::iequals(head.get()[http::field::expect], "100-continue")) {
        constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        stream.expires_after(stall);
        const auto [problem, bytes] =
            co_await asio::async_write(stream, asio::buffer(kContinue.data(), kContinue.size()), kToken);
        if (problem) co_return Reply{400, {}, {}};
    }
    http::request_parser<http::buffer_body> parser{std::move(head)};
    parser.body_limit(boost::none);  // Upload counts
    const auto chunk = std::make_shared<std::vector<char>>(kUploadChunkBytes);
    while (!parser.is_done()) {
        parser.get().body().data = chunk->data();
        parser.get().body().size = chunk->size();
        stream.expires_after(stall);
        const auto [problem, bytes] = co_await http::async_read(stream, connection->buffer, parser, kToken);
        if (problem && problem != http::error::need_buffer)
            co_return reply_for(Error{ErrorCode::package_truncated,
                                      "the upload broke off: " + problem.message(), "send the file again",
                                      0});
        const std::size_t filled = chunk->size() - parser.get().body().size;
        auto write = [upload, chunk, filled] { return upload->write({chunk->data(), filled}); };
        const auto written = co_await on_pool(pool, std::move(write));
        if (!written) co_return reply_for(written.error());
    }
    auto finish = [upload] { return upload->finish(); };
    const auto sha256 = co_await on_pool(pool, std::move(finish));
    if (!sha256) co_return reply_for(sha256.error());
    if (stopping) co_return Reply{503, {}, {}};
    std::filesystem::path path = upload->path();
    std::string name = *sha256;
    const auto package = co_await backend.adopt_package(path, std::move(name));
    if (package) co_return reply_for(*package);
    Error error = package.error();  // to the client its name here says nothing
    for (std::size_t at = 0; (at = error.what.find(path.string())) != std::string::npos;)
        error.what.replace(at, path.string().size(), "the file handed over");
    co_return reply_for(error);
}

awaitable<Caller> Server::Core::caller_of(const ConnectionPtr& connection) {
    const std::uint32_t uid = connection->peer.uid;
    // Account names may come from a directory server: not on the daemon's one thread.
    auto look_up = [uid] { return user_name(uid); };
    std::string name = co_await on_pool(pool, std::move(look_up));
    co_return Caller{uid, std::move(name)};
}

awaitable<bool> Server::Core::send(ConnectionPtr connection, Reply reply, bool keep_alive) {
    http::response<http::string_body> response{static_cast<http::status>(reply.http_status), 11};
    response.set(http::field::content_type, "application/json");
    response.set(http::field::cache_control, "no-store");
    if (!reply.allow.empty()) response.set(http::field::allow, reply.allow);
    response.body() = std::move(reply.body);
    response.keep_alive(keep_alive && !stopping);
    response.prepare_payload();
    connection->stream.expires_after(std::chrono::milliseconds(options.stall_timeout_ms));
    const auto [problem, bytes] = co_await http::async_write(connection->stream, response, kToken);
    co_return !problem && keep_alive;
}

/// Sends a refusal, then swallows what the client is still sending: closing at once would make it miss the
/// answer.
awaitable<void> Server::Core::refuse(ConnectionPtr connection, Reply reply) {
    if (reply.body.empty()) co_return;
    co_await send(connection, std::move(reply), false);
    error_code ignored;
    connection->stream.socket().shutdown(Protocol::socket::shutdown_send, ignored);
    connection->stream.expires_after(kDrainTime);
    std::vector<char> sink(16U << 10);
    for (std::size_t total = 0; total < kDrainBytesMax;) {
        const auto [problem, bytes] = co_await connection->stream.async_read_some(asio::buffer(sink), kToken);
        if (problem) co_return;
        total += bytes;
    }
}

/// Puts the present state in front of what will change. A reply when there is nothing to listen to.
std::optional<Reply> Server::Core::first_events(Connection& connection) {
    Result<std::vector<JobView>> jobs = std::vector<JobView>{};
    for (const std::int64_t id : connection.only) {
        auto job = backend.job(id);
        if (!job) return reply_for(job.error());
        jobs->push_back(std::move(*job));
    }
    if (connection.only.empty()) {
        JobFilter unfinished;
        for (const std::string_view state : kJobStates)
            if (!is_finished(state)) unfinished.states.emplace_back(state);
        unfinished.limit = kJobsLimitMax;
        jobs = backend.jobs(unfinished);
        if (!jobs) return reply_for(jobs.error());
    }
    for (const JobView& job : *jobs) {
        auto [key, text] = event_text(Event{job});
        if (!connection.events.push(key, std::move(text)))
            return reply_for(busy("more jobs are running than one stream can tell"));
    }
    return std::nullopt;
}

awaitable<void> Server::Core::stream_events(ConnectionPtr connection, Route route) {
    connection->only = std::move(route.only);
    std::optional<Reply> refusal;
    if (listeners >= options.event_streams_max)
        refusal = reply_for(busy("too many are listening already"));
    else
        refusal = first_events(*connection);
    if (refusal) {
        co_await refuse(connection, std::move(*refusal));
        co_return;
    }
    connection->listening = true;
    ++listeners;
    if (!subscription)
        subscription = backend.subscribe([weak = weak_from_this()](const Event& event) {
            if (const auto self = weak.lock()) self->on_event(event);
        });

    // The client says nothing more; its end of the line closing is how it leaves.
    connection->stream.expires_never();
    asio::co_spawn(
        connection->stream.get_executor(),
        [connection]() -> awaitable<void> {
            char ignored = 0;
            co_await connection->stream.async_read_some(asio::buffer(&ignored, 1), kToken);
            connection->close();
        },
        asio::detached);

    std::string text =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: "
        "close\r\n\r\n";
    while (!connection->closed) {
        text += connection->events.take_all();
        if (text.empty()) {
            connection->wake.expires_at(asio::steady_timer::time_point::max());
            co_await connection->wake.async_wait(kToken);
            continue;
        }
        connection->stream.expires_after(std::chrono::milliseconds(options.stall_timeout_ms));
        const auto [problem, bytes] =
            co_await asio::async_write(connection->stream, asio::buffer(text), kToken);
        if (problem) break;
        text.clear();
    }
    connection->close();
}

void Server::Core::on_event(const Event& event) {
    std::optional<std::pair<std::string, std::string>> rendered;  // once for all listeners
    for (const ConnectionPtr& connection : connections) {
        if (!connection->listening || connection->closed || !wanted(connection->only, event)) continue;
        if (!rendered) rendered = event_text(event);
        if (!connection->events.push(rendered->first, rendered->second)) connection->close();
        connection->wake.cancel();
    }
}

void Server::Core::stop_listening(Connection& connection) {
    if (!connection.listening) return;
    connection.listening = false;
    if (--listeners == 0 && subscription) {
        backend.unsubscribe(*subscription);
        subscription.reset();
    }
}

Server::Server(asio::any_io_executor executor, asio::thread_pool& pool, Backend& backend,
               ServerOptions options)
    : core_(std::make_shared<Core>(std::move(executor), pool, backend, std::move(options))) {}

Server::~Server() {
    quietly([this] { core_->stop(); });
}

Result<void> Server::start() {
    return core_->start();
}

void Server::stop() {
    core_->stop();
}

std::size_t Server::connections() const noexcept {
    return core_->connections.size();
}

}  // namespace mcuota::api
