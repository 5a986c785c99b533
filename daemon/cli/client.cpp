// libcurl behind the client. Nothing else of the CLI knows it.
#include "daemon/cli/client.hpp"

#include <curl/curl.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "daemon/cli/event_parser.hpp"
#include "daemon/cli/json_view.hpp"

namespace mcuota::cli {
namespace {

namespace json = boost::json;

constexpr long kConnectTimeoutMs = 5'000;
constexpr long kAnswerTimeoutMs = 180'000;  // a device behind a slow line may be asked first
constexpr long kUploadTimeoutMs = 900'000;
constexpr std::size_t kAnswerBytesMax = 64U << 20;
constexpr int kTickMs = 1'000;

ErrorCode code_named(const std::string& name) {
#define MCUOTA_ERROR(code_name, number, cls, exit_code, summary) \
    if (name == #code_name) return ErrorCode::code_name;
#include "mcu_flasher/base/errors.def"
#undef MCUOTA_ERROR
    return ErrorCode::internal;
}

Error unreachable(std::string what) {
    return Error{ErrorCode::daemon_unreachable, std::move(what), "start it: systemctl start mcuota", 0};
}

/// The daemon's own error out of an answer that is not 2xx.
Error error_in(const std::string& body, long http_status) {
    boost::system::error_code problem;
    const json::value parsed = json::parse(body, problem);
    const std::string code = problem ? "" : text(parsed, {"error", "code"});
    if (code.empty())
        return unreachable("what answers on the socket is not mcuotad (HTTP status " +
                           std::to_string(http_status) + ")");
    return Error{code_named(code), text(parsed, {"error", "message"}), text(parsed, {"error", "next"}), 0};
}

/// What one transfer needs besides libcurl's own state.
struct Exchange {
    std::string body;
    bool too_large{false};
    int file{-1};
    const std::function<void(std::uint64_t, std::uint64_t)>* progress{nullptr};
    // Event streams.
    CURL* handle{nullptr};
    EventParser* parser{nullptr};
    const EventParser::EventFn* on_event{nullptr};
};

std::size_t take(char* data, std::size_t one, std::size_t count, void* context) {
    auto& exchange = *static_cast<Exchange*>(context);
    const std::size_t bytes = one * count;
    long status = 0;
    if (exchange.parser != nullptr) curl_easy_getinfo(exchange.handle, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200) return exchange.parser->feed({data, bytes}, *exchange.on_event) ? bytes : 0;
    if (exchange.body.size() + bytes > kAnswerBytesMax) {
        exchange.too_large = true;
        return 0;
    }
    exchange.body.append(data, bytes);
    return bytes;
}

std::size_t give(char* room, std::size_t one, std::size_t count, void* context) {
    const auto& exchange = *static_cast<Exchange*>(context);
    ssize_t got;
    do
        got = ::read(exchange.file, room, one * count);
    while (got < 0 && errno == EINTR);
    return got < 0 ? CURL_READFUNC_ABORT : static_cast<std::size_t>(got);
}

int tell(void* context, curl_off_t, curl_off_t, curl_off_t total, curl_off_t now) {
    const auto& exchange = *static_cast<Exchange*>(context);
    if (*exchange.progress)
        (*exchange.progress)(static_cast<std::uint64_t>(now), static_cast<std::uint64_t>(total));
    return 0;
}

}  // namespace

struct Interrupts::Mask {
    sigset_t signals;
};

Interrupts::Interrupts() : before_(std::make_unique<Mask>()) {
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &wanted, &before_->signals);
    descriptor_ = ::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
}

Interrupts::~Interrupts() {
    if (descriptor_ >= 0) ::close(descriptor_);
    ::pthread_sigmask(SIG_SETMASK, &before_->signals, nullptr);
}

bool Interrupts::came() {
    signalfd_siginfo info;
    if (descriptor_ >= 0 && ::read(descriptor_, &info, sizeof info) == sizeof info) came_ = true;
    return came_;
}

bool Interrupts::wait(int timeout_ms) {
    pollfd waiting{descriptor_, POLLIN, 0};
    ::poll(&waiting, 1, timeout_ms);
    return came();
}

struct Client::Curl {
    CURL* handle;

