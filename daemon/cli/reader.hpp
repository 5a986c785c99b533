#pragma once
// Reads for the commands: from the running daemon, or from its database while it is down. The same JSON
// either way.

#include <boost/json/value.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "daemon/api/backend.hpp"
#include "daemon/cli/client.hpp"
#include "db/store.hpp"
#include "mcu_flasher/base/result.hpp"

namespace mcuota::cli {

/// Where a gateway's daemon is and what it leaves behind when it is down.
struct Place {
    std::filesystem::path socket;
    std::filesystem::path state_dir;  ///< empty: not known, no reading without the daemon
};

/// The socket the person named, else the one of the configuration. Which database belongs to a socket named
/// by hand is not known unless the configuration is named, too.
[[nodiscard]] Result<Place> find_place(const std::optional<std::filesystem::path>& socket,
                                       const std::optional<std::filesystem::path>& config_file);

class Reader {
  public:
    explicit Reader(Place place) : place_(std::move(place)), client_(place_.socket) {}

    [[nodiscard]] Result<boost::json::value> status();
    [[nodiscard]] Result<boost::json::value> devices();  ///< a list
    [[nodiscard]] Result<boost::json::value> device(const std::string& name);
    [[nodiscard]] Result<boost::json::value> jobs(const api::JobFilter& filter);  ///< a list
    [[nodiscard]] Result<boost::json::value> job(std::int64_t id);
    [[nodiscard]] Client& client() noexcept { return client_; }
    /// Set once an answer came from the database: where it is.
    [[nodiscard]] const std::optional<std::filesystem::path>& offline() const noexcept { return offline_; }

  private:
    using FromStore = std::function<Result<boost::json::value>(db::Store&)>;
    [[nodiscard]] Result<boost::json::value> read(const std::string& path, const FromStore& from_store);

    Place place_;
    Client client_;
    std::optional<std::filesystem::path> offline_;
};

}  // namespace mcuota::cli
