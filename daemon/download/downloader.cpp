// The coroutine around a blocking transfer: starts it on the pool, waits without blocking, cancels it on
// demand.
#include "daemon/download/downloader.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "daemon/download/transfer.hpp"

namespace mcuota::download {
namespace asio = boost::asio;

namespace {

/// Shared by the waiting coroutine and the working thread.
struct Task {
    Task(asio::any_io_executor e)
        : executor(std::move(e)), news(executor, asio::steady_timer::time_point::max()) {}
    asio::any_io_executor executor;
    asio::steady_timer news;              ///< cancelled when the work is done
    std::optional<Result<Done>> outcome;  ///< set on the executor
    std::optional<Transfer> transfer;
};

/// A coroutine destroyed while it waits takes its transfer with it.
struct CancelAtExit {
    std::shared_ptr<Task> task;
    ~CancelAtExit() {
        if (!task->outcome) task->transfer->cancel();
    }
};

}  // namespace

Downloader::Downloader(asio::thread_pool& pool, MarkStore& marks, Options options)
    : pool_(pool), marks_(marks), options_(std::move(options)) {}

asio::awaitable<Result<Done>> Downloader::fetch(Request request,
                                                std::function<void(const Progress&)> progress) {
    const auto task = std::make_shared<Task>(co_await asio::this_coro::executor);
    std::function<void(const Progress&)> tell;
    if (progress)
        tell = [task_executor = task->executor,
                progress = std::make_shared<std::function<void(const Progress&)>>(std::move(progress))](
                   const Progress& now) { asio::post(task_executor, [progress, now] { (*progress)(now); }); };
    task->transfer.emplace(std::move(request), options_, marks_, std::move(tell));
    const CancelAtExit guard{task};
    // The working thread keeps the event loop running until its last touch, and leaves the task, whose timer
    // belongs to that loop, to be released there.
    asio::post(pool_, [task = std::shared_ptr(task), work = asio::make_work_guard(task->executor)]() mutable {
        Result<Done> outcome = task->transfer->run();
        asio::post(work.get_executor(), [task = std::move(task), outcome = std::move(outcome)]() mutable {
            task->outcome = std::move(outcome);
            task->news.cancel();
        });
    });
    // Cancellation ends the wait, not the thread: it is told to stop and waited for, so that the partial file
    // is closed and its mark stored when the caller goes on.
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!task->outcome) {
        co_await task->news.async_wait(asio::as_tuple(asio::use_awaitable));
        if (!task->outcome) task->transfer->cancel();
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
    co_return std::move(*task->outcome);
}

}  // namespace mcuota::download
