// SPDX-License-Identifier: GPL-2.0-or-later
// mcuota-board: opens the images, wires the board to the outside and runs it.

#include <csignal>
#include <cstdio>
#include <memory>
#include <new>

#include "virtual_board/cli.hpp"
#include "virtual_board/image_file.hpp"
#include "virtual_board/json.hpp"

namespace mcuota::board {
namespace {

volatile std::sig_atomic_t stop_signal = 0;

int fail(const Failure& failure) {
    std::fprintf(stderr, "mcuota-board: %s; %s\n", failure.what.c_str(), failure.next.c_str());
    return 1;
}

const char* part_name(Part part) {
    return part == Part::single_1mb ? "1MB" : part == Part::dual_1mb ? "1MB-dual" : "2MB";
}

/// Tells people (standard error) or programs (--json, standard output) what happens.
class Announcer {
  public:
    explicit Announcer(bool json) : json_(json) {}
    void event(const JsonLine& line, const std::string& words) {
        if (json_) {
            std::printf("%s\n", line.str().c_str());
            std::fflush(stdout);
        } else {
            std::fprintf(stderr, "mcuota-board: %s\n", words.c_str());
        }
    }

  private:
    bool json_;
};

struct FileCloser {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

int run(const Options& options) {
    const FlashGeometry geometry(options.board.part);
    Outcome<ImageFile> flash = ImageFile::open(options.flash, geometry.size_bytes(), 0xFF);
    if (!flash) return fail(flash.failure());
    Outcome<ImageFile> nor = ImageFile::open(options.nor, options.nor_part, 0xFF);
    if (!nor) return fail(nor.failure());
    Outcome<ImageFile> backup_file = ImageFile::open(options.backup, sizeof(BackupDomain), 0);
    if (!backup_file) return fail(backup_file.failure());
    if (!options.runner.vbat)
        std::fill(backup_file->bytes().begin(), backup_file->bytes().end(), std::uint8_t{0});
    // Plain integers without padding or invariants: any bytes of a file are a valid backup domain.
    static_assert(std::is_trivially_copyable_v<BackupDomain>);
    auto& backup = *std::launder(reinterpret_cast<BackupDomain*>(backup_file->bytes().data()));
    for (const std::string& file : options.load)
        if (const std::optional<Failure> failure = load_firmware(file, geometry, flash->bytes()))
            return fail(*failure);
    std::unique_ptr<UartBackend> uart;
    if (!options.uart.empty()) {
        Outcome<std::unique_ptr<UartBackend>> opened = open_uart(options.uart);
        if (!opened) return fail(opened.failure());
        uart = std::move(*opened);
    }
    std::unique_ptr<std::FILE, FileCloser> trace;
    if (!options.trace.empty()) {
        trace.reset(std::fopen(options.trace.c_str(), "we"));
        if (!trace) return fail({"cannot write " + options.trace, "check the path and its permissions"});
    }

    Announcer announcer(options.json);
    Board* board_in_hooks = nullptr;
    Runner* runner_in_hooks = nullptr;
    const auto time_us = [&] { return board_in_hooks ? board_in_hooks->now() / kMicrosecond : 0; };
    BoardHooks hooks;
    hooks.console_sent = [&](std::uint8_t byte) { runner_in_hooks->sent(byte); };
    hooks.reset = [&](ResetCause cause) {
        announcer.event(JsonLine()
                            .text("event", "reset")
                            .text("cause", to_string(cause))
                            .number("time_ms", time_us() / 1000),
                        std::string("reset, cause ") + to_string(cause) + ", at " +
                            std::to_string(time_us() / 1000) + " ms");
    };
    hooks.warning = [&](std::string_view text) {
        announcer.event(
            JsonLine().text("event", "warning").text("text", text).number("time_ms", time_us() / 1000),
            "warning: " + std::string(text));
    };
    hooks.power_cut = [&] {
        announcer.event(JsonLine()
                            .text("event", "power_cut")
                            .number("operations", board_in_hooks->operations())
                            .number("instructions", board_in_hooks->instructions())
                            .number("time_ms", time_us() / 1000),
                        "power cut at " + std::to_string(time_us() / 1000) + " ms, " +
                            std::to_string(board_in_hooks->operations()) + " operations begun");
        runner_in_hooks->power_cut();
    };
    if (trace)
        hooks.trace = [&](std::string_view line) {
            const auto us = time_us();
            std::fprintf(
                trace.get(), "%10llu.%03llu ms  pc 0x%08X  %.*s\n",
                static_cast<unsigned long long>(us / 1000), static_cast<unsigned long long>(us % 1000),
                board_in_hooks ? board_in_hooks->pc() : 0, static_cast<int>(line.size()), line.data());
        };
    Board board(options.board, flash->bytes(), nor->bytes(), backup, std::move(hooks));
    board_in_hooks = &board;
    for (const Fault& fault : options.faults)
        board.faults().add(fault);
    Runner runner(board, uart.get(), options.runner);
    runner_in_hooks = &runner;
    if (!options.control.empty()) {
        Outcome<ControlSocket> control = ControlSocket::open(
            options.control, [&runner](std::string_view line) { return runner.command(line); });
        if (!control) return fail(control.failure());
        runner.serve(std::move(*control));
    }

    JsonLine started;
    started.text("event", "started").text("part", part_name(options.board.part));
    if (uart) started.text("uart", uart->address());
    if (!options.control.empty()) started.text("control", options.control);
    announcer.event(started, std::string("STM32F429 ") + part_name(options.board.part) +
                                 (uart ? ", console on " + uart->address() : std::string(", no console")));
    board.power_on();
    if (!board.failure().empty())
        return fail({"the CPU engine does not start: " + board.failure(), "check libunicorn2"});
    runner.run([] { return stop_signal != 0; });
    announcer.event(JsonLine().text("event", "stopped").raw("status", runner.status()), "stopped");
    return 0;
}

}  // namespace
}  // namespace mcuota::board

int main(int argc, char** argv) {
    const mcuota::board::ParsedCommand command = mcuota::board::parse_command_line(argc, argv);
    if (command.prove) return mcuota::board::prove(*command.prove);
    if (!command.options) return command.exit_code;
    struct sigaction action {};
    action.sa_handler = [](int) { mcuota::board::stop_signal = 1; };
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    return mcuota::board::run(*command.options);
}
