// sd_notify(3) and sd_watchdog_enabled(3).
#include "daemon/service_manager.hpp"

#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstdlib>

namespace mcuota {

ServiceManager::ServiceManager(const boost::asio::any_io_executor& executor) : timer_(executor) {
    std::uint64_t microseconds = 0;
    if (sd_watchdog_enabled(0, &microseconds) > 0) watchdog_us_ = microseconds;
}

void ServiceManager::ready(const std::string& status) {
    last_status_ = status;
    sd_notify(0, ("READY=1\nSTATUS=" + status).c_str());
    sign_of_life();
}

void ServiceManager::status(const std::string& status) {
    if (status == last_status_) return;
    last_status_ = status;
    sd_notify(0, ("STATUS=" + status).c_str());
}

void ServiceManager::stopping() {
    timer_.cancel();
    watchdog_us_ = 0;
    sd_notify(0, "STOPPING=1\nSTATUS=stopping");
}

void ServiceManager::sign_of_life() {
    if (watchdog_us_ == 0) return;
    sd_notify(0, "WATCHDOG=1");
    timer_.expires_after(std::chrono::microseconds(watchdog_us_ / 3));
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) sign_of_life();
    });
}

bool ServiceManager::logs_to_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");  // NOLINT(concurrency-mt-unsafe): start-up only
    struct stat status {};
    if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
    return std::string(stream) == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

}  // namespace mcuota
