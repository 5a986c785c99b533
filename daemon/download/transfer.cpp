// libcurl as a carrier of bytes. Not used, because each takes some damaged answer for success: RESUME_FROM,
// RANGE, FAILONERROR, LOW_SPEED_*, MAXFILESIZE; the range goes out as a header and every rule is in Answer.
#include "daemon/download/transfer.hpp"

#include <algorithm>
#include <utility>

#include "daemon/cloud/redact.hpp"

namespace mcuota::download {
namespace {

constexpr auto kPollMax = std::chrono::milliseconds(500);
constexpr auto kProgressEvery = std::chrono::milliseconds(200);

void initialise_curl() {
    static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
    (void)done;
}

Ending ending_of(CURLcode code) {
    switch (code) {
        case CURLE_OK:
            return Ending::orderly;
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        case CURLE_SSL_INVALIDCERTSTATUS:
            return Ending::tls;
        case CURLE_UNSUPPORTED_PROTOCOL:
            return Ending::not_https;
        case CURLE_URL_MALFORMAT:
            return Ending::bad_url;
        case CURLE_TOO_MANY_REDIRECTS:
            return Ending::redirects;
        default:
            return Ending::broken;
    }
}

}  // namespace

Transfer::Transfer(Request request, Options options, MarkStore& marks,
                   std::function<void(const Progress&)> progress)
    : request_(std::move(request)),
      options_(std::move(options)),
      marks_(marks),
      progress_(std::move(progress)) {
    initialise_curl();
}
Transfer::~Transfer() = default;

void Transfer::cancel() {
    cancelled_ = true;
    const std::lock_guard lock(multi_mutex_);
    if (multi_) curl_multi_wakeup(multi_);
}

Result<Done> Transfer::run() {
    if (!is_https(request_.url))
        return Error{ErrorCode::url_not_https,
                     "the download address " + cloud::redact_urls(request_.url) + " is not https",
                     "let the cloud serve its packages over https"};
    if (request_.size_bytes > request_.size_bytes_max)
        return Error{ErrorCode::download_size_mismatch,
                     std::to_string(request_.size_bytes) + " bytes were announced, more than the " +
                         std::to_string(request_.size_bytes_max) + " allowed",
                     "raise size_max in [download]"};
    Result<PartialFile> opened =
        PartialFile::open(request_.partial_file, request_.digest_kind == cloud::DigestKind::md5);
    if (!opened) return std::move(opened).error();
    file_.emplace(std::move(*opened));

    StartPlan plan = plan_start(marks_.load(request_.job_id), file_->found_bytes(), request_.size_bytes);
    if (plan.offset == 0) {
        if (Result<void> done = forget(); !done) return std::move(done).error();
    } else if (Result<void> kept = file_->keep(plan.offset); !kept) {
        return std::move(kept).error();
    }
    marked_ = plan.offset;
    if (Result<void> room = file_->reserve(request_.size_bytes); !room) return std::move(room).error();
    if (plan.complete) return prove(plan.offset);

    Result<void> fetched = request_once(plan);
    if (!fetched && again_plain_) {
        plan = {};
        if (Result<void> done = forget(); !done) return std::move(done).error();
        fetched = request_once(plan);
    }
    if (file_->bytes() > marked_ || fetched) {
        // Also after a failure: what is there need not be fetched again.
        Result<void> saved = save_mark();
        if (fetched && !saved) return std::move(saved).error();
    }
    if (!fetched) return std::move(fetched).error();
    return prove(resumed_from_);
}

Result<Done> Transfer::prove(std::uint64_t resumed_from) {
    tell_progress(true);
    const std::string sha256 = file_->hashes().sha256_hex();
    std::string expected = request_.digest_hex;
    std::transform(expected.begin(), expected.end(), expected.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const std::string actual = request_.digest_kind == cloud::DigestKind::md5      ? file_->hashes().md5_hex()
                               : request_.digest_kind == cloud::DigestKind::sha256 ? sha256
                                                                                   : expected;
    if (actual != expected) {
        // Nothing of these bytes is worth keeping, and no later attempt may build on them.
        (void)forget();
        return Error{ErrorCode::download_digest_mismatch,
                     "the file's digest is " + actual + ", announced was " + expected,
                     "upload the package to the cloud again"};
    }
    return Done{file_->bytes(), sha256, resumed_from};
}

/// The mark goes first: a mark over bytes that are being replaced would splice two files.
Result<void> Transfer::forget() {
    marks_.save(request_.job_id, {});
    marked_ = 0;
    return file_->keep(0);
}

Result<void> Transfer::save_mark() {
    if (Result<void> synced = file_->sync(); !synced) return synced;
    const std::string etag = answer_ ? answer_->strong_etag() : std::string{};
    marked_ = file_->bytes();
    marked_at_ = Clock::now();
    // Without a validator the bytes cannot be told from those of another file: nothing to resume from.
    marks_.save(request_.job_id, etag.empty() ? Mark{} : Mark{marked_, etag, {}});
    return {};
}

void Transfer::prepare(CURL* handle, curl_slist*& headers, const StartPlan& plan) {
    headers = curl_slist_append(nullptr, "Accept-Encoding: identity");
    if (plan.offset > 0) {
        headers = curl_slist_append(headers, ("Range: bytes=" + std::to_string(plan.offset) + "-").c_str());
        headers = curl_slist_append(headers, ("If-Range: " + plan.if_range).c_str());
    }
    curl_easy_setopt(handle, CURLOPT_URL, request_.url.c_str());
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(handle, CURLOPT_MAXREDIRS, 3L);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);  // do not wait for a name lookup when leaving
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
    curl_easy_setopt(handle, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout_ms));
    curl_easy_setopt(handle, CURLOPT_USERAGENT, "mcuota");
    if (!options_.ca_file.empty()) {
        curl_easy_setopt(handle, CURLOPT_CAINFO, options_.ca_file.c_str());
        curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr);  // only this file is trusted
    }
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &Transfer::header_callback);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &Transfer::body_callback);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, this);
}

