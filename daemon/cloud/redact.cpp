// Takes permissions and passwords out of urls in free text.
#include "daemon/cloud/redact.hpp"

namespace mcuota::cloud {

std::string redact_urls(std::string_view text) {
    std::string out;
    for (;;) {
        const std::size_t scheme = text.find("://");
        if (scheme == std::string_view::npos) return out.append(text);
        const std::size_t host = scheme + 3;
        std::size_t end = text.find_first_of(" \t\r\n\"'<>", host);
        if (end == std::string_view::npos) end = text.size();
        const std::string_view url = text.substr(host, end - host);
        const std::size_t path = url.find_first_of("/?#");
        const std::string_view authority = url.substr(0, path);
        const std::size_t at = authority.rfind('@');
        const std::size_t query = url.find('?');
        out.append(text.substr(0, host));
        if (at != std::string_view::npos) out.append("…");
        const std::size_t from = at == std::string_view::npos ? 0 : at;
        out.append(url.substr(from, query == std::string_view::npos ? query : query - from));
        if (query != std::string_view::npos) out.append("?…");
        text.remove_prefix(end);
    }
}

}  // namespace mcuota::cloud
