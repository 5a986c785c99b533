#pragma once
// One table of the file with typed access: collects a problem for every wrong type, range or unknown key
// instead of stopping at the first. Not for other files: toml++ is costly to compile and its headers stay in
// this folder.

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/config/config.hpp"

namespace mcuota::config {

/// Problems of one file, in the order they are found.
class Problems {
  public:
    explicit Problems(std::string file) : file_(std::move(file)) {}
    void error(const toml::source_region& where, std::string key, std::string what, std::string mend) {
        add(ConfigProblem::Severity::error, where, std::move(key), std::move(what), std::move(mend));
    }
    void warning(const toml::source_region& where, std::string key, std::string what, std::string mend) {
        add(ConfigProblem::Severity::warning, where, std::move(key), std::move(what), std::move(mend));
    }
    /// Sorted by place.
    [[nodiscard]] std::vector<ConfigProblem> take();

  private:
    void add(ConfigProblem::Severity severity, const toml::source_region& where, std::string key,
             std::string what, std::string mend);
    std::string file_;
    std::vector<ConfigProblem> list_;
};

/// One table, for example the second [[device]]. Reading a key that known_keys() does not list is a fault of
/// ours and reported as one.
class Section {
  public:
    /// `kind`: the name in known_keys(); `label`: the name in messages ("device[2]").
    Section(const toml::table& table, std::string_view kind, std::string label, Problems& problems);

    [[nodiscard]] std::string text(std::string_view key, std::string fallback = {});
    [[nodiscard]] std::string required_text(std::string_view key);
    /// Whole numbers from `low` to `high`; outside: a problem, and `fallback`.
    [[nodiscard]] std::uint64_t integer(std::string_view key, std::uint64_t fallback, std::uint64_t low,
                                        std::uint64_t high);
    [[nodiscard]] bool flag(std::string_view key, bool fallback);
    [[nodiscard]] std::vector<std::string> texts(std::string_view key);
    /// One of the words; the value beside it.
    template <class T, std::size_t N>
    [[nodiscard]] T word(std::string_view key, T fallback, const std::pair<std::string_view, T> (&words)[N]) {
        const std::string chosen = text(key);
        std::string all;
        for (const auto& [name, value] : words) {
            if (name == chosen) return value;
            all += (all.empty() ? "" : ", ") + std::string(name);
        }
        if (has(key)) error(key, "\"" + chosen + "\" is none of the known words", "write one of: " + all);
        return fallback;
    }

    [[nodiscard]] bool has(std::string_view key) const { return table_.contains(key); }
    void error(std::string_view key, std::string what, std::string mend);
    void warning(std::string_view key, std::string what, std::string mend);

  private:
    [[nodiscard]] const toml::node* find(std::string_view key);
    void report_unknown_keys();
    [[nodiscard]] toml::source_region where(std::string_view key) const;
    [[nodiscard]] std::string name(std::string_view key) const { return label_ + "." + std::string(key); }

    const toml::table& table_;
    std::string_view kind_;
    std::string label_;
    Problems& problems_;
};

/// The known word nearest to `typed`, or nothing when none is near.
[[nodiscard]] std::string_view nearest(std::string_view typed, std::span<const std::string_view> words);

}  // namespace mcuota::config
