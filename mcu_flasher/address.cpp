// Link addresses as people write them: "uart:/dev/ttyUSB0:921600", "tcp:10.0.0.7:3333".
#include <charconv>
#include <optional>

#include "mcu_flasher/flasher.hpp"

namespace mcuota::flasher {

namespace {

constexpr std::uint32_t kBaudMin = 1'200;
constexpr std::uint32_t kBaudMax = 4'000'000;
constexpr std::uint32_t kAddressMax = 247;

std::optional<std::uint32_t> number(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// Takes ":number" off the end of `text`.
std::optional<std::uint32_t> take_number(std::string_view& text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto value = number(text.substr(colon + 1));
    if (value) text = text.substr(0, colon);
    return value;
}

Error wrong(const std::string& text, std::string_view why) {
    return {ErrorCode::usage, "the link \"" + text + "\" " + std::string(why),
            "write uart:/dev/ttyUSB0[:baud[:address]] or tcp:HOST:PORT"};
}

Result<LinkAddress> parse_uart(const std::string& text, std::string_view rest) {
    LinkAddress out;
    // The path may hold colons itself (/dev/serial/by-path), so the numbers are taken off its end.
    const auto last = take_number(rest);
    const auto before = last ? take_number(rest) : std::nullopt;
    const auto baud = before ? before : last;
    if (baud) out.baud = *baud;
    if (before && *last > kAddressMax) return wrong(text, "has an address above 247");
    if (before) out.address = static_cast<std::uint8_t>(*last);
    if (out.baud < kBaudMin || out.baud > kBaudMax)
        return wrong(text, "has a speed outside 1200 to 4000000 baud");
    if (rest.empty() || rest.front() != '/') return wrong(text, "names no port: its path begins with /");
    out.path_or_host = std::string(rest);
    return out;
}

Result<LinkAddress> parse_tcp(const std::string& text, std::string_view rest) {
    LinkAddress out;
    out.kind = LinkAddress::Kind::tcp;
    const auto port = take_number(rest);
    if (!port || *port == 0 || *port > 0xFFFF) return wrong(text, "has no port from 1 to 65535");
    out.port = static_cast<std::uint16_t>(*port);
    if (rest.size() > 2 && rest.front() == '[' && rest.back() == ']') rest = rest.substr(1, rest.size() - 2);
    if (rest.empty()) return wrong(text, "names no host");
    out.path_or_host = std::string(rest);
    return out;
}

}  // namespace

Result<LinkAddress> parse_link_address(const std::string& text) {
    const std::string_view all{text};
    if (all.starts_with("uart:")) return parse_uart(text, all.substr(5));
    if (all.starts_with("tcp:")) return parse_tcp(text, all.substr(4));
    return wrong(text, "is of no known kind");
}

std::string to_string(const LinkAddress& address) {
    if (address.kind == LinkAddress::Kind::tcp) {
        const bool v6 = address.path_or_host.find(':') != std::string::npos;
        const std::string host = v6 ? "[" + address.path_or_host + "]" : address.path_or_host;
        return "tcp:" + host + ":" + std::to_string(address.port);
    }
    std::string out = "uart:" + address.path_or_host;
    if (address.baud != LinkAddress{}.baud || address.address != 0) out += ":" + std::to_string(address.baud);
    if (address.address != 0) out += ":" + std::to_string(address.address);
    return out;
}

}  // namespace mcuota::flasher
