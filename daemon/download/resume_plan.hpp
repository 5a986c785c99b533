#pragma once
// From where a download goes on: pure decisions about marks, validators and ranges.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/download/downloader.hpp"

namespace mcuota::download {

/// How an attempt begins.
struct StartPlan {
    std::uint64_t offset{0};  ///< bytes on disk that are kept (and hashed again)
    std::string if_range;     ///< strong ETag those bytes belong to; empty with offset 0
    bool complete{false};     ///< everything is there: no request, only the proof
};
/// A file is resumed only when a strong validator was stored for its bytes and the disk holds all of them.
[[nodiscard]] StartPlan plan_start(const Mark& mark, std::uint64_t file_bytes, std::uint64_t announced_bytes);

/// RFC 9110 §8.8.3: quoted and not weak. Only such a validator makes two pieces one file.
[[nodiscard]] bool is_strong_etag(std::string_view etag);

/// "bytes 10-19/20".
struct ContentRange {
    std::uint64_t first, last, total;
};
/// Nothing for another form, an unknown total, or numbers that contradict each other.
[[nodiscard]] std::optional<ContentRange> parse_content_range(std::string_view value);

/// Whether `url` begins with https://, in any case.
[[nodiscard]] bool is_https(std::string_view url);

}  // namespace mcuota::download
