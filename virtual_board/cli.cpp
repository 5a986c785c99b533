// SPDX-License-Identifier: GPL-2.0-or-later
// Options, their limits and their help.

#include "virtual_board/cli.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>

namespace mcuota::board {

Outcome<std::uint32_t> parse_cpi(const std::string& text) {
    std::uint64_t thousandths = 0;
    unsigned decimals = 0;
    bool point = false;
    for (const char c : text) {
        if (c == '.' && !point) {
            point = true;
        } else if (c >= '0' && c <= '9' && decimals < 3) {
            thousandths = thousandths * 10 + static_cast<unsigned>(c - '0');
            if (point) ++decimals;
        } else {
            thousandths = 0;
            break;
        }
        if (thousandths > 100'000) break;
    }
    for (; decimals < 3; ++decimals)
        thousandths *= 10;
    if (thousandths < 1000 || thousandths > 8000)
        return Failure{"\"" + text + "\" is no number of cycles per instruction",
                       "use a value from 1 to 8, like 1.3"};
    return static_cast<std::uint32_t>((thousandths * 1024 + 500) / 1000);
}

Outcome<ChipId> parse_chip_id(const std::string& text) {
    ChipId id{};
    const auto digit = [](char c) {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        return -1;
    };
    bool good = text.size() == 2 * id.size();
    for (std::size_t i = 0; good && i < id.size(); ++i) {
        const int high = digit(text[2 * i]);
        const int low = digit(text[2 * i + 1]);
        good = high >= 0 && low >= 0;
        if (good) id[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    if (!good) return Failure{"\"" + text + "\" is no chip id", "give 24 hexadecimal digits"};
    return id;
}

void add_nor_part(CLI::App& command, std::uint32_t& nor_part) {
    command.add_option("--nor-part", nor_part, "NOR: W25Q128 (default, 16 MiB) or W25Q256 (32 MiB)")
        ->transform(
            CLI::CheckedTransformer(std::map<std::string, std::uint32_t>{{"W25Q128", W25q::kSizeBytes},
                                                                         {"W25Q256", W25q::kLargeSizeBytes}})
                .description("W25Q128|W25Q256"));
}

namespace {

CLI::App* add_prove(CLI::App& app, ProveOptions& options) {
    CLI::App* prove = app.add_subcommand(
        "prove",
        "Cuts the power at every flash and NOR operation of jobs of a loader and checks what follows.");
    prove->add_option("--loader", options.loader, "The loader, ELF or binary for 0x08000000")->required();
    prove
        ->add_option(
            "--case", options.folder,
            "Folder with old.bin, new.bin, next.bin and their signed envelopes old.mce, new.mce, next.mce")
        ->required();
    prove
        ->add_option("--scenario", options.scenarios,
                     "Only this scenario (repeatable; default: those about every update)")
        ->check(CLI::IsMember(scenario_names()));
    prove->add_option("--cuts", options.cuts,
                      "At most this many cuts a scenario, spread evenly (default: all)");
    prove
        ->add_option("--depth", options.depth,
                     "Cuts in one run; from the second on at random operations (default 1)")
        ->check(CLI::Range(1u, 10u));
    prove->add_option("--seed", options.seed, "Seed of everything random (default 1)");
    prove->add_option("--jobs", options.jobs, "Runs at the same time (default 1)")
        ->check(CLI::Range(1u, 64u));
    prove->add_option("--security-counter", options.security_counter,
                      "Counter in the three manifests (default 0)");
    prove->add_option("--only", options.only, "Only this cut, by the id a failure was reported with");
    prove->add_flag(
        "--executes", options.executes,
        "old.bin and new.bin contain the agent of this project: run them, they confirm themselves");
    prove->add_flag("!--no-memory", options.memory,
                    "Execute every instruction and follow each cut to its end: slow, the same result");
    prove->add_option("--part", options.part, "Part: 1MB (default), 1MB-dual or 2MB")
        ->transform(CLI::CheckedTransformer(std::map<std::string, Part>{{"1MB", Part::single_1mb},
                                                                        {"1MB-dual", Part::dual_1mb},
                                                                        {"2MB", Part::dual_2mb}})
                        .description("1MB|1MB-dual|2MB"));
    add_nor_part(*prove, options.nor_part);
    return prove;
}

}  // namespace

ParsedCommand parse_command_line(int argc, const char* const* argv) {
    Options options;
    CLI::App app{"A virtual STM32F429 board: runs firmware instruction by instruction."};
    app.name("mcuota-board");
    app.require_subcommand(1);
    CLI::App* run =
        app.add_subcommand("run", "Powers the board up and runs it until SIGTERM, SIGINT or `quit`.");
    ProveOptions prove_options;
    CLI::App* const prove = add_prove(app, prove_options);
    std::string cpi = "1.3";
    std::string chip_id;
    int boot0 = 0;
    std::string cut_at, cut_time, brown_out_max = "30ms";
    bool no_vbat = false;
    std::vector<std::string> faults;
    run->add_option("--flash", options.flash, "Image of the internal flash; created erased when missing")
        ->required();
    run->add_option("--nor", options.nor, "Image of the SPI NOR flash; created erased when missing")
        ->required();
    add_nor_part(*run, options.nor_part);
    run->add_option("--load", options.load,
                    "ELF file, or binary for 0x08000000, written into the flash first (repeatable)");
    run->add_option("--uart", options.uart, "Console USART1: pty:PATH, unix:PATH or tcp:PORT");
    run->add_option("--control", options.control, "Control socket: unix:PATH");
    run->add_option("--part", options.board.part, "Part: 1MB (default), 1MB-dual or 2MB")
        ->transform(CLI::CheckedTransformer(std::map<std::string, Part>{{"1MB", Part::single_1mb},
                                                                        {"1MB-dual", Part::dual_1mb},
                                                                        {"2MB", Part::dual_2mb}})
                        .description("1MB|1MB-dual|2MB"));
    run->add_option("--speed", options.runner.speed,
                    "real (default): virtual time follows wall time; max: as fast as possible")
        ->transform(
            CLI::CheckedTransformer(std::map<std::string, Speed>{{"real", Speed::real}, {"max", Speed::max}})
                .description("real|max"));
    run->add_option("--idle-rate", options.runner.idle_rate,
                    "With --speed max: how many times faster than wall time idle time may pass (default 4)")
        ->check(CLI::Range(1, 1000));
    run->add_option("--seed", options.board.seed,
                    "Seed of everything random: RAM at power-up, torn writes (default 1)");
    run->add_option("--cpi", cpi, "Cycles per instruction (default 1.3)");
    run->add_option("--hse", options.board.hse_hz, "Crystal in Hz (default 25000000; 0 = none fitted)")
        ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{26'000'000}));
    run->add_option("--lsi", options.board.lsi_hz,
                    "Watchdog oscillator in Hz, 17000 to 47000 (default 32000)")
        ->check(CLI::Range(std::uint64_t{17'000}, std::uint64_t{47'000}));
    run->add_option("--chip-id", chip_id, "Unique ID, 24 hexadecimal digits");
    run->add_option("--backup", options.backup,
                    "File of the backup domain (default: the flash image's path + .bkp)");
    run->add_flag("--no-vbat", no_vbat, "No battery: backup registers are lost with the power");
    run->add_option(
        "--cut-at", cut_at,
        "Cut the power at flash or NOR operation N (op:N, op:N:before, op:N:inside, op:N:after) or "
        "at instruction N (insn:N), counted from 0");
    run->add_option("--cut-time", cut_time, "Cut the power at this virtual time, like 1500us, 20ms, 3s");
    run->add_option(
           "--tear", options.runner.cut.tear,
           "What a cut leaves of an operation: mixed (default), partial, looks-done, looks-untouched")
        ->transform(
            CLI::CheckedTransformer(std::map<std::string, Tear>{{"mixed", Tear::mixed},
                                                                {"partial", Tear::partial},
                                                                {"looks-done", Tear::looks_done},
                                                                {"looks-untouched", Tear::looks_untouched}})
                .description("mixed|partial|looks-done|looks-untouched"));
    run->add_option("--after-cut", options.runner.cut.after,
                    "on (default): power returns after 50 ms; off: it stays away; quit: the program ends")
        ->transform(CLI::CheckedTransformer(std::map<std::string, AfterCut>{{"on", AfterCut::on},
                                                                            {"off", AfterCut::off},
                                                                            {"quit", AfterCut::quit}})
                        .description("on|off|quit"));
    run->add_option("--brown-outs", options.runner.cut.brown_outs,
                    "After the planned cut this many more, each a random short time after power returned")
        ->check(CLI::Range(0u, 1'000'000u));
    run->add_option("--brown-out-max", brown_out_max, "Longest of these times (default 30ms)");
    run->add_option("--fault", faults,
                    "Something broken (repeatable): flash-program:ADDRESS (a word), flash-erase:SECTOR, "
                    "nor-id:HEX, nor-busy:N[:after-reset] (after N more programs and erases), "
                    "nor-read:ADDRESS[:MASK][:once|always], nor-worn:ADDRESS (4 KiB)")
        ->allow_extra_args(false);
    run->add_option("--boot0", boot0,
                    "Level of the BOOT0 pin; only 0 works, the ROM bootloader is not modelled")
        ->check(CLI::Range(0, 1));
    run->add_option("--trace", options.trace, "File for a readable trace of device events");
    run->add_flag("--json", options.json, "Events as JSON lines on standard output");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error);
        return {std::nullopt, std::nullopt, code == 0 ? 0 : 2};
    }
    if (prove->parsed()) return {std::nullopt, prove_options, 0};
    const auto usage = [](const Failure& failure) {
        std::fprintf(stderr, "mcuota-board: %s; %s\n", failure.what.c_str(), failure.next.c_str());
        return ParsedCommand{std::nullopt, std::nullopt, 2};
    };
    if (boot0 == 1)
        return usage(
            {"BOOT0 = 1 needs the ROM bootloader, which this board does not model", "use --boot0 0"});
    Outcome<std::uint32_t> ticks = parse_cpi(cpi);
    if (!ticks) return usage(ticks.failure());
    options.board.cpi_ticks = *ticks;
    if (!chip_id.empty()) {
        Outcome<ChipId> id = parse_chip_id(chip_id);
        if (!id) return usage(id.failure());
        options.board.chip_id = *id;
    }
    if (!cut_at.empty() && !cut_time.empty())
        return usage({"--cut-at and --cut-time both say when", "give one of them"});
    if (!cut_at.empty()) {
        Outcome<CutPlan> plan = parse_cut_at(cut_at);
        if (!plan) return usage(plan.failure());
        options.runner.cut.plan = *plan;
    }
    if (!cut_time.empty()) {
        Outcome<Time> time = parse_time(cut_time);
        if (!time) return usage(time.failure());
        options.runner.cut.plan = {CutPlan::Unit::time, *time, CutMoment::inside};
    }
    const FlashGeometry geometry(options.board.part);
    for (const std::string& text : faults) {
        Outcome<Fault> fault = parse_fault(text, geometry, options.nor_part);
        if (!fault) return usage(fault.failure());
        options.faults.push_back(std::move(*fault));
    }
    Outcome<Time> longest = parse_time(brown_out_max);
    if (!longest) return usage(longest.failure());
    if (*longest == 0) return usage({"--brown-out-max must be longer than 0", "use a time like 30ms"});
    options.runner.cut.brown_out_max = *longest;
    if (options.backup.empty()) options.backup = options.flash + ".bkp";
    options.runner.vbat = !no_vbat;
    options.runner.seed = options.board.seed;
    return {options, std::nullopt, 0};
}

}  // namespace mcuota::board
