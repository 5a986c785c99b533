// mcuota-pack on a terminal and under bad conditions: progress, Ctrl-C, full disks, links.
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "mcu_flasher/package/cli/output.hpp"
#include "tests/unit/package/pack_run.hpp"

namespace fs = std::filesystem;
using mcuota::write_file;
using pack_test::kCreate;
using pack_test::Ready;
using samples::Bytes;

namespace {

/// mcuota-pack with a terminal as its standard error and output.
class OnTerminal {
  public:
    OnTerminal(const fs::path& folder, std::vector<std::string> arguments, bool colour = true) {
        arguments.insert(arguments.begin(), "mcuota-pack");
        std::vector<char*> argv;
        argv.reserve(arguments.size() + 1);
        for (std::string& argument : arguments)
            argv.push_back(argument.data());
        argv.push_back(nullptr);
        pid_ = ::forkpty(&terminal_, nullptr, nullptr, nullptr);
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            if (colour)
                ::unsetenv("NO_COLOR");
            else
                ::setenv("NO_COLOR", "1", 1);
            if (::chdir(folder.c_str()) == 0) ::execv(MCUOTA_PACK, argv.data());
            ::_exit(127);
        }
    }
    OnTerminal(const OnTerminal&) = delete;
    OnTerminal& operator=(const OnTerminal&) = delete;
    ~OnTerminal() {
        if (pid_ > 0) ::kill(pid_, SIGKILL), ::waitpid(pid_, nullptr, 0);
        ::close(terminal_);
    }
    /// Reads until `words` have come; false when the program ends before.
    bool wait_for(const std::string& words) {
        std::array<char, 4096> piece{};
        while (text_.find(words) == std::string::npos) {
            const ssize_t count = ::read(terminal_, piece.data(), piece.size());
            if (count <= 0) return false;
            text_.append(piece.data(), static_cast<std::size_t>(count));
        }
        return true;
    }
    void interrupt() const { REQUIRE(::kill(pid_, SIGINT) == 0); }
    /// Everything it wrote; its wait status in `status`.
    std::string finish(int& status) {
        static_cast<void>(wait_for("\x01 never written"));
        REQUIRE(::waitpid(pid_, &status, 0) == pid_);
        pid_ = -1;
        return text_;
    }

  private:
    pid_t pid_{-1};
    int terminal_{-1};
    std::string text_;
};

std::vector<std::string> create_big() {
    return {"create", "--image", "big.bin", "--version", "1.0",   "--hardware", "h",
            "--key",  "k.pem",   "--base",  "old.bin",   "--out", "result.mcup"};
}

std::set<std::string> names_in(const fs::path& folder) {
    std::set<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder))
        out.insert(entry.path().filename().string());
    return out;
}

}  // namespace

TEST_CASE("a terminal gets a progress bar, unless NO_COLOR is set", "[pack][terminal]") {
    const Ready pack;
    REQUIRE(write_file(pack.folder / "big.bin", samples::image(60000)));
    REQUIRE(write_file(pack.folder / "old.bin", samples::image(50000)));
    int status = 0;
    OnTerminal coloured(pack.folder / "", create_big());
    const std::string bar = coloured.finish(status);
    REQUIRE((WIFEXITED(status) && WEXITSTATUS(status) == 0));
    CHECK(bar.find("encoding the image [") != std::string::npos);
    CHECK(bar.find("encoding deltas [") != std::string::npos);
    CHECK(bar.find(" left") != std::string::npos);
    OnTerminal plain(pack.folder / "", create_big(), false);
    const std::string quiet = plain.finish(status);
    REQUIRE((WIFEXITED(status) && WEXITSTATUS(status) == 0));
    CHECK(quiet.find("encoding") == std::string::npos);
    CHECK(quiet.find('\033') == std::string::npos);
}

TEST_CASE("Ctrl-C ends the program and leaves nothing half-written", "[pack][terminal]") {
    const Ready pack;
    REQUIRE(write_file(pack.folder / "big.bin", samples::image(600000)));
    REQUIRE(write_file(pack.folder / "old.bin", samples::image(500000)));
    const auto before = names_in(pack.folder / "");
    OnTerminal run(pack.folder / "", create_big());
    REQUIRE(run.wait_for("encoding the image [#"));
    run.interrupt();
    int status = 0;
    run.finish(status);
    CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGINT));
    CHECK(names_in(pack.folder / "") == before);
}

TEST_CASE("the bar tells share, count and the time left", "[pack][terminal]") {
    using mcuota::pack::bar_text;
    CHECK(bar_text("making", 0, 10, 0) == "making [........................] 0 %, 0 of 10");
    CHECK(bar_text("making", 5, 10, 20) == "making [############............] 50 %, 5 of 10, 20 s left");
    CHECK(bar_text("making", 10, 10, 40) == "making [########################] 100 %, 10 of 10");
    CHECK(bar_text("making", 1, 1000, 1).find("left") == std::string::npos);  // too early to say
}

TEST_CASE("a full device is told as a full disk and stays a device", "[pack][terminal]") {
    const Ready pack;
    const auto run = pack(kCreate.substr(0, kCreate.find("--out")) + "--out /dev/full");
    CHECK(run.code == 1);
    CHECK(run.err.find("no space left") != std::string::npos);
    CHECK(fs::is_character_file("/dev/full"));
    CHECK_FALSE(fs::exists("/dev/full.XXXXXX"));
}

TEST_CASE("through a link its target is replaced", "[pack][terminal]") {
    const Ready pack;
    REQUIRE(write_file(pack.folder / "target", Bytes{1}));
    fs::create_symlink("target", pack.folder / "link");
    pack.good("apply p.mcup --out link");
    CHECK(fs::is_symlink(pack.folder / "link"));
    CHECK((pack.file("target") == pack.file("app.bin")));
    pack.good("apply p.mcup --out /dev/stdout --json > both");
    CHECK(fs::is_symlink("/dev/stdout"));
}
