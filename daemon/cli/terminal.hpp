#pragma once
// What the text may look like: colours, characters, width. Plain wherever the output is not a terminal.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mcuota::cli {

/// How to write to one stream.
struct Style {
    bool terminal{false};
    bool colour{false};  ///< a terminal, and NO_COLOR is not set
    bool utf8{false};    ///< the locale can show arrows and blocks
    int columns{80};
    /// Style of standard output (1) or standard error (2).
    [[nodiscard]] static Style of(int descriptor);
};

enum class Colour : std::uint8_t { none, good, bad, busy, faint, strong };

[[nodiscard]] std::string paint(const Style& style, Colour colour, std::string_view text);
/// Columns a UTF-8 text takes, colour sequences not counted.
[[nodiscard]] std::size_t width(std::string_view text);
/// Cut to `columns`, with a mark that something is missing.
[[nodiscard]] std::string shortened(const Style& style, const std::string& text, std::size_t columns);
[[nodiscard]] std::string bar(const Style& style, std::int64_t percent, std::size_t columns);
[[nodiscard]] std::string arrow(const Style& style);

/// Rows of aligned columns, two spaces apart.
class Table {
  public:
    explicit Table(std::string indent = "") : indent_(std::move(indent)) {}
    void head(std::vector<std::string> cells, const Style& style);
    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
    [[nodiscard]] std::string text() const;

  private:
    std::string indent_;
    std::vector<std::vector<std::string>> rows_;
};

/// "812 B", "123.4 kB", "1.2 MB".
[[nodiscard]] std::string human_bytes(std::int64_t bytes);
/// "5 s", "3 min", "2 h 5 min", "4 days".
[[nodiscard]] std::string human_duration(std::int64_t ms);
/// Date and time of day here: "2026-11-21 10:00:00".
[[nodiscard]] std::string local_time(std::int64_t at_ms);

}  // namespace mcuota::cli
