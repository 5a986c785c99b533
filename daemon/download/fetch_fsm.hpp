#pragma once
// What a server's answer means for a download: a pure machine fed with header lines and the end of the
// transfer. libcurl's own ideas about ranges and completeness are not trusted (they take damaged answers for
// success); it only carries bytes.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/download/downloader.hpp"
#include "daemon/download/resume_plan.hpp"

namespace mcuota::download {

/// What is to be done with the body that follows a header.
enum class Verdict : std::uint8_t {
    ignore,       ///< a redirect or interim answer: another header follows
    append,       ///< the body continues at the planned offset
    from_zero,    ///< the body is the whole file: forget what is there
    again_plain,  ///< this answer cannot be used: ask again without a range
    refuse,       ///< give up, with error()
};

/// How the transfer ended, for the machine.
enum class Ending : std::uint8_t {
    orderly,  ///< libcurl saw nothing wrong (which proves nothing)
    broken,   ///< connection lost, short body, name not found, nobody listens
    stalled,
    tls,        ///< certificate not trusted, wrong host
    not_https,  ///< a redirect away from https
    redirects,  ///< too many
    bad_url,    ///< libcurl cannot make out the address, or one it was redirected to
};

class Answer {
  public:
    /// `plan`: what was asked for. `announced`: 0 when unknown; then at most `bytes_max` are accepted.
    Answer(StartPlan plan, std::uint64_t announced, std::uint64_t bytes_max, bool has_digest);

    /// One header line as received, status lines included.
    void on_header(std::string_view line);
    /// The empty line after a header.
    [[nodiscard]] Verdict on_header_end();
    /// `count` body bytes arrive and `have` are on disk: false when they are more than may come; error() says
    /// so.
    [[nodiscard]] bool may_take(std::uint64_t have, std::uint64_t count);
    /// The transfer is over with `have` bytes on disk. Nothing: all bytes are there (digest still to prove).
    [[nodiscard]] std::optional<Error> on_end(Ending ending, const std::string& words,
                                              std::uint64_t have) const;

    [[nodiscard]] const Error& error() const { return error_; }
    /// Strong validator of the body being received, or empty.
    [[nodiscard]] std::string strong_etag() const { return is_strong_etag(etag_) ? etag_ : std::string{}; }
    /// Bytes the whole file will have; 0 when nobody has said.
    [[nodiscard]] std::uint64_t total() const { return announced_ != 0 ? announced_ : total_; }
    [[nodiscard]] int status() const { return status_; }

  private:
    Verdict refuse(ErrorCode code, std::string what, std::string next = {});
    Verdict on_whole_file();
    Verdict on_part();

    StartPlan plan_;
    std::uint64_t announced_, bytes_max_;
    bool has_digest_;
    int status_{0};
    std::optional<std::uint64_t> length_;
    bool chunked_{false}, encoded_{false}, redirect_{false};
    std::string content_range_, etag_;
    std::uint64_t total_{0};
    Error error_;
};

}  // namespace mcuota::download
