// SPDX-License-Identifier: GPL-2.0-or-later
// Names and texts of power cuts.

#include "virtual_board/power.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace mcuota::board {
namespace {

constexpr std::array<std::pair<Tear, const char*>, 4> kTearNames{
    {{Tear::mixed, "mixed"},
     {Tear::partial, "partial"},
     {Tear::looks_done, "looks-done"},
     {Tear::looks_untouched, "looks-untouched"}}};

/// The whole of `text` as a number.
bool number(std::string_view text, std::uint64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return !text.empty() && error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

const char* to_string(OperationKind kind) noexcept {
    switch (kind) {
        case OperationKind::flash_program:
            return "flash program";
        case OperationKind::flash_erase:
            return "flash erase";
        case OperationKind::nor_program:
            return "nor program";
        case OperationKind::nor_erase:
            return "nor erase";
    }
    return "?";
}

const char* to_string(Tear tear) noexcept {
    for (const auto& [value, name] : kTearNames)
        if (value == tear) return name;
    return "?";
}

Outcome<CutPlan> parse_cut_at(const std::string& text) {
    const Failure failure{"\"" + text + "\" is no place for a power cut",
                          "use op:N, op:N:before, op:N:inside, op:N:after or insn:N"};
    CutPlan plan;
    std::string_view rest = text;
    const auto take = [&rest](std::string_view prefix) {
        if (rest.substr(0, prefix.size()) != prefix) return false;
        rest.remove_prefix(prefix.size());
        return true;
    };
    if (take("insn:")) {
        plan.unit = CutPlan::Unit::instruction;
        if (!number(rest, plan.at)) return failure;
        return plan;
    }
    if (!take("op:")) return failure;
    plan.unit = CutPlan::Unit::operation;
    const std::size_t colon = rest.find(':');
    if (!number(rest.substr(0, colon), plan.at)) return failure;
    const std::string_view moment = colon == std::string_view::npos ? "inside" : rest.substr(colon + 1);
    if (moment == "before")
        plan.moment = CutMoment::before;
    else if (moment == "after")
        plan.moment = CutMoment::after;
    else if (moment != "inside")
        return failure;
    return plan;
}

Outcome<Time> parse_time(const std::string& text) {
    constexpr std::array<std::pair<std::string_view, Time>, 3> kUnits{
        {{"us", kMicrosecond}, {"ms", kMillisecond}, {"s", kSecond}}};
    const std::size_t digits = text.find_first_not_of("0123456789");
    std::uint64_t value = 0;
    for (const auto& [unit, length] : kUnits) {
        if (digits == std::string::npos || std::string_view(text).substr(digits) != unit) continue;
        if (!number(std::string_view(text).substr(0, digits), value) || value > 1'000'000 * kSecond / length)
            break;
        return value * length;
    }
    return Failure{"\"" + text + "\" is no time", "use a whole number and us, ms or s, like 1500us"};
}

}  // namespace mcuota::board
