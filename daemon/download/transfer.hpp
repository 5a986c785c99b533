#pragma once
// One attempt of one download, blocking, on a thread of the pool: libcurl carries bytes, Answer decides,
// PartialFile keeps. May be cancelled from any thread.

#include <curl/curl.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>

#include "daemon/download/downloader.hpp"
#include "daemon/download/fetch_fsm.hpp"
#include "daemon/download/partial_file.hpp"

namespace mcuota::download {

class Transfer {
  public:
    /// `progress` is called on the thread that runs run(), a few times a second.
    Transfer(Request request, Options options, MarkStore& marks,
             std::function<void(const Progress&)> progress);
    ~Transfer();
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    /// Blocks until the file is there and proven, or why not.
    [[nodiscard]] Result<Done> run();
    /// run() ends soon, with ErrorCode::cancelled. Thread-safe; also before run().
    void cancel();

  private:
    using Clock = std::chrono::steady_clock;
    struct EasyFree {
        void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
    };
    struct ListFree {
        void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    };

    [[nodiscard]] Result<Done> prove(std::uint64_t resumed_from);
    /// One request. Sets again_plain_ when the answer wants another without a range.
    [[nodiscard]] Result<void> request_once(const StartPlan& plan);
    void prepare(CURL* handle, curl_slist*& headers, const StartPlan& plan);
    [[nodiscard]] Ending drive(CURL* handle, std::string& words);
    [[nodiscard]] Result<void> forget();
    [[nodiscard]] Result<void> save_mark();
    std::size_t on_header(std::string_view line);
    std::size_t on_body(const char* data, std::size_t size);
    [[nodiscard]] bool over_speed_limit(std::size_t size);
    void tell_progress(bool now);
    static std::size_t header_callback(char* data, std::size_t size, std::size_t count, void* self);
    static std::size_t body_callback(char* data, std::size_t size, std::size_t count, void* self);

    Request request_;
    Options options_;
    MarkStore& marks_;
    std::function<void(const Progress&)> progress_;
    std::optional<PartialFile> file_;
    std::optional<Answer> answer_;
    std::optional<Error> failure_;  // found in a callback: outranks what libcurl makes of it
    bool body_expected_{false}, again_plain_{false};
    std::uint64_t marked_{0};  ///< bytes the stored mark vouches for
    Clock::time_point marked_at_{Clock::now()};
    std::uint64_t resumed_from_{0};
    Clock::time_point last_byte_{}, last_progress_{};
    std::uint64_t last_progress_bytes_{0};
    double rate_{0};
    bool paused_{false};  ///< by the speed limit, until pause_ends_
    Clock::time_point started_{}, pause_ends_{};
    std::uint64_t taken_{0};  ///< body bytes of this request

    std::atomic<bool> cancelled_{false};
    std::mutex multi_mutex_;  // cancel() wakes the multi handle only while it exists
    CURLM* multi_{nullptr};
};

}  // namespace mcuota::download
