// mcuota-flash as a program, against the firmware's link server on a pty: outputs, exit codes, Ctrl-C, words
// for people.
#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/cli/output.hpp"
#include "mcu_flasher/package/rotation_file.hpp"
#include "tests/unit/flasher/fd_device.hpp"
#include "tests/unit/package/samples.hpp"

using namespace mcuota;
constexpr SignatureAlgorithm kRsa = SignatureAlgorithm::rsa_2048_pkcs1_sha256;
namespace json = boost::json;

namespace {

struct Run {
    int code{-1};
    std::string out, err;
    [[nodiscard]] json::value document() const {
        boost::system::error_code error;
        json::value value = json::parse(out, error);
        REQUIRE_FALSE(error);
        return value;
    }
};

struct Bench {
    Bench() : device{pty.master} {
        auto& id = device.target.identity_now;
        copy("pump-3", id.hardware);
        copy("1.0.0", id.running.version);
        id.role = link::Role::agent;
        id.running.state = 1;
        id.image_bytes_max = 1U << 20;
        id.load_address = 0x0802'0000;
        id.decoder_memory_bytes = 98'304;
        id.download_bytes = 1U << 20;
        id.payload_kinds = 0x0E;
        id.trial_boots_allowed = 3;
        id.key_current = {1, 2, 3, 4, 5, 6, 7, 8};
        id.key_next = {9, 10, 11, 12, 13, 14, 15, 16};
    }
    template <std::size_t Max>
    static void copy(std::string_view from, BoundedText<Max>& to) {
        std::copy(from.begin(), from.end(), to.bytes.begin());
        to.length = static_cast<std::uint8_t>(from.size());
    }
    Run flash(const std::string& arguments) {
        const std::string err_file = (folder / "stderr").string();
        const std::string line =
            "'" MCUOTA_FLASH "' --link uart:" + pty.path + " " + arguments + " 2>" + err_file;
        Run run;
        FILE* const pipe = ::popen(line.c_str(), "r");
        REQUIRE(pipe != nullptr);
        std::array<char, 4096> buffer{};
        for (std::size_t count; (count = std::fread(buffer.data(), 1, buffer.size(), pipe)) != 0;)
            run.out.append(buffer.data(), count);
        const int status = ::pclose(pipe);
        run.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        std::ifstream err{err_file};
        run.err.assign(std::istreambuf_iterator<char>{err}, {});
        return run;
    }
    /// A package on disk; the device will report its image as running when `adopt`.
    std::string package(bool adopt) {
        const samples::Bytes image = samples::image(40'000);
        const package::Package built = samples::package(image);
        const std::string file = (folder / "p.mcup").string();
        const auto bytes = package::serialize(built);
        REQUIRE(bytes);
        std::ofstream{file, std::ios::binary}.write(reinterpret_cast<const char*>(bytes->data()),
                                                    static_cast<std::streamsize>(bytes->size()));
        if (adopt) new_image = sha256(image);
        device.target.identity_now.key_current = built.entries.front().manifest.key_id;
        return file;
    }

    sim::Pty pty;
    sim::FdDevice device;
    samples::Folder folder;
    Sha256Digest new_image{};
};

}  // namespace

TEST_CASE("info tells who answers, in words and as JSON", "[flash]") {
    Bench bench;
    bench.device.start();
    const Run words = bench.flash("info");
    CHECK(words.code == 0);
    CHECK(words.out.find("pump-3") != std::string::npos);
    CHECK(words.out.find("1.0.0") != std::string::npos);
    CHECK(words.out.find("packages signed with 0102030405060708, next 090a0b0c0d0e0f10, generation 0") !=
          std::string::npos);
    CHECK(words.err.empty());
    const Run machine = bench.flash("info --json");
    CHECK(machine.code == 0);
    const json::value document = machine.document();
    CHECK(document.at("hardware") == "pump-3");
    CHECK(document.at("role") == "loader");
    CHECK(document.at("running").at("state") == "confirmed");
    CHECK(document.at("keys").at("generation") == 0);
    CHECK(document.at("keys").at("current") == "0102030405060708");
    CHECK(document.at("keys").at("next") == "090a0b0c0d0e0f10");
}

TEST_CASE("push ends with the device's own word, and each end has its exit code", "[flash]") {
    struct Row {
        const char* name;
        Status outcome;
        int code;
        const char* words;
    };
    const Row row = GENERATE(Row{"confirmed", Status::ok, 0, "2.0.0 runs on pump-3"},
                             Row{"not confirmed", Status::trial_not_confirmed, 1,
                                 "did not confirm itself in 3 trial boots; 1.0.0"},
                             Row{"cannot run", Status::vectors_invalid, 1, "cannot run"},
                             Row{"flash failed", Status::flash_program_failed, 1, "would not take the data"});
    INFO(row.name);
    Bench bench;
    const std::string file = bench.package(row.outcome == Status::ok);
    bool installed = false;
    bench.device.after_poll = [&] {
        sim::FakeTarget& target = bench.device.target;
        if (installed || target.token == 0) return true;
        installed = true;
        target.outcomes = {{Status::in_progress, link::Step::apply, 10, {}},
                           {row.outcome, link::Step::trial, 0, {}}};
        if (row.outcome == Status::ok) {
            target.identity_now.running.sha256 = bench.new_image;
            Bench::copy("2.0.0", target.identity_now.running.version);
        }
        return true;
    };
    bench.device.start();
    const Run run = bench.flash("push " + file);
    CHECK(run.code == row.code);
    CHECK((run.out + run.err).find(row.words) != std::string::npos);
    CHECK(run.out.empty() == (row.code != 0));
    CHECK(run.err.find('\r') == std::string::npos);  // no progress line off a terminal
    bench.device.stop();
    CHECK(bench.device.target.calls["install"] == 1);
}

TEST_CASE("what need not or must not be pushed is not, each with its own exit code", "[flash]") {
    Bench bench;
    const std::string file = bench.package(true);
    auto& id = bench.device.target.identity_now;
    int code = 0;
    std::string options;
    SECTION("running already, confirmed") {
        id.running.sha256 = bench.new_image;
        id.running.size_bytes = 40'000;
        code = 6;
    }
    SECTION("other hardware") {
        Bench::copy("valve1", id.hardware);
        code = 4;
    }
    SECTION("older than the security counter") {
        id.security_counter_floor = 1'000;
        code = 4;
    }
    SECTION("signed by another key") {
        const std::string pem = *samples::key(SignatureAlgorithm::rsa_2048_pkcs1_sha256).public_pem();
        std::ofstream{bench.folder / "other.pem"} << pem;
        options = " --pubkey " + (bench.folder / "other.pem").string();
        code = 4;
    }
    SECTION("the device refuses the signature") {
        bench.device.target.refusals["finish"] = Status::signature_invalid;
        code = 4;
    }
    bench.device.start();
    const Run run = bench.flash("push --json " + file + options);
    CHECK(run.code == code);
    const json::value document = run.document();
    CHECK((code == 6 || !document.at("error").at("next").as_string().empty()));
    bench.device.stop();
    CHECK(bench.device.target.calls["install"] == 0);
}

TEST_CASE("a push stopped by a signal says in what state the device is left", "[flash]") {
    Bench bench;
    const std::string file = bench.package(true);
    bench.device.target.refusals["finish"] = Status::busy;
    std::atomic<pid_t> child{0};
    bool stopped = false;
    bench.device.after_poll = [&] {
        if (stopped || bench.device.target.stored.size() < 8'192) return true;
        stopped = true;
        (void)::kill(child, SIGINT);
        // Deaf from here on: the push cannot run to its end before the signal arrives.
        return false;
    };
    std::array<int, 2> err{};
    REQUIRE(::pipe(err.data()) == 0);
    const std::string link = "uart:" + bench.pty.path;
    child = ::fork();
    if (child == 0) {
        (void)::dup2(err[1], STDERR_FILENO);
        ::execl(MCUOTA_FLASH, "mcuota-flash", "--link", link.c_str(), "push", file.c_str(), nullptr);
        ::_exit(127);
    }
    (void)::close(err[1]);
    bench.device.start();
    std::string words;
    std::array<char, 512> buffer{};
    for (ssize_t got; (got = ::read(err[0], buffer.data(), buffer.size())) > 0;)
        words.append(buffer.data(), static_cast<std::size_t>(got));
    (void)::close(err[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 1);
    CHECK(words.find("stopped while sending") != std::string::npos);
    CHECK(words.find("goes on from there") != std::string::npos);
}

TEST_CASE("usage errors are 2, missing files 3, unreachable devices 5", "[flash]") {
    Bench bench;  // not started: silent
    CHECK(bench.flash("flahs").code == 2);
    CHECK(bench.flash("flahs").err.find(
              "no command \"flahs\"; there are info, push, confirm, rollback, reboot, "
              "rotate, selftest, log") != std::string::npos);
    CHECK(bench.flash("rotate").code == 2);
    CHECK(bench.flash("rotate /no/such/file.mcuk").code == 3);
    CHECK(bench.flash("push").code == 2);
    CHECK(bench.flash("--timeout 0 info").code == 2);
    CHECK(bench.flash("push /no/such/file.mcup").code == 3);
    const Run silent = bench.flash("--timeout 1 info --json");
    CHECK(silent.code == 5);
    CHECK(silent.document().at("error").at("code") == "device_silent");
}

TEST_CASE("rotate hands every record of a file over, in order", "[flash]") {
    Bench bench;
    const package::Bytes first = *package::make_rotation(1, samples::key(kRsa), samples::signer());
    const package::Bytes second = *package::make_rotation(2, samples::key(), samples::signer(kRsa));
    const std::string file = (bench.folder / "r.mcuk").string();
    const auto write = [&](const std::vector<package::Bytes>& parts) {
        std::ofstream out{file, std::ios::binary};
        for (const package::Bytes& part : parts)
            out.write(reinterpret_cast<const char*>(part.data()), static_cast<std::streamsize>(part.size()));
    };
    SECTION("taken") {
        write({first, second});
        bench.device.start();
        const Run run = bench.flash("rotate " + file);
        CHECK(run.code == 0);
        CHECK(run.out.find("keys of pump-3 rotated: generation 2, packages signed with 0102030405060708") ==
              0);
        bench.device.stop();
        CHECK(bench.device.target.calls["rotate"] == 2);
        CHECK(bench.device.target.rotation == second);
    }
    SECTION("as JSON") {
        write({first});
        bench.device.start();
        const json::value document = bench.flash("rotate --json " + file).document();
        CHECK(document.at("outcome") == "rotated");
        CHECK(document.at("generation") == 1);
        CHECK(document.at("next") == "090a0b0c0d0e0f10");
    }
    SECTION("refused, in words that name the keys") {
        write({first});
        bench.device.target.refusals["rotate"] = Status::key_unknown;
        bench.device.start();
        const Run run = bench.flash("rotate " + file);
        CHECK(run.code == 4);
        CHECK(run.err.find("signed with " + to_hex(samples::key().id())) != std::string::npos);
        CHECK(run.err.find("next key is 090a0b0c0d0e0f10") != std::string::npos);
    }
    SECTION("a gap") {
        write({second});
        bench.device.target.refusals["rotate"] = Status::wrong_state;
        bench.device.start();
        const Run run = bench.flash("rotate " + file);
        CHECK(run.code == 4);
        CHECK(run.err.find("does not follow: the device's keys are of generation 0") != std::string::npos);
    }
    SECTION("files that are none are not sent") {
        package::Bytes cut = first;
        cut.pop_back();
        const std::vector<package::Bytes> parts = GENERATE_COPY(
            std::vector<package::Bytes>{}, std::vector<package::Bytes>{cut},
            std::vector<package::Bytes>{first, {1, 2, 3}}, std::vector<package::Bytes>{{'M', 'C', 'K', '1'}});
        write(parts);
        bench.device.start();
        const Run run = bench.flash("rotate " + file);
        CHECK(run.code == 4);
        CHECK(run.err.find("holds no key rotation record") != std::string::npos);
        bench.device.stop();
        CHECK(bench.device.target.calls["rotate"] == 0);
    }
}

TEST_CASE("a standard output that cannot be written is a failure", "[flash]") {
    Bench bench;
    bench.device.start();
    const Run run = bench.flash("info >/dev/full");
    CHECK(run.code == 1);
    CHECK(run.err.find("standard output cannot be written") != std::string::npos);
}

TEST_CASE("confirm, rollback, reboot and log do what they say", "[flash]") {
    Bench bench;
    bench.device.target.outcomes = {{Status::rolled_back, link::Step::restore, 100, {}}};
    bench.device.target.identity_now.backup.state = 1;
    bench.device.start();
    CHECK(bench.flash("confirm").out.find("is confirmed") != std::string::npos);
    CHECK(bench.flash("log").out == "1 installed\n2 confirmed\n");
    CHECK(bench.flash("log --json").document().at("lines").as_array().size() == 2);
    CHECK(bench.flash("reboot --loader").code == 0);
    const Run back = bench.flash("rollback --json");
    CHECK(back.code == 0);
    CHECK(back.document().at("outcome") == "rolled_back");
    bench.device.stop();
    CHECK(bench.device.target.stayed);
    CHECK(bench.device.target.calls["rollback"] == 1);
}

TEST_CASE("the progress line shows bar, rate, time left and what is waited for", "[flash]") {
    using Phase = flasher::Progress::Phase;
    flasher::Progress progress;
    CHECK(flash::progress_text(progress, 0) == "waiting for the device to answer");
    progress.phase = Phase::sending;
    progress.bytes = 512 * 1024;
    progress.bytes_total = 1024 * 1024;
    progress.resumed_from = 256 * 1024;
    progress.frames_resent = 3;
    CHECK(flash::progress_text(progress, 4) ==
          "sending [############............] 50 %  64.0 KiB/s  8.0 s left  resumed at 25 %  3 frames sent "
          "again");
    progress.phase = Phase::installing;
    progress.step = link::Step::apply;
    progress.bytes = 25;
    progress.bytes_total = 100;
    CHECK(flash::progress_text(progress, 4) == "[######..................] 25 %  writing the new image");
    progress.phase = Phase::trial;
    progress.step = link::Step::trial;
    CHECK(flash::progress_text(progress, 4) == "waiting for the new image to confirm itself");
}
