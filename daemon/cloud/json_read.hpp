#pragma once
// Tolerant reading of JSON that comes from a cloud: numbers may arrive as text, values may be missing or of
// another type, and nothing of that is an exception.

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mcu_flasher/base/result.hpp"

namespace mcuota::cloud {

/// Largest message taken apart; Aliyun's own limit is 256 KiB.
inline constexpr std::size_t kMessageBytesMax = 512U << 10;

/// The JSON object in `payload`; NUL bytes and white space after it are tolerated. Errors:
/// cloud_message_malformed.
[[nodiscard]] Result<boost::json::object> parse_object(std::string_view payload);

/// Member `key`, or null when it is missing.
[[nodiscard]] const boost::json::value* member(const boost::json::object& object, std::string_view key);
/// Member `key` as an object, or null.
[[nodiscard]] const boost::json::object* object_member(const boost::json::object& object,
                                                       std::string_view key);
/// Member `key` when it is a string.
[[nodiscard]] std::optional<std::string> text_member(const boost::json::object& object, std::string_view key);
/// Member `key` as a whole number ≥ 0: a number, an integral floating-point number, or a string of digits.
[[nodiscard]] std::optional<std::uint64_t> number_member(const boost::json::object& object,
                                                         std::string_view key);
/// Member `key` as text, whether it is a string or a whole number (ids come in both forms).
[[nodiscard]] std::optional<std::string> id_member(const boost::json::object& object, std::string_view key);

}  // namespace mcuota::cloud
