// SPDX-License-Identifier: GPL-2.0-or-later
// Pacing and input/output.

#include "virtual_board/runner.hpp"

#include <poll.h>

#include <algorithm>
#include <array>

#include "virtual_board/json.hpp"

namespace mcuota::board {
namespace {

using std::chrono::nanoseconds;

constexpr Time kRealSlice = 250 * kMicrosecond;
constexpr Time kAfterEvent =
    100 * kMicrosecond;  // the CPU's time to react before the next look at the wall clock
constexpr Time kIdleWaitMax = 20 * kMillisecond;
constexpr Time kLagForgiven = 50 * kMillisecond;  // a host slower than this makes virtual time lag for good
constexpr Time kMaxSlice = 1 * kMillisecond;
constexpr Time kOwedMin = 500 * kMicrosecond;
constexpr Time kOwedMax = 100 * kMillisecond;
constexpr nanoseconds kServiceEvery = std::chrono::microseconds(100);
constexpr std::size_t kBacklogMax = 2048;
constexpr Time kOffTime = 50 * kMillisecond;  // long enough for every supply to reach zero

[[nodiscard]] nanoseconds to_wall(Time time) {
    return nanoseconds(static_cast<std::int64_t>(time / kNanosecond));
}

}  // namespace

Runner::Runner(Board& board, UartBackend* uart, Settings settings)
    : board_(board),
      uart_(uart),
      settings_(settings),
      noise_(settings.seed ^ 0x5EED),
      brown_outs_left_(settings.cut.brown_outs),
      brown_out_times_(settings.seed ^ 0xB0),
      epoch_(WallClock::now()),
      epoch_virtual_(board.now()),
      last_service_(epoch_),
      idle_seen_(board.idle_time()) {
    board_.set_cut_effects(settings_.cut.tear, settings_.vbat);
    if (settings_.cut.plan.unit != CutPlan::Unit::none) board_.plan_cut(settings_.cut.plan);
}

void Runner::after_cut() {
    cut_seen_ = false;
    if (settings_.cut.after == AfterCut::quit) quit_ = true;
    if (settings_.cut.after != AfterCut::on) return;
    board_.run(board_.now() + kOffTime);
    board_.power_on();
    if (brown_outs_left_ == 0) return;
    --brown_outs_left_;
    const Time until = brown_out_times_.next() % settings_.cut.brown_out_max;
    board_.plan_cut({CutPlan::Unit::time, board_.now() + until, CutMoment::inside});
}

void Runner::run(const std::function<bool()>& stop) {
    epoch_ = WallClock::now();
    epoch_virtual_ = board_.now();
    while (!quit_ && !stop()) {
        if (settings_.speed == Speed::real)
            step_real();
        else
            step_max();
        if (cut_seen_) after_cut();
    }
    flush();
}

Time Runner::wall_time() const {
    const auto passed = std::chrono::duration_cast<nanoseconds>(WallClock::now() - epoch_).count();
    return epoch_virtual_ + static_cast<Time>(passed) * kNanosecond;
}

void Runner::step_real() {
    Time wall = wall_time();
    if (wall > board_.now() + kLagForgiven) {
        epoch_ = WallClock::now();
        epoch_virtual_ = board_.now();
        wall = board_.now();
    }
    if (!board_.idle()) {
        board_.run(board_.now() + kRealSlice);
        flush();
        wall = wall_time();
        const Time ahead = board_.now() > wall ? board_.now() - wall : 0;
        wait(ahead > 50 * kMicrosecond ? to_wall(ahead) : nanoseconds(0));
        return;
    }
    // Nothing happens on the board before the next event: sleep until then, or until a client speaks.
    const Time goal = std::min(board_.next_event(), board_.now() + kIdleWaitMax);
    wait(goal > wall ? to_wall(goal - wall) : nanoseconds(0));
    wall = wall_time();
    if (wall >= goal)
        board_.run(std::max(goal, board_.now()) + kAfterEvent);
    else if (wall > board_.now())
        board_.run(wall);
    flush();
}

void Runner::step_max() {
    // Virtual time that passed while nothing was under way is paid for in wall time before more of it passes.
    if (owed_ >= kOwedMin && board_.quiet()) {
        const auto before = WallClock::now();
        wait(to_wall(std::min(owed_, kIdleWaitMax)));
        const auto waited = std::chrono::duration_cast<nanoseconds>(WallClock::now() - before).count();
        owed_ -= std::min(owed_, static_cast<Time>(waited) * kNanosecond);
        return;
    }
    board_.run(board_.now() + kMaxSlice);
    flush();
    const bool someone_may_call = uart_ || control_;
    if (someone_may_call) owed_ += (board_.idle_time() - idle_seen_) / settings_.idle_rate;
    owed_ = std::min(owed_, kOwedMax);
    idle_seen_ = board_.idle_time();
    if (WallClock::now() - last_service_ >= kServiceEvery) wait(nanoseconds(0));
}

void Runner::wait(nanoseconds longest) {
    std::vector<pollfd> set;
    // A full backlog is not waited on: the line is busy with what is there.
    if (uart_ && board_.console().backlog() < kBacklogMax) uart_->poll_set(set);
    if (control_) control_->poll_set(set);
    timespec timeout{};
    timeout.tv_sec = longest.count() / 1'000'000'000;
    timeout.tv_nsec = longest.count() % 1'000'000'000;
    last_service_ = WallClock::now();
    if (::ppoll(set.data(), set.size(), &timeout, nullptr) <= 0) return;  // nobody wants anything
    exchange_bytes();
    if (control_) control_->update();
}

bool Runner::baud_mismatch() const {
    const std::uint64_t client = uart_->client_baud();
    const std::uint64_t mcu = board_.console_baud();
    if (client == 0 || mcu == 0) return false;
    const std::uint64_t difference = client > mcu ? client - mcu : mcu - client;
    return difference * 25 > mcu;  // 4 %
}

void Runner::exchange_bytes() {
    if (!uart_) return;
    uart_->update();
    std::array<std::uint8_t, 1024> buffer;
    while (board_.console().backlog() < kBacklogMax) {
        const std::size_t got = uart_->read(buffer);
        if (got == 0) break;
        const bool mismatch = baud_mismatch();
        const std::uint64_t baud = uart_->client_baud();
        const Time byte_time = baud ? 10 * kSecond / baud : 0;
        for (std::size_t i = 0; i < got; ++i) {
            Usart::LineByte byte{buffer[i], mismatch};
            if (mismatch) byte.value = noise_.byte();
            board_.console_receive(byte, byte_time);
        }
    }
}

void Runner::flush() {
    if (tx_.empty()) return;
    if (uart_) {
        if (baud_mismatch())
            for (std::uint8_t& byte : tx_)
                byte = noise_.byte();
        uart_->write(tx_);
    }
    tx_.clear();
}

std::string Runner::command(std::string_view line) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' '))
        line.remove_suffix(1);
    const auto done = [] { return JsonLine().boolean("ok", true).str(); };
    const auto refuse = [](std::string_view why) {
        return JsonLine().boolean("ok", false).text("error", why).str();
    };
    if (line == "reset") {
        if (!board_.powered()) return refuse("the board is off: power on first");
        board_.reset_pin();
        return done();
    }
    if (line == "power off" || line == "power cycle") board_.power_off(settings_.vbat);
    if (line == "power on" || line == "power cycle") board_.power_on();
    if (line.substr(0, 6) == "power " && (line == "power off" || line == "power on" || line == "power cycle"))
        return done();
    if (line == "boot0 0") return done();
    if (line == "boot0 1") return refuse("the ROM bootloader is not modelled: BOOT0 stays 0");
    constexpr std::string_view kFault = "fault ";
    if (line == "fault none") {
        board_.faults().clear();
        return done();
    }
    if (line.substr(0, kFault.size()) == kFault) {
        Outcome<Fault> fault = parse_fault(std::string(line.substr(kFault.size())), board_.geometry(),
                                           board_.nor().size_bytes());
        if (!fault) return refuse(fault.failure().what + "; " + fault.failure().next);
        board_.faults().add(std::move(*fault));
        return done();
    }
    if (line == "status") return status();
    if (line == "quit") {
        quit_ = true;
        return done();
    }
    return refuse(
        "unknown command; there are: reset, power off|on|cycle, boot0 0|1, fault SPEC|none, status, quit");
}

