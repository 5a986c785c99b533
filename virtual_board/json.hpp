// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// Just enough JSON output for one-line events and answers.

#include <concepts>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace mcuota::board {

/// Builds one JSON object on one line.
class JsonLine {
  public:
    JsonLine& text(std::string_view key, std::string_view value) {
        begin(key);
        out_ += quoted(value);
        return *this;
    }
    template <std::integral T>
    JsonLine& number(std::string_view key, T value) {
        begin(key);
        out_ += std::to_string(value);
        return *this;
    }
    JsonLine& boolean(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
    /// `value` is JSON already.
    JsonLine& raw(std::string_view key, std::string_view value) {
        begin(key);
        out_ += value;
        return *this;
    }
    [[nodiscard]] std::string str() const { return "{" + out_ + "}"; }

    [[nodiscard]] static std::string quoted(std::string_view value) {
        std::string out = "\"";
        for (const char c : value) {
            const auto byte = static_cast<unsigned char>(c);
            if (c == '"' || c == '\\') {
                out += '\\';
                out += c;
            } else if (byte < 0x20) {
                char code[8];
                std::snprintf(code, sizeof code, "\\u%04x", byte);
                out += code;
            } else {
                out += c;
            }
        }
        return out + "\"";
    }

  private:
    void begin(std::string_view key) {
        if (!out_.empty()) out_ += ',';
        out_ += quoted(key) + ":";
    }
    std::string out_;
};

}  // namespace mcuota::board