    // Nothing global is set up but what an HTTP exchange without TLS needs: it keeps short commands short.
    Curl() {
        curl_global_init(CURL_GLOBAL_NOTHING);
        handle = curl_easy_init();
    }
    Curl(const Curl&) = delete;
    Curl& operator=(const Curl&) = delete;
    ~Curl() { curl_easy_cleanup(handle); }

    void prepare(const std::filesystem::path& socket, const std::string& path, Exchange& exchange) {
        curl_easy_reset(handle);
        curl_easy_setopt(handle, CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
        curl_easy_setopt(handle, CURLOPT_URL, ("http://mcuota" + path).c_str());
        curl_easy_setopt(handle, CURLOPT_PROXY, "");  // http_proxy in the environment is not for us
        curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
        curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &take);
        curl_easy_setopt(handle, CURLOPT_WRITEDATA, &exchange);
        exchange.handle = handle;
    }

    /// Performs what was prepared, until it is done, Ctrl-C comes or `goes_on` (asked at each turn, at least
    /// once a second) says no. Nothing: it was not done.
    std::optional<CURLcode> perform(Interrupts& interrupts, const std::function<bool()>& goes_on) {
        CURLM* multi = curl_multi_init();
        curl_multi_add_handle(multi, handle);
        std::optional<CURLcode> ended;
        for (;;) {
            int running = 0;
            curl_multi_perform(multi, &running);
            int left = 0;
            while (const CURLMsg* message = curl_multi_info_read(multi, &left))
                if (message->msg == CURLMSG_DONE) ended = message->data.result;
            if (ended || !goes_on() || interrupts.came()) break;
            curl_waitfd extra{interrupts.descriptor(), CURL_WAIT_POLLIN, 0};
            curl_multi_poll(multi, &extra, interrupts.descriptor() >= 0 ? 1 : 0, kTickMs, nullptr);
        }
        curl_multi_remove_handle(multi, handle);
        curl_multi_cleanup(multi);
        return ended;
    }

    Error error_of(CURLcode code, const std::filesystem::path& socket) const {
        if (code != CURLE_COULDNT_CONNECT)
            return unreachable(std::string("talking to mcuotad failed: ") + curl_easy_strerror(code));
        long number = 0;
        curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, &number);
        if (number == EACCES || number == EPERM)
            return Error{ErrorCode::permission_denied, "this account may not open " + socket.string(),
                         "join the group and log in again: sudo adduser $USER mcuota", 0};
        return unreachable("mcuotad does not answer on " + socket.string());
    }

    Result<json::value> finish(CURLcode code, const Exchange& exchange,
                               const std::filesystem::path& socket) const {
        if (exchange.too_large) return unreachable("the answer is larger than anything mcuotad sends");
        if (code != CURLE_OK) return error_of(code, socket);
        long status = 0;
        curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
        if (status < 200 || status > 299) return error_in(exchange.body, status);
        boost::system::error_code problem;
        json::value parsed = json::parse(exchange.body, problem);
        if (problem) return unreachable("the answer is not JSON: " + problem.message());
        return parsed;
    }

    /// Without `interrupts` Ctrl-C ends the program.
    Result<json::value> post(const std::filesystem::path& socket, const std::string& path,
                             const json::value& body, Interrupts* interrupts) {
        Exchange exchange;
        prepare(socket, path, exchange);
        const std::string sent = json::serialize(body);
        curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, kAnswerTimeoutMs);
        curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(sent.size()));
        curl_easy_setopt(handle, CURLOPT_POSTFIELDS, sent.c_str());
        curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
        curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
        std::optional<CURLcode> ended;
        if (interrupts != nullptr)
            ended = perform(*interrupts, [] { return true; });
        else
            ended = curl_easy_perform(handle);
        curl_slist_free_all(headers);
        if (ended) return finish(*ended, exchange, socket);
        return Error{ErrorCode::cancelled,
                     "interrupted before mcuotad answered; it may do what it was asked all the same",
                     "see whether it does: mcuota job list"};
    }
};

