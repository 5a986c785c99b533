// Decisions about resuming, without any I/O.
#include "daemon/download/resume_plan.hpp"

#include <charconv>

namespace mcuota::download {
namespace {

bool same_letters(std::string_view text, std::string_view lower) {
    if (text.size() != lower.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] - 'A' + 'a') : text[i];
        if (c != lower[i]) return false;
    }
    return true;
}

/// Takes digits from the front of `text`.
std::optional<std::uint64_t> take_number(std::string_view& text) {
    std::uint64_t value = 0;
    const auto [stop, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    return value;
}
bool take(std::string_view& text, char c) {
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
}

}  // namespace

StartPlan plan_start(const Mark& mark, std::uint64_t file_bytes, std::uint64_t announced_bytes) {
    if (mark.offset == 0 || !is_strong_etag(mark.etag)) return {};
    if (file_bytes < mark.offset) return {};  // the disk lost what was written down
    if (announced_bytes != 0 && mark.offset > announced_bytes) return {};  // bytes of another file
    if (announced_bytes != 0 && mark.offset == announced_bytes) return {mark.offset, mark.etag, true};
    return {mark.offset, mark.etag, false};
}

bool is_strong_etag(std::string_view etag) {
    if (etag.size() < 3 || etag.front() != '"' || etag.back() != '"') return false;
    for (const char c : etag.substr(1, etag.size() - 2))
        if (c == '"' || static_cast<unsigned char>(c) < 0x21 || c == 0x7F) return false;
    return true;
}

std::optional<ContentRange> parse_content_range(std::string_view value) {
    constexpr std::string_view kUnit = "bytes ";
    if (value.size() < kUnit.size() || !same_letters(value.substr(0, kUnit.size()), kUnit))
        return std::nullopt;
    value.remove_prefix(kUnit.size());
    const std::optional<std::uint64_t> first = take_number(value);
    if (!first || !take(value, '-')) return std::nullopt;
    const std::optional<std::uint64_t> last = take_number(value);
    if (!last || !take(value, '/')) return std::nullopt;
    const std::optional<std::uint64_t> total = take_number(value);
    if (!total || !value.empty() || *last < *first || *last >= *total) return std::nullopt;
    return ContentRange{*first, *last, *total};
}

bool is_https(std::string_view url) {
    constexpr std::string_view kScheme = "https://";
    return url.size() > kScheme.size() && same_letters(url.substr(0, kScheme.size()), kScheme);
}

}  // namespace mcuota::download
