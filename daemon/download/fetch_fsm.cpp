// The rules for HTTP answers of cloud-protocols §0.3 (6 to 9) and the libcurl traps of the test notes.
#include "daemon/download/fetch_fsm.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace mcuota::download {
namespace {

std::string_view trim(std::string_view text) {
    while (!text.empty() &&
           (text.back() == '\r' || text.back() == '\n' || text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    return text;
}
std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}
std::string number(std::uint64_t value) {
    return std::to_string(value);
}

}  // namespace

Answer::Answer(StartPlan plan, std::uint64_t announced, std::uint64_t bytes_max, bool has_digest)
    : plan_(std::move(plan)), announced_(announced), bytes_max_(bytes_max), has_digest_(has_digest) {}

void Answer::on_header(std::string_view line) {
    line = trim(line);
    if (line.starts_with("HTTP/")) {
        // A new header begins; nothing of an earlier one (redirect, interim answer) may be believed.
        status_ = 0;
        length_.reset();
        chunked_ = encoded_ = redirect_ = false;
        content_range_.clear();
        etag_.clear();
        const std::size_t space = line.find(' ');
        if (space != std::string_view::npos) {
            const std::string_view code = trim(line.substr(space));
            std::from_chars(code.data(), code.data() + std::min<std::size_t>(code.size(), 3), status_);
        }
        return;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const std::string name = lower(line.substr(0, colon));
    const std::string_view value = trim(line.substr(colon + 1));
    if (name == "content-length") {
        std::uint64_t length = 0;
        const auto [stop, failed] = std::from_chars(value.data(), value.data() + value.size(), length);
        if (failed == std::errc{} && stop == value.data() + value.size()) length_ = length;
    } else if (name == "transfer-encoding") {
        chunked_ = lower(value).find("chunked") != std::string::npos;
    } else if (name == "content-encoding") {
        encoded_ = lower(value) != "identity";
    } else if (name == "content-range") {
        content_range_ = value;
    } else if (name == "etag") {
        etag_ = value;
    } else if (name == "location") {
        redirect_ = true;
    }
}

Verdict Answer::refuse(ErrorCode code, std::string what, std::string next) {
    error_ = Error{code, std::move(what), std::move(next)};
    return Verdict::refuse;
}

Verdict Answer::on_header_end() {
    const std::string said = "the server answered " + std::to_string(status_);
    if (status_ >= 100 && status_ < 200) return Verdict::ignore;
    if (status_ >= 300 && status_ < 400 && redirect_) return Verdict::ignore;
    switch (status_) {
        case 200:
            return on_whole_file();
        case 206:
            return on_part();
        case 401:
        case 403:
            return refuse(ErrorCode::url_expired, said + ": the address is not (or no longer) valid");
        case 404:
        case 410:
            return refuse(ErrorCode::url_gone, said + ": the file is not there",
                          "upload the package to the cloud again");
        case 416:
            if (plan_.offset > 0) return Verdict::again_plain;
            break;
        default:
            break;
    }
    return refuse(ErrorCode::download_server_error, said);
}

Verdict Answer::on_whole_file() {
    if (encoded_)
        return refuse(ErrorCode::download_server_error,
                      "the server sends the file in an encoding nobody asked for");
    if (length_) {
        if (announced_ != 0 && *length_ != announced_)
            return refuse(
                ErrorCode::download_size_mismatch,
                "the server sends " + number(*length_) + " bytes, announced were " + number(announced_));
        if (*length_ > bytes_max_)
            return refuse(ErrorCode::download_size_mismatch, "the server sends " + number(*length_) +
                                                                 " bytes, more than the " +
                                                                 number(bytes_max_) + " allowed");
        total_ = *length_;
    } else if (announced_ == 0 && !chunked_ && !has_digest_) {
        return refuse(ErrorCode::download_server_error,
                      "neither the offer nor the server says how long the file is");
    }
    return Verdict::from_zero;
}

Verdict Answer::on_part() {
    if (plan_.offset == 0)
        return refuse(ErrorCode::download_server_error,
                      "the server sends a part where the whole file was asked for");
    const std::optional<ContentRange> range = parse_content_range(content_range_);
    const bool usable = !encoded_ && range && range->first == plan_.offset &&
                        range->last + 1 == range->total && (announced_ == 0 || range->total == announced_) &&
                        range->total <= bytes_max_ &&
                        (!length_ || *length_ == range->last - range->first + 1) &&
                        (etag_.empty() || etag_ == plan_.if_range);
    // A server that cannot count is asked for the whole file; if the file is another, that answer will say
    // so.
    if (!usable) return Verdict::again_plain;
    total_ = range->total;
    etag_ = plan_.if_range;
    return Verdict::append;
}

bool Answer::may_take(std::uint64_t have, std::uint64_t count) {
    const std::uint64_t limit = total() != 0 ? total() : bytes_max_;
    if (count <= limit && have <= limit - count) return true;
    (void)refuse(ErrorCode::download_size_mismatch, "the server sends more than the " + number(limit) +
                                                        " bytes " + (total() != 0 ? "announced" : "allowed"));
    return false;
}

std::optional<Error> Answer::on_end(Ending ending, const std::string& words, std::uint64_t have) const {
    const std::string so_far =
        " after " + number(have) + (total() != 0 ? " of " + number(total()) : std::string{}) + " bytes";
    switch (ending) {
        case Ending::tls:
            return Error{ErrorCode::download_tls, "the server cannot be trusted: " + words,
                         "check ca_file in [download]"};
        case Ending::not_https:
            // libcurl says the same of an answer that is not HTTP at all.
            if (!redirect_)
                return Error{ErrorCode::download_interrupted, "the server does not speak HTTP: " + words};
            return Error{ErrorCode::url_not_https, "the server redirects to an address that is not https"};
        case Ending::bad_url:
            if (redirect_)
                return Error{ErrorCode::download_server_error,
                             "the server redirects to an address that makes no sense: " + words};
            return Error{ErrorCode::url_malformed, "the download address makes no sense: " + words,
                         "push the update again with a right address"};
        case Ending::redirects:
            return Error{ErrorCode::download_server_error, "the server redirects more than three times"};
        case Ending::stalled:
            return Error{ErrorCode::download_interrupted, "the server fell silent" + so_far};
        case Ending::broken:
            return Error{ErrorCode::download_interrupted, "the download broke off" + so_far + ": " + words};
        case Ending::orderly:
            break;
    }
    // "Orderly" is also what a connection closed too early looks like when no length was given.
    if (total() != 0 && have < total())
        return Error{ErrorCode::download_interrupted, "the server closed the connection" + so_far};
    return std::nullopt;
}

}  // namespace mcuota::download