std::string Runner::status() const {
    const auto hex = [](std::uint32_t value) {
        std::array<char, 12> text{};
        std::snprintf(text.data(), text.size(), "0x%08X", value);
        return std::string(text.data());
    };
    JsonLine erases;
    for (const auto& [sector, count] : board_.flash().erases())
        erases.number(std::to_string(sector), count);
    std::uint64_t nor_worst = 0;
    for (const auto& [sector, count] : board_.nor().erases())
        nor_worst = std::max(nor_worst, count);
    const W25q::Counters& nor = board_.nor().counters();
    JsonLine nor_json;
    nor_json.number("page_programs", nor.page_programs)
        .number("erases_4k", nor.erases_4k)
        .number("erases_32k", nor.erases_32k)
        .number("erases_64k", nor.erases_64k)
        .number("chip_erases", nor.chip_erases)
        .number("worst_sector_erases", nor_worst)
        .number("bytes_read", nor.bytes_read)
        .number("refused_commands", nor.refused);
    const Usart::Counters& usart = board_.console().counters();
    JsonLine uart_json;
    uart_json.number("baud", board_.console_baud())
        .number("sent", usart.sent)
        .number("received", usart.received)
        .number("overruns", usart.overruns)
        .number("framing_errors", usart.framing_errors)
        .number("lost_receiver_off", usart.lost_receiver_off)
        .number("dropped_no_client", uart_ ? uart_->dropped() : 0)
        .boolean("client", uart_ && uart_->connected());
    const char* state = !board_.powered()       ? "off"
                        : board_.locked_up()    ? "lockup"
                        : board_.flash().busy() ? "flash busy"
                        : board_.sleeping()     ? "sleeping"
                                                : "running";
    return JsonLine()
        .boolean("ok", true)
        .boolean("power", board_.powered())
        .text("state", state)
        .text("pc", hex(board_.pc()))
        .text("vtor", hex(board_.nvic().vtor()))
        .number("cycles", board_.clock().cycles())
        .number("instructions", board_.instructions())
        .number("time_ms", board_.now() / kMillisecond)
        .number("core_hz", board_.clock().hz())
        .number("resets", board_.resets())
        .number("operations", board_.operations())
        .text("last_reset", to_string(board_.last_reset()))
        .text("reset_flags", board_.rcc().cause_text())
        .text("cfsr", hex(board_.nvic().cfsr()))
        .text("hfsr", hex(board_.nvic().hfsr()))
        .number("exceptions", board_.exceptions())
        .boolean("watchdog", board_.iwdg().running())
        .raw("flash_erases", erases.str())
        .number("flash_programs", board_.flash().words_programmed())
        .raw("nor", nor_json.str())
        .raw("uart", uart_json.str())
        .number("faults", board_.faults().list().size())
        .number("fault_hits", board_.faults().hits())
        .str();
}

}  // namespace mcuota::board
