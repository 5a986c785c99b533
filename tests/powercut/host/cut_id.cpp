// Trial ids as text and back.
#include "tests/powercut/host/cut_id.hpp"

#include <algorithm>
#include <charconv>

namespace mcuota::powercut {
namespace {

using test::Cut;
using test::CutCause;
using test::Tear;

constexpr std::string_view kCauses = "pwr";  // in the order of CutCause

/// Takes what stands before the next `separator` off the front of `text`.
std::string_view take(std::string_view& text, char separator) {
    const std::size_t end = std::min(text.find(separator), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

template <class Number>
bool parse_number(std::string_view text, Number& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size();
}

bool parse_cut(std::string_view text, Cut& cut) {
    if (!parse_number(take(text, '.'), cut.at_operation)) {
        return false;
    }
    const std::string_view tear = take(text, '.');
    const auto found =
        std::find_if(test::kTears.begin(), test::kTears.end(), [&](Tear one) { return name(one) == tear; });
    if (found == test::kTears.end() || text.empty()) {
        return false;
    }
    cut.tear = *found;
    const std::size_t cause = kCauses.find(text.front());
    cut.cause = static_cast<CutCause>(cause);
    return cause != std::string_view::npos && parse_number(text.substr(1), cut.seed);
}

}  // namespace

std::string to_string(const Cuts& cuts) {
    std::string text;
    for (const Cut& cut : cuts) {
        text += text.empty() ? "" : "+";
        text += std::to_string(cut.at_operation) + "." + name(cut.tear) + "." +
                kCauses[static_cast<std::size_t>(cut.cause)] + std::to_string(cut.seed);
    }
    return text;
}

std::string to_string(const std::string& case_id, const Cuts& cuts) {
    return cuts.empty() ? case_id : case_id + "@" + to_string(cuts);
}

std::optional<TrialId> parse_trial_id(std::string_view text) {
    TrialId id;
    std::string_view place = take(text, '@');
    id.scenario = take(place, '/');
    id.geometry = take(place, '/');
    id.size = place;
    while (!text.empty()) {
        if (!parse_cut(take(text, '+'), id.cuts.emplace_back())) {
            return std::nullopt;
        }
    }
    if (id.size.empty()) {
        return std::nullopt;
    }
    return id;
}

}  // namespace mcuota::powercut
