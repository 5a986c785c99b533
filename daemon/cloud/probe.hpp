#pragma once
// Slow questions about a server, asked on a thread of their own: does its name resolve, what is wrong with
// its TLS. Name lookups cannot be cancelled, so neither the event loop nor a shutdown may wait for one.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace mcuota::cloud {

/// Empty when `host` resolves, else why not. Blocks.
[[nodiscard]] std::string lookup_problem(const std::string& host);
/// Connects and shakes hands: empty when `ca_file` (empty: the system's) proves the server to be `host`, else
/// what is wrong, in OpenSSL's words. Blocks up to about `timeout_ms`.
[[nodiscard]] std::string tls_problem(const std::string& host, std::uint16_t port,
                                      const std::filesystem::path& ca_file, std::uint32_t timeout_ms);

/// Runs blocking questions on threads that are never waited for. An answer is posted to the executor, unless
/// this object is gone by then.
class Questions {
  public:
    explicit Questions(boost::asio::any_io_executor executor)
        : door_(std::make_shared<Door>(std::move(executor))) {}
    ~Questions() {
        const std::lock_guard lock(door_->mutex);
        door_->open = false;
    }
    Questions(const Questions&) = delete;
    Questions& operator=(const Questions&) = delete;

    void ask(std::function<std::string()> question, std::function<void(std::string)> answered) {
        std::thread([door = door_, question = std::move(question), answered = std::move(answered)]() mutable {
            std::string answer = question();
            const std::lock_guard lock(door->mutex);
            if (!door->open) return;
            boost::asio::post(door->executor, [answered = std::move(answered), answer = std::move(answer)] {
                answered(answer);
            });
        }).detach();
    }

  private:
    struct Door {
        explicit Door(boost::asio::any_io_executor e) : executor(std::move(e)) {}
        std::mutex mutex;
        bool open{true};
        boost::asio::any_io_executor executor;
    };
    std::shared_ptr<Door> door_;
};

}  // namespace mcuota::cloud