Client::Client(std::filesystem::path socket) : socket_(std::move(socket)), curl_(std::make_unique<Curl>()) {}
Client::~Client() = default;

Result<json::value> Client::get(const std::string& path) {
    Exchange exchange;
    curl_->prepare(socket_, path, exchange);
    curl_easy_setopt(curl_->handle, CURLOPT_TIMEOUT_MS, kAnswerTimeoutMs);
    return curl_->finish(curl_easy_perform(curl_->handle), exchange, socket_);
}

Result<json::value> Client::post(const std::string& path, const json::value& body) {
    return curl_->post(socket_, path, body, nullptr);
}

Result<json::value> Client::post(const std::string& path, const json::value& body, Interrupts& interrupts) {
    return curl_->post(socket_, path, body, &interrupts);
}

Result<json::value> Client::upload(const std::string& path, const std::filesystem::path& file,
                                   const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
    Exchange exchange;
    exchange.progress = &progress;
    exchange.file = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat about {};
    if (exchange.file < 0 || ::fstat(exchange.file, &about) != 0 || !S_ISREG(about.st_mode)) {
        const int problem = exchange.file < 0 ? errno : 0;
        if (exchange.file >= 0) ::close(exchange.file);
        return Error{problem == ENOENT ? ErrorCode::not_found : ErrorCode::file_unreadable,
                     "cannot read " + file.string() + ": " +
                         (problem != 0 ? std::strerror(problem) : "it is not a regular file"),
                     "name a package made by mcuota-pack", 0};
    }
    curl_->prepare(socket_, path, exchange);
    curl_easy_setopt(curl_->handle, CURLOPT_TIMEOUT_MS, kUploadTimeoutMs);
    curl_easy_setopt(curl_->handle, CURLOPT_POST, 1L);
    curl_easy_setopt(curl_->handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(about.st_size));
    curl_easy_setopt(curl_->handle, CURLOPT_READFUNCTION, &give);
    curl_easy_setopt(curl_->handle, CURLOPT_READDATA, &exchange);
    curl_easy_setopt(curl_->handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl_->handle, CURLOPT_XFERINFOFUNCTION, &tell);
    curl_easy_setopt(curl_->handle, CURLOPT_XFERINFODATA, &exchange);
    // Asking first lets the daemon refuse before anything large is sent.
    curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/octet-stream");
    headers = curl_slist_append(headers, "Expect: 100-continue");
    curl_easy_setopt(curl_->handle, CURLOPT_HTTPHEADER, headers);
    auto result = curl_->finish(curl_easy_perform(curl_->handle), exchange, socket_);
    curl_slist_free_all(headers);
    ::close(exchange.file);
    return result;
}

Result<StreamEnd> Client::events(const std::string& path, const Listener& listener, Interrupts& interrupts) {
    Exchange exchange;
    EventParser parser;
    bool enough = false;
    bool heard = false;
    const EventParser::EventFn on_event = [&](std::string_view kind, std::string_view data) {
        heard = true;
        boost::system::error_code problem;
        const json::value parsed = json::parse(json::string_view(data.data(), data.size()), problem);
        if (!problem && !enough) enough = !listener.on_event(kind, parsed);
    };
    exchange.parser = &parser;
    exchange.on_event = &on_event;
    curl_->prepare(socket_, path, exchange);
    auto next_tick = std::chrono::steady_clock::now() + std::chrono::milliseconds(kTickMs);
    const std::optional<CURLcode> ended = curl_->perform(interrupts, [&] {
        if (!enough && std::chrono::steady_clock::now() >= next_tick) {
            next_tick += std::chrono::milliseconds(kTickMs);
            listener.on_second();
        }
        return !enough;
    });
    long status = 0;
    curl_easy_getinfo(curl_->handle, CURLINFO_RESPONSE_CODE, &status);
    if (enough) return StreamEnd::enough;
    if (interrupts.came()) return StreamEnd::interrupted;
    if (status != 0 && status != 200) return error_in(exchange.body, status);
    if (!heard && status != 200) return curl_->error_of(ended.value_or(CURLE_COULDNT_CONNECT), socket_);
    return StreamEnd::lost;
}

}  // namespace mcuota::cli
