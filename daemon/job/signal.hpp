#pragma once
// A flag coroutines of one thread can wait for, any number at a time: raised before or during the wait, it
// ends it.

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <vector>

namespace mcuota::job {

class Signal {
  public:
    explicit Signal(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;

    void raise() {
        raised_ = true;
        for (boost::asio::steady_timer* waiter : waiters_)
            waiter->cancel();
    }
    void lower() noexcept { raised_ = false; }
    [[nodiscard]] bool raised() const noexcept { return raised_; }

    /// Until raised (or cancelled). Leaves the flag as it is.
    boost::asio::awaitable<void> wait() {
        boost::asio::steady_timer timer(executor_, boost::asio::steady_timer::time_point::max());
        co_await wait_on(timer);
    }
    /// Until raised, or for `limit_ms`. True: raised.
    boost::asio::awaitable<bool> wait_for(std::int64_t limit_ms) {
        boost::asio::steady_timer timer(executor_, std::chrono::milliseconds(limit_ms));
        co_await wait_on(timer);
        co_return raised_;
    }

  private:
    struct Enlisted {
        Enlisted(std::vector<boost::asio::steady_timer*>& all, boost::asio::steady_timer& mine)
            : all_(all), mine_(&mine) {
            all_.push_back(mine_);
        }
        Enlisted(const Enlisted&) = delete;
        Enlisted& operator=(const Enlisted&) = delete;
        ~Enlisted() { all_.erase(std::find(all_.begin(), all_.end(), mine_)); }
        std::vector<boost::asio::steady_timer*>& all_;
        boost::asio::steady_timer* mine_;
    };

    boost::asio::awaitable<void> wait_on(boost::asio::steady_timer& timer) {
        if (raised_) co_return;
        const Enlisted enlisted(waiters_, timer);
        co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }

    boost::asio::any_io_executor executor_;
    std::vector<boost::asio::steady_timer*> waiters_;
    bool raised_{false};
};

}  // namespace mcuota::job
