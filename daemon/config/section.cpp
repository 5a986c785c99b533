// Typed access to one table of the configuration.
#include "daemon/config/section.hpp"

#include <algorithm>
#include <numeric>

namespace mcuota::config {
namespace {

std::string_view type_name(const toml::node& node) {
    switch (node.type()) {
        case toml::node_type::string:
            return "a text";
        case toml::node_type::integer:
            return "a whole number";
        case toml::node_type::floating_point:
            return "a number with a point";
        case toml::node_type::boolean:
            return "true or false";
        case toml::node_type::array:
            return "a list";
        case toml::node_type::table:
            return "a table";
        default:
            return "a date or time";
    }
}

std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U);
            diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
        }
    }
    return row.back();
}

}  // namespace

std::string_view nearest(std::string_view typed, std::span<const std::string_view> words) {
    std::string_view best;
    std::size_t best_distance = typed.size() / 3 + 2;
    for (const std::string_view word : words) {
        const std::size_t found = distance(typed, word);
        if (found < best_distance) {
            best_distance = found;
            best = word;
        }
    }
    return best;
}

void Problems::add(ConfigProblem::Severity severity, const toml::source_region& where, std::string key,
                   std::string what, std::string mend) {
    list_.push_back({severity, file_, where.begin.line, where.begin.column, std::move(key), std::move(what),
                     std::move(mend)});
}

std::vector<ConfigProblem> Problems::take() {
    std::stable_sort(list_.begin(), list_.end(), [](const ConfigProblem& a, const ConfigProblem& b) {
        return std::pair(a.line, a.column) < std::pair(b.line, b.column);
    });
    return std::move(list_);
}

Section::Section(const toml::table& table, std::string_view kind, std::string label, Problems& problems)
    : table_(table), kind_(kind), label_(std::move(label)), problems_(problems) {
    report_unknown_keys();
}

void Section::report_unknown_keys() {
    std::vector<std::string_view> known;
    for (const KnownKey& key : known_keys())
        if (key.table == kind_) known.push_back(key.key);
    for (const auto& [key, node] : table_) {
        if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
        const std::string_view near = nearest(key.str(), known);
        problems_.error(key.source(), name(key.str()), "there is no such key",
                        near.empty() ? "remove it, or see the example mcuota.toml for the keys there are"
                                     : "did you mean \"" + std::string(near) + "\"?");
    }
}

toml::source_region Section::where(std::string_view key) const {
    const toml::node* node = table_.get(key);
    return node != nullptr ? node->source() : table_.source();
}

const toml::node* Section::find(std::string_view key) {
    const bool known = std::any_of(known_keys().begin(), known_keys().end(), [&](const KnownKey& entry) {
        return entry.table == kind_ && entry.key == key;
    });
    if (!known) error(key, "mcuota reads this key but does not list it", "report this as a bug");
    return table_.get(key);
}

void Section::error(std::string_view key, std::string what, std::string mend) {
    problems_.error(where(key), name(key), std::move(what), std::move(mend));
}
void Section::warning(std::string_view key, std::string what, std::string mend) {
    problems_.warning(where(key), name(key), std::move(what), std::move(mend));
}

std::string Section::text(std::string_view key, std::string fallback) {
    const toml::node* node = find(key);
    if (node == nullptr) return fallback;
    if (const auto* value = node->as_string()) return value->get();
    error(key, "a text is needed, this is " + std::string(type_name(*node)),
          "put the value in double quotes");
    return fallback;
}

std::string Section::required_text(std::string_view key) {
    std::string value = text(key);
    const toml::node* node = table_.get(key);
    if (node == nullptr)
        error(key, "this key is needed here", "add: " + std::string(key) + " = \"…\"");
    else if (node->is_string() && value.empty())
        error(key, "the text is empty", "fill it in");
    return value;
}

std::uint64_t Section::integer(std::string_view key, std::uint64_t fallback, std::uint64_t low,
                               std::uint64_t high) {
    const toml::node* node = find(key);
    if (node == nullptr) return fallback;
    const auto* value = node->as_integer();
    if (value == nullptr) {
        error(key, "a whole number is needed, this is " + std::string(type_name(*node)),
              "write it without quotes and point, for example " + std::to_string(fallback));
        return fallback;
    }
    const std::int64_t number = value->get();
    if (number < 0 || static_cast<std::uint64_t>(number) < low || static_cast<std::uint64_t>(number) > high) {
        error(key, std::to_string(number) + " is out of range",
              "use " + std::to_string(low) + " to " + std::to_string(high));
        return fallback;
    }
    return static_cast<std::uint64_t>(number);
}

bool Section::flag(std::string_view key, bool fallback) {
    const toml::node* node = find(key);
    if (node == nullptr) return fallback;
    if (const auto* value = node->as_boolean()) return value->get();
    error(key, "true or false is needed, this is " + std::string(type_name(*node)),
          "write true or false, no quotes");
    return fallback;
}

std::vector<std::string> Section::texts(std::string_view key) {
    std::vector<std::string> values;
    const toml::node* node = find(key);
    if (node == nullptr) return values;
    const toml::array* list = node->as_array();
    if (list == nullptr) {
        error(key, "a list of texts is needed, this is " + std::string(type_name(*node)),
              "write " + std::string(key) + " = [\"…\", \"…\"]");
        return values;
    }
    for (const toml::node& element : *list) {
        if (const auto* value = element.as_string())
            values.push_back(value->get());
        else
            problems_.error(element.source(), name(key), "only texts may be in this list",
                            "put each in double quotes");
    }
    return values;
}

}  // namespace mcuota::config
