#pragma once
// Runs blocking work on the pool and resumes the caller on its own executor.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <type_traits>
#include <utility>

namespace mcuota::job {

namespace detail {
template <class Work, class Answer>
boost::asio::awaitable<void> run_work(Work& work, std::optional<Answer>& answer) {
    answer.emplace(work());
    co_return;
}
}  // namespace detail

/// `work()` must not throw. What it refers to must live until this returns; it always runs to its end.
template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work&>> on_pool(boost::asio::thread_pool& pool, Work work) {
    std::optional<std::invoke_result_t<Work&>> answer;
    co_await boost::asio::co_spawn(pool, detail::run_work(work, answer), boost::asio::use_awaitable);
    co_return std::move(*answer);
}

}  // namespace mcuota::job