Result<void> Transfer::request_once(const StartPlan& plan) {
    answer_.emplace(plan, request_.size_bytes, request_.size_bytes_max,
                    request_.digest_kind != cloud::DigestKind::none);
    failure_.reset();
    body_expected_ = again_plain_ = paused_ = false;
    started_ = Clock::now();
    taken_ = 0;
    last_byte_ = last_progress_ = Clock::now();
    last_progress_bytes_ = file_->bytes();

    const std::unique_ptr<CURL, EasyFree> handle(curl_easy_init());
    if (!handle) return Error{ErrorCode::internal, "libcurl cannot be started"};
    curl_slist* raw_headers = nullptr;
    prepare(handle.get(), raw_headers, plan);
    const std::unique_ptr<curl_slist, ListFree> headers(raw_headers);
    char detail[CURL_ERROR_SIZE] = {};
    curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, detail);

    std::string words;
    const Ending ending = drive(handle.get(), words);
    curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, nullptr);
    if (detail[0] != '\0') words = cloud::redact_urls(detail);
    if (cancelled_) return Error{ErrorCode::cancelled, "the download was stopped"};
    if (again_plain_) return Error{ErrorCode::download_interrupted, "the server cannot continue the file"};
    if (failure_) return *failure_;
    if (std::optional<Error> wrong = answer_->on_end(ending, words, file_->bytes())) return *wrong;
    // Orderly without any usable header: nothing that was sent is a file.
    if (!body_expected_) return Error{ErrorCode::download_server_error, "the server sent no usable answer"};
    return {};
}

/// Runs the transfer to its end, a stall, or cancellation.
Ending Transfer::drive(CURL* handle, std::string& words) {
    CURLM* multi = curl_multi_init();
    {
        const std::lock_guard lock(multi_mutex_);
        multi_ = multi;
    }
    curl_multi_add_handle(multi, handle);
    const auto stall = std::chrono::milliseconds(options_.stall_timeout_ms);
    Ending ending = Ending::broken;
    for (int running = 1; running > 0 && !cancelled_;) {
        if (const CURLMcode failed = curl_multi_perform(multi, &running); failed != CURLM_OK) {
            words = curl_multi_strerror(failed);
            break;
        }
        int left = 0;
        if (const CURLMsg* message = curl_multi_info_read(multi, &left);
            message && message->msg == CURLMSG_DONE) {
            ending = ending_of(message->data.result);
            words = curl_easy_strerror(message->data.result);
            break;
        }
        if (paused_) {
            const auto rest = pause_ends_ - Clock::now();
            if (rest <= Clock::duration::zero()) {
                paused_ = false;
                last_byte_ = Clock::now();
                curl_easy_pause(handle, CURLPAUSE_CONT);
                continue;
            }
            const auto rest_ms = std::chrono::duration_cast<std::chrono::milliseconds>(rest);
            curl_multi_poll(multi, nullptr, 0, static_cast<int>(std::min(kPollMax, rest_ms).count()) + 1,
                            nullptr);
            continue;
        }
        const auto silent = Clock::now() - last_byte_;
        if (silent >= stall) {
            ending = Ending::stalled;
            break;
        }
        const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(stall - silent);
        curl_multi_poll(multi, nullptr, 0, static_cast<int>(std::min(kPollMax, patience).count()) + 1,
                        nullptr);
    }
    {
        const std::lock_guard lock(multi_mutex_);
        multi_ = nullptr;
    }
    curl_multi_remove_handle(multi, handle);
    curl_multi_cleanup(multi);
    return ending;
}

