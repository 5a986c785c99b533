#pragma once
// What systemd is told: readiness, a status line, the watchdog's sign of life. Without systemd: nothing.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <string>

namespace mcuota {

class ServiceManager {
  public:
    explicit ServiceManager(const boost::asio::any_io_executor& executor);
    /// READY=1; from now on signs of life from the loop, if the unit asks for them (WatchdogSec=).
    void ready(const std::string& status);
    void status(const std::string& status);
    void stopping();
    /// Standard error is read by journald: log lines carry their priority.
    [[nodiscard]] static bool logs_to_journal();

  private:
    void sign_of_life();
    boost::asio::steady_timer timer_;
    std::uint64_t watchdog_us_{0};
    std::string last_status_;
};

}  // namespace mcuota
