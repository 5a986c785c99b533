#pragma once
// What the job engine uses of the outside world, as interfaces, with their real forms: the wire to a device
// and the downloader. Tests put their own in place.

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>

#include "daemon/download/downloader.hpp"
#include "mcu_flasher/flasher.hpp"

namespace mcuota::job {

/// One device on its wire (flasher::Flasher). One operation at a time.
class DevicePort {
  public:
    virtual ~DevicePort() = default;
    virtual boost::asio::awaitable<Result<link::Identity>> identify() = 0;
    /// Flasher::after_trial().
    virtual boost::asio::awaitable<Result<link::Identity>> after_trial(link::Identity identity) = 0;
    virtual boost::asio::awaitable<Result<void>> send(std::span<const std::uint8_t> envelope,
                                                      flasher::ProgressFn progress) = 0;
    virtual boost::asio::awaitable<Result<flasher::InstallReport>> install(std::uint64_t token,
                                                                           flasher::ProgressFn progress) = 0;
    /// Flasher::rollback().
    virtual boost::asio::awaitable<Result<flasher::InstallReport>> rollback(std::uint64_t token,
                                                                            flasher::ProgressFn progress) = 0;
    virtual boost::asio::awaitable<Result<flasher::InstallReport>> follow(std::uint64_t token,
                                                                          flasher::ProgressFn progress) = 0;
    /// Flasher::rotate().
    virtual boost::asio::awaitable<Result<std::uint16_t>> rotate(std::span<const std::uint8_t> record) = 0;
    virtual void close() = 0;
};
/// Makes the port of a device from its configured link.
using MakePort = std::function<std::unique_ptr<DevicePort>(const std::string& link)>;

/// Fetches artifacts (download::Downloader).
class Fetcher {
  public:
    virtual ~Fetcher() = default;
    virtual boost::asio::awaitable<Result<download::Done>> fetch(
        download::Request request, std::function<void(const download::Progress&)> progress) = 0;
};

}  // namespace mcuota::job