std::size_t Transfer::header_callback(char* data, std::size_t size, std::size_t count, void* self) {
    return static_cast<Transfer*>(self)->on_header({data, size * count});
}
std::size_t Transfer::body_callback(char* data, std::size_t size, std::size_t count, void* self) {
    return static_cast<Transfer*>(self)->on_body(data, size * count);
}

std::size_t Transfer::on_header(std::string_view line) {
    constexpr std::size_t kAbort = 0;
    last_byte_ = Clock::now();
    if (line != "\r\n" && line != "\n") {
        if (body_expected_) return line.size();  // trailers after a chunked body
        answer_->on_header(line);
        return line.size();
    }
    if (body_expected_) return line.size();
    switch (answer_->on_header_end()) {
        case Verdict::ignore:
            return line.size();
        case Verdict::append:
            body_expected_ = true;
            resumed_from_ = file_->bytes();
            return line.size();
        case Verdict::from_zero:
            body_expected_ = true;
            if (file_->bytes() > 0 || marked_ > 0) {
                if (Result<void> done = forget(); !done) {
                    failure_ = done.error();
                    return kAbort;
                }
            }
            return line.size();
        case Verdict::again_plain:
            again_plain_ = true;
            return kAbort;
        case Verdict::refuse:
            failure_ = answer_->error();
            return kAbort;
    }
    return kAbort;
}

std::size_t Transfer::on_body(const char* data, std::size_t size) {
    constexpr std::size_t kAbort = 0;
    if (cancelled_) return kAbort;
    if (!body_expected_) return size;  // of a redirect
    last_byte_ = Clock::now();
    if (over_speed_limit(size)) return CURL_WRITEFUNC_PAUSE;  // the same bytes come again afterwards
    if (!answer_->may_take(file_->bytes(), size)) {
        failure_ = answer_->error();
        return kAbort;
    }
    if (Result<void> put = file_->append(data, size); !put) {
        failure_ = put.error();
        return kAbort;
    }
    // On a slow line a mark every so many bytes would come too seldom: at most that much time's bytes are at
    // stake.
    if (file_->bytes() - marked_ >= options_.mark_every_bytes ||
        last_byte_ - marked_at_ >= std::chrono::milliseconds(options_.mark_every_ms)) {
        if (Result<void> saved = save_mark(); !saved) {
            failure_ = saved.error();
            return kAbort;
        }
    }
    tell_progress(false);
    return size;
}

/// libcurl's own limit averages over several seconds, longer than most of our files take.
bool Transfer::over_speed_limit(std::size_t size) {
    if (options_.bytes_per_second_max == 0) return false;
    const auto limit = static_cast<double>(options_.bytes_per_second_max);
    const double due_s = static_cast<double>(taken_) / limit;
    const auto due =
        started_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(due_s));
    if (due > Clock::now()) {
        paused_ = true;
        pause_ends_ = due;
        return true;
    }
    taken_ += size;
    return false;
}

void Transfer::tell_progress(bool now) {
    if (!progress_) return;
    const Clock::time_point at = Clock::now();
    const auto since = at - last_progress_;
    if (!now && since < kProgressEvery) return;
    const double seconds = std::chrono::duration<double>(since).count();
    if (seconds > 0.05 && file_->bytes() >= last_progress_bytes_) {
        const double rate = static_cast<double>(file_->bytes() - last_progress_bytes_) / seconds;
        rate_ = rate_ == 0 ? rate : rate_ * 0.7 + rate * 0.3;  // steady enough to read
    }
    last_progress_ = at;
    last_progress_bytes_ = file_->bytes();
    progress_({file_->bytes(), answer_ ? answer_->total() : request_.size_bytes,
               static_cast<std::uint64_t>(rate_)});
}

}  // namespace mcuota::download
