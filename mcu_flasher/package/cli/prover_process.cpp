// Spawning, reading lines, tidying up.

#include "mcu_flasher/package/cli/prover_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/json/parse.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>

extern char** environ;

namespace mcuota::pack {
namespace {

constexpr std::size_t kLineBytesMax = 1U << 20;

volatile sig_atomic_t stop_asked = 0;

/// While it lives, signals that end a program are only noted: the prover's files are to be removed.
class StopSignals {
  public:
    StopSignals() {
        stop_asked = 0;
        struct sigaction action {};
        action.sa_handler = [](int) { stop_asked = 1; };  // no SA_RESTART: a waiting read() ends
        for (std::size_t i = 0; i < kSignals.size(); ++i)
            ::sigaction(kSignals[i], &action, &before_[i]);
    }
    ~StopSignals() {
        for (std::size_t i = 0; i < kSignals.size(); ++i)
            ::sigaction(kSignals[i], &before_[i], nullptr);
    }
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

  private:
    static constexpr std::array<int, 3> kSignals{SIGINT, SIGTERM, SIGHUP};
    std::array<struct sigaction, kSignals.size()> before_{};
};

Error system_error(const std::string& what) {
    return {ErrorCode::file_unreadable, what + ": " + std::strerror(errno), "try again", 0};
}

void take_lines(std::string& text, const std::function<void(const boost::json::object&)>& line) {
    for (std::size_t end = 0; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
        boost::system::error_code bad;
        const boost::json::value value = boost::json::parse(std::string_view(text).substr(0, end), bad);
        if (!bad && value.is_object()) line(value.get_object());
    }
    if (text.size() > kLineBytesMax) text.clear();
}

}  // namespace

Result<int> run_prover(const std::string& program, const std::vector<std::string>& arguments,
                       const std::function<void(const boost::json::object&)>& line) {
    const StopSignals signals;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::vector<std::string> words{program};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    ::pid_t pid = 0;
    const int failed = ::posix_spawnp(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    if (failed != 0) {
        ::close(ends[0]);
        return Error{ErrorCode::not_found, "cannot start " + program + ": " + std::strerror(failed),
                     "install the package mcuota-board, or name the program with --board", 0};
    }
    std::string text;
    std::array<char, 4096> buffer{};
    while (!stop_asked) {
        const ssize_t got = ::read(ends[0], buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        text.append(buffer.data(), static_cast<std::size_t>(got));
        take_lines(text, line);
    }
    ::close(ends[0]);
    if (stop_asked) ::kill(pid, SIGTERM);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (stop_asked)
        return Error{ErrorCode::cancelled, "stopped before the proof was finished",
                     "start it again; nothing is left", 0};
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

std::filesystem::path beside_program(const std::vector<std::string>& candidates) {
    std::error_code bad;
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", bad);
    for (const std::string& candidate : candidates) {
        std::filesystem::path path = self.parent_path() / candidate;
        if (std::filesystem::exists(path, bad)) return path.lexically_normal();
    }
    return {};
}

Result<ScratchFolder> ScratchFolder::make() {
    std::error_code bad;
    std::string pattern = (std::filesystem::temp_directory_path(bad) / "mcuota-prove-XXXXXX").string();
    if (bad || ::mkdtemp(pattern.data()) == nullptr)
        return Error{ErrorCode::file_unwritable, "no folder for the proof's files can be made in " + pattern,
                     "set TMPDIR to a folder that can be written", 0};
    return ScratchFolder(pattern);
}

ScratchFolder::~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace mcuota::pack
