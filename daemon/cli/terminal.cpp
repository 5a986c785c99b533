// Terminal facts and text layout.
#include "daemon/cli/terminal.hpp"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace mcuota::cli {
namespace {

const char* code_of(Colour colour) {
    switch (colour) {
        case Colour::good:
            return "32";
        case Colour::bad:
            return "1;31";
        case Colour::busy:
            return "36";
        case Colour::faint:
            return "2";
        case Colour::strong:
            return "1";
        case Colour::none:
            break;
    }
    return "";
}

bool starts_character(char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

}  // namespace

Style Style::of(int descriptor) {
    Style out;
    out.terminal = ::isatty(descriptor) == 1;
    const char* no_colour = std::getenv("NO_COLOR");
    const char* kind = std::getenv("TERM");
    out.colour = out.terminal && (no_colour == nullptr || *no_colour == '\0') &&
                 (kind == nullptr || std::strcmp(kind, "dumb") != 0);
    out.utf8 = std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    winsize size{};
    if (out.terminal && ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        out.columns = size.ws_col;
    return out;
}

std::string paint(const Style& style, Colour colour, std::string_view text) {
    if (!style.colour || colour == Colour::none || text.empty()) return std::string(text);
    return std::string("\x1b[") + code_of(colour) + "m" + std::string(text) + "\x1b[0m";
}

std::size_t width(std::string_view text) {
    std::size_t out = 0;
    bool sequence = false;
    for (const char c : text) {
        if (c == '\x1b') sequence = true;
        if (!sequence && starts_character(c)) ++out;
        if (c == 'm') sequence = false;
    }
    return out;
}

std::string shortened(const Style& style, const std::string& text, std::size_t columns) {
    if (width(text) <= columns || columns < 4) return text;
    const std::string mark = style.utf8 ? "…" : "...";
    std::size_t keep = columns - width(mark);
    std::size_t at = 0;
    while (at < text.size() && (keep > 0 || !starts_character(text[at]))) {
        if (starts_character(text[at])) --keep;
        ++at;
        while (at < text.size() && !starts_character(text[at]))
            ++at;
    }
    return text.substr(0, at) + mark;
}

std::string bar(const Style& style, std::int64_t percent, std::size_t columns) {
    percent = std::clamp<std::int64_t>(percent, 0, 100);
    const std::size_t full = columns * static_cast<std::size_t>(percent) / 100;
    std::string done;
    std::string open;
    for (std::size_t i = 0; i < columns; ++i)
        (i < full ? done : open) += style.utf8 ? (i < full ? "█" : "░") : (i < full ? "#" : "-");
    const std::string out = paint(style, Colour::busy, done) + paint(style, Colour::faint, open);
    return style.utf8 ? out : "[" + out + "]";
}

std::string arrow(const Style& style) {
    return style.utf8 ? " → " : " -> ";
}

void Table::head(std::vector<std::string> cells, const Style& style) {
    for (std::string& cell : cells)
        cell = paint(style, Colour::faint, cell);
    rows_.insert(rows_.begin(), std::move(cells));
}

std::string Table::text() const {
    std::vector<std::size_t> widths;
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (i >= widths.size()) widths.push_back(0);
            widths[i] = std::max(widths[i], width(row[i]));
        }
    std::string out;
    for (const auto& row : rows_) {
        std::string line = indent_;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i];
            if (i + 1 < row.size()) line.append(widths[i] - width(row[i]) + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    }
    return out;
}

std::string human_bytes(std::int64_t bytes) {
    if (bytes < 1000) return std::to_string(bytes) + " B";
    const char* unit = "kB";
    double value = static_cast<double>(bytes) / 1e3;
    if (value >= 999.95) {
        value /= 1e3;
        unit = "MB";
    }
    char out[32];
    std::snprintf(out, sizeof out, "%.1f %s", value, unit);
    return out;
}

std::string human_duration(std::int64_t ms) {
    const std::int64_t seconds = std::max<std::int64_t>(ms, 0) / 1000;
    if (seconds < 60) return std::to_string(seconds) + " s";
    if (seconds < 3600) return std::to_string(seconds / 60) + " min";
    if (seconds < 48 * 3600)
        return std::to_string(seconds / 3600) + " h" +
               (seconds % 3600 >= 60 ? " " + std::to_string(seconds % 3600 / 60) + " min" : "");
    return std::to_string(seconds / 86400) + " days";
}

std::string local_time(std::int64_t at_ms) {
    const auto seconds = static_cast<std::time_t>(at_ms / 1000);
    std::tm here{};
    char out[32] = "";
    if (::localtime_r(&seconds, &here) != nullptr) std::strftime(out, sizeof out, "%Y-%m-%d %H:%M:%S", &here);
    return out;
}

}  // namespace mcuota::cli
