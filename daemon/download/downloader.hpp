#pragma once
// Resumable HTTPS download of one artifact into one file, with its size and digest proven at the end.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "daemon/cloud/cloud.hpp"
#include "mcu_flasher/base/result.hpp"

namespace mcuota::download {

/// What is remembered about a partial file so that a restart resumes safely. Stored before it is relied on.
struct Mark {
    std::uint64_t offset{0};  ///< bytes known to be on disk (written only after fdatasync)
    std::string etag;         ///< strong validator of those bytes; empty: do not resume
    std::string
        digest_state;  ///< free for the downloader (for example nothing: it re-hashes the bytes on disk)
};

/// Persists marks (SQLite behind it; a map in tests). Keyed by job.
class MarkStore {
  public:
    [[nodiscard]] virtual Mark load(std::int64_t job_id) = 0;
    virtual void save(std::int64_t job_id, const Mark& mark) = 0;

  protected:
    ~MarkStore() = default;
};

struct Request {
    std::int64_t job_id{0};
    std::string url;  ///< https only
    std::filesystem::path partial_file;
    std::uint64_t size_bytes{
        0};  ///< announced; never more is accepted. 0: unknown, bounded by size_bytes_max
    std::uint64_t size_bytes_max{64ULL << 20};
    cloud::DigestKind digest_kind{cloud::DigestKind::none};
    std::string digest_hex;
};

struct Done {
    std::uint64_t size_bytes{0};
    std::string sha256_hex;  ///< of the whole file: its name in the package cache
    std::uint64_t resumed_from{0};
};

struct Progress {
    std::uint64_t bytes{0};
    std::uint64_t bytes_total{0};
    std::uint64_t bytes_per_second{0};
};

struct Options {
    std::filesystem::path ca_file;  ///< empty: the system's
    std::uint32_t connect_timeout_ms{15'000};
    std::uint32_t stall_timeout_ms{30'000};
    std::uint64_t mark_every_bytes{256U << 10};  ///< progress is journalled after so many bytes
    std::uint32_t mark_every_ms{500};            ///< … and after this time, whichever comes first
    std::uint64_t bytes_per_second_max{0};       ///< 0: unlimited
};

/// Downloads on a thread of `pool`; resumes on the caller's executor. Cancellation stops within a second and
/// keeps the partial file and its mark. Does not retry by itself: the job engine does, by error class.
/// `marks` is called on the pool's threads. The pool must be joined before the caller's io_context is
/// destroyed.
class Downloader {
  public:
    Downloader(boost::asio::thread_pool& pool, MarkStore& marks, Options options);
    boost::asio::awaitable<Result<Done>> fetch(Request request,
                                               std::function<void(const Progress&)> progress);

  private:
    boost::asio::thread_pool& pool_;
    MarkStore& marks_;
    Options options_;
};

}  // namespace mcuota::download
