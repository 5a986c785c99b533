// Which of two versions is the newer one, for people (docs/package-format.md §5).

#include <algorithm>
#include <optional>

#include "mcu_flasher/package/package.hpp"

namespace mcuota::package {
namespace {

int sign(int value) {
    return (value > 0) - (value < 0);
}

bool digit(char c) {
    return c >= '0' && c <= '9';
}

bool numeric(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), digit);
}

/// Decimal numbers of any length.
int compare_numbers(std::string_view a, std::string_view b) {
    a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
    b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
    if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
    return sign(a.compare(b));
}

/// Takes what stands before the next `separator`; the rest stays in `text`.
std::string_view take(std::string_view& text, char separator) {
    const std::size_t end = std::min(text.find(separator), text.size());
    const std::string_view out = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return out;
}

/// A semantic version without its build metadata.
struct Semantic {
    std::string_view core[3];
    std::string_view prerelease;
};

bool identifiers_valid(std::string_view text, bool leading_zeros_allowed) {
    if (text.empty() || text.back() == '.') return false;
    while (!text.empty()) {
        const std::string_view id = take(text, '.');
        const bool characters = std::all_of(id.begin(), id.end(), [](char c) {
            return digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-';
        });
        if (id.empty() || !characters) return false;
        if (!leading_zeros_allowed && numeric(id) && id.size() > 1 && id[0] == '0') return false;
    }
    return true;
}

std::optional<Semantic> parse_semantic(std::string_view text) {
    Semantic out;
    if (const std::size_t plus = text.find('+'); plus != std::string_view::npos) {
        if (!identifiers_valid(text.substr(plus + 1), true)) return std::nullopt;
        text = text.substr(0, plus);
    }
    if (const std::size_t dash = text.find('-'); dash != std::string_view::npos) {
        out.prerelease = text.substr(dash + 1);
        if (!identifiers_valid(out.prerelease, false)) return std::nullopt;
        text = text.substr(0, dash);
    }
    if (std::count(text.begin(), text.end(), '.') != 2) return std::nullopt;
    for (std::string_view& number : out.core) {
        number = take(text, '.');
        if (!numeric(number) || (number.size() > 1 && number[0] == '0')) return std::nullopt;
    }
    return out;
}

int compare_prereleases(std::string_view a, std::string_view b) {
    if (a.empty() || b.empty()) return static_cast<int>(a.empty()) - static_cast<int>(b.empty());
    while (!a.empty() && !b.empty()) {
        const std::string_view x = take(a, '.');
        const std::string_view y = take(b, '.');
        const bool x_number = numeric(x);
        if (x_number != numeric(y)) return x_number ? -1 : 1;
        const int order = x_number ? compare_numbers(x, y) : sign(x.compare(y));
        if (order != 0) return order;
    }
    return static_cast<int>(!a.empty()) - static_cast<int>(!b.empty());
}

int compare_semantic(const Semantic& a, const Semantic& b) {
    for (std::size_t i = 0; i < 3; ++i)
        if (const int order = compare_numbers(a.core[i], b.core[i]); order != 0) return order;
    return compare_prereleases(a.prerelease, b.prerelease);
}

/// Takes the run of digits, or of other characters, `text` begins with.
std::string_view take_run(std::string_view& text) {
    const bool digits = digit(text[0]);
    std::size_t end = 1;
    while (end < text.size() && digit(text[end]) == digits)
        ++end;
    const std::string_view out = text.substr(0, end);
    text.remove_prefix(end);
    return out;
}

int compare_plain(std::string_view a, std::string_view b) {
    const std::size_t a_length = a.size();
    const std::size_t b_length = b.size();
    while (!a.empty() && !b.empty()) {
        const std::string_view x = take_run(a);
        const std::string_view y = take_run(b);
        if (digit(x[0]) != digit(y[0])) return digit(x[0]) ? -1 : 1;
        const int order = digit(x[0]) ? compare_numbers(x, y) : sign(x.compare(y));
        if (order != 0) return order;
    }
    if (a.empty() != b.empty()) return a.empty() ? -1 : 1;
    return static_cast<int>(a_length > b_length) - static_cast<int>(a_length < b_length);
}

}  // namespace

int compare_versions(std::string_view a, std::string_view b) {
    const auto x = parse_semantic(a);
    const auto y = parse_semantic(b);
    return x && y ? compare_semantic(*x, *y) : compare_plain(a, b);
}

}  // namespace mcuota::package
