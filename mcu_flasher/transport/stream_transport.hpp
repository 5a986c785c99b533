#pragma once
// The part serial ports and sockets share: one read and one write under way at any time, the rest in queues.

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <memory>
#include <string>
#include <utility>

#include "mcu_flasher/transport/transport.hpp"

namespace mcuota::flasher {

template <class Stream>
class StreamTransport : public Transport {
  public:
    StreamTransport(Stream stream, std::string name)
        : state_(std::make_shared<State>(std::move(stream), std::move(name))) {}
    ~StreamTransport() override { shut(); }
    StreamTransport(const StreamTransport&) = delete;
    StreamTransport& operator=(const StreamTransport&) = delete;

    void start(std::function<void()> on_event) override {
        state_->on_event = std::move(on_event);
        State::read(state_);
    }
    void write(std::span<const std::uint8_t> bytes) override {
        state_->queue.insert(state_->queue.end(), bytes.begin(), bytes.end());
        State::write(state_);
    }
    Result<void> set_baud(std::uint32_t) override { return {}; }
    std::vector<std::uint8_t> take() override { return std::exchange(state_->inbox, {}); }
    const std::optional<Error>& failure() const override { return state_->failure; }
    void close() override { shut(); }

  protected:
    struct State : std::enable_shared_from_this<State> {
        State(Stream s, std::string n) : stream(std::move(s)), name(std::move(n)) {}

        static void read(const std::shared_ptr<State>& self) {
            self->stream.async_read_some(boost::asio::buffer(self->in),
                                         [self](const boost::system::error_code& error, std::size_t size) {
                                             if (self->closed) return;
                                             if (error) return self->lose(error);
                                             self->inbox.insert(
                                                 self->inbox.end(), self->in.begin(),
                                                 self->in.begin() + static_cast<std::ptrdiff_t>(size));
                                             self->tell();
                                             if (!self->closed) read(self);
                                         });
        }
        static void write(const std::shared_ptr<State>& self) {
            if (self->writing || self->closed || self->failure || self->queue.empty()) return;
            self->writing = true;
            self->out = std::exchange(self->queue, {});
            self->written = 0;
            write_more(self);
        }
        static void write_more(const std::shared_ptr<State>& self) {
            self->stream.async_write_some(
                boost::asio::buffer(self->out.data() + self->written, self->out.size() - self->written),
                [self, turn = self->turn](const boost::system::error_code& error, std::size_t size) {
                    if (self->closed || turn != self->turn) return;
                    if (error) return self->lose(error);
                    self->written += size;
                    if (self->written < self->out.size()) return write_more(self);
                    self->writing = false;
                    write(self);
                });
        }
        void lose(const boost::system::error_code& error) {
            const bool ended = error == boost::asio::error::eof;
            failure =
                Error{ErrorCode::link_lost, name + (ended ? " hung up" : " is gone: " + error.message()),
                      "check the cable and the port; what the device holds already is not sent twice"};
            tell();
        }
        void tell() {
            if (on_event) on_event();
        }
        /// Forgets unsent output; a write under way is not heard of any more.
        void drop_output() {
            queue.clear();
            writing = false;
            ++turn;
        }

        Stream stream;
        std::string name;
        std::function<void()> on_event;
        std::array<std::uint8_t, 4096> in{};
        std::vector<std::uint8_t> inbox, queue, out;
        std::size_t written{0};
        std::uint64_t turn{0};
        bool writing{false};
        bool closed{false};
        std::optional<Error> failure;
    };

    void shut() {
        if (state_->closed) return;
        state_->closed = true;
        state_->on_event = nullptr;
        boost::system::error_code ignored;
        state_->stream.close(ignored);
    }

    std::shared_ptr<State> state_;
};

}  // namespace mcuota::flasher
