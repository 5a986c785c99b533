// The loader's link server in memory that otherwise belongs to the decoders.
#include "mcu_loader/port/stm32f429/loader_service.hpp"

#include <new>

#include "mcu_loader/core/device/self_test_target.hpp"
#include "mcu_loader/port/stm32f429/mailbox.hpp"
#include "mcu_loader/port/stm32f429/stack.hpp"

namespace mcuota::stm32f429 {
namespace {

/// How long a HELLO that asks to stay may take before an application is started: five of them at 115200 baud.
constexpr std::uint32_t kListenMs = 40;
/// The longest event is a dozen bytes, the longest answer a kilobyte: 100 ms at 115200 baud.
constexpr std::uint32_t kDrainMs = 150;
constexpr std::uint32_t kLonelyMs = 60'000;
constexpr std::uint32_t kStackMarkMs = 1'000;

#ifdef MCUOTA_SELF_TEST
using ServedTarget = device::SelfTestTarget;
#else
using ServedTarget = device::LoaderTarget;
#endif

constexpr std::size_t kWindowChunks = 24;
constexpr std::size_t kRingBytes = 32 * 1024;

bool may_start_again(Status reason) noexcept {
    return reason == Status::held_in_loader || reason == Status::journal_failed ||
           device::is_storage_error(reason);
}

}  // namespace

struct LoaderService::Serving {
    Serving(UartLine& line, const device::LoaderParts& parts, device::LoaderFlow& flow) noexcept
        : target{parts.storage, parts.board, parts.product, flow.keys(), flow.journal(), flow.staging()},
          server{line,
                 target,
                 {.role = link::Role::loader, .base_baud = kBaudBase, .receive_ring_bytes = kRingBytes},
                 window} {}
    ServedTarget target;
    link::LinkServer server;
    std::array<std::uint8_t, kWindowChunks * link::kChunkBytes> window;
    std::array<std::uint8_t, kRingBytes> ring;
};

void LoaderService::connect(const device::LoaderParts& parts, device::LoaderFlow& flow) noexcept {
    parts_ = &parts;
    flow_ = &flow;
}

LoaderService::Serving& LoaderService::serving() noexcept {
    if (serving_ == nullptr) {
        serving_ = new (memory_.data()) Serving{line_, *parts_, *flow_};
        line_.listen_start(serving_->ring);
    }
    return *serving_;
}

void LoaderService::progress(std::uint64_t token, link::Step step, std::uint8_t percent) noexcept {
    std::array<std::uint8_t, 16> body{};
    std::array<std::uint8_t, 48> wire{};
    const std::size_t body_bytes = link::encode(link::ProgressEvent{token, step, percent}, body);
    const link::FrameHeader header{.type = link::wire(link::Type::progress)};
    const std::size_t wire_bytes =
        link::encode_frame(header, std::span{body}.first(body_bytes), link::Opening::zero, wire);
    // Advice only: while the last ones still wait for the line this one is not missed.
    if (line_.room() >= wire_bytes) (void)line_.send(std::span{wire}.first(wire_bytes));
}

bool LoaderService::stay_asked() noexcept {
    Serving& now = serving();
    now.server.set_leaving();
    const std::uint32_t begin_ms = parts_->board.now_ms();
    while (parts_->board.now_ms() - begin_ms < kListenMs) {
        if (!now.server.poll(parts_->board.now_ms())) line_.wait();
        if (now.server.stay_requested()) return true;
    }
    line_.listen_stop();
    serving_ = nullptr;
    return false;
}

void LoaderService::serve(const device::LoaderEnd& end) noexcept {
    Serving& now = serving();
    now.target.set_reason(end.reason, end.running);
    now.server.send_boot(end.reason);
    std::uint32_t heard_frames = 0, heard_ms = parts_->board.now_ms(), marked_ms = heard_ms;
    for (;;) {
        parts_->board.feed_watchdog();
        const std::uint32_t now_ms = parts_->board.now_ms();
        if (!now.server.poll(now_ms)) line_.wait();
        if (now_ms - marked_ms >= kStackMarkMs) {
            marked_ms = now_ms;
            keep_stack_mark(stack_used_bytes());
        }
        if (now.server.counters().frames != heard_frames) {
            heard_frames = now.server.counters().frames;
            heard_ms = now_ms;
        } else if (now_ms - heard_ms > kLonelyMs && may_start_again(end.reason)) {
            parts_->board.reset();
        }
    }
}

void LoaderService::drain() noexcept {
    const std::uint32_t begin_ms = parts_->board.now_ms();
    while (!line_.sent() && parts_->board.now_ms() - begin_ms < kDrainMs)
        line_.wait();
}

}  // namespace mcuota::stm32f429
