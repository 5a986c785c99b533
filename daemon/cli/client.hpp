#pragma once
// HTTP to mcuotad over its Unix socket (libcurl).

#include <boost/json/value.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "mcu_flasher/base/result.hpp"

namespace mcuota::cli {

/// Ctrl-C and SIGTERM as something that can be waited for, while it lives.
class Interrupts {
  public:
    Interrupts();
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;
    ~Interrupts();
    /// Readable when one came; -1 where the kernel gives none.
    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
    /// Whether one came until now.
    [[nodiscard]] bool came();
    /// Waits; true when one came before the time was over.
    [[nodiscard]] bool wait(int timeout_ms);

  private:
    struct Mask;
    std::unique_ptr<Mask> before_;
    int descriptor_{-1};
    bool came_{false};
};

/// How listening to events ended.
enum class StreamEnd : std::uint8_t { enough, interrupted, lost };

class Client {
  public:
    explicit Client(std::filesystem::path socket);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// daemon_unreachable when nobody answers, permission_denied when this account may not connect, otherwise
    /// the daemon's own error.
    [[nodiscard]] Result<boost::json::value> get(const std::string& path);
    [[nodiscard]] Result<boost::json::value> post(const std::string& path, const boost::json::value& body);
    /// The same for what may take its time: `cancelled` when Ctrl-C came before the answer. The daemon may
    /// have done it all the same.
    [[nodiscard]] Result<boost::json::value> post(const std::string& path, const boost::json::value& body,
                                                  Interrupts& interrupts);
    /// Sends the file's bytes. `progress` is told bytes sent and total.
    [[nodiscard]] Result<boost::json::value> upload(
        const std::string& path, const std::filesystem::path& file,
        const std::function<void(std::uint64_t, std::uint64_t)>& progress);

    /// What a listener does with the events of a stream.
    struct Listener {
        std::function<bool(std::string_view kind, const boost::json::value& data)>
            on_event;                     ///< false: enough
        std::function<void()> on_second;  ///< about once a second, events or not
    };
    /// Listens until the listener has enough, Ctrl-C or the stream ends. An error only when it cannot start.
    [[nodiscard]] Result<StreamEnd> events(const std::string& path, const Listener& listener,
                                           Interrupts& interrupts);
    [[nodiscard]] const std::filesystem::path& socket() const noexcept { return socket_; }

  private:
    struct Curl;
    std::filesystem::path socket_;
    std::unique_ptr<Curl> curl_;
};

}  // namespace mcuota::cli
