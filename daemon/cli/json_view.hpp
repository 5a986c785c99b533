#pragma once
// Reads the API's JSON without trusting it: what is missing or of another type is empty, and no text can
// steer the terminal.

#include <boost/json/value.hpp>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace mcuota::cli {

/// The value at the end of `path`, or null.
[[nodiscard]] const boost::json::value& at(const boost::json::value& value,
                                           std::initializer_list<std::string_view> path);
/// A string with its control characters replaced; numbers as text; "" for null.
[[nodiscard]] std::string text(const boost::json::value& value, std::initializer_list<std::string_view> path);
[[nodiscard]] std::int64_t number(const boost::json::value& value,
                                  std::initializer_list<std::string_view> path);
[[nodiscard]] bool flag(const boost::json::value& value, std::initializer_list<std::string_view> path);
/// The elements, or none.
[[nodiscard]] const boost::json::array& list(const boost::json::value& value,
                                             std::initializer_list<std::string_view> path);
/// Milliseconds since the epoch of an RFC 3339 text; 0 when there is none.
[[nodiscard]] std::int64_t time_ms(const boost::json::value& value,
                                   std::initializer_list<std::string_view> path);

}  // namespace mcuota::cli
