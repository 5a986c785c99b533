#pragma once
// Runs the built mcuota as a person would: its output, its exit code.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace mcuota::cli {

/// One run of the program. Output is plain: no terminal.
class Run {
  public:
    explicit Run(const std::vector<std::string>& arguments, std::vector<std::string> environment = {}) {
        int out[2];
        int err[2];
        REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
        REQUIRE(::pipe2(err, O_CLOEXEC) == 0);
        std::vector<std::string> words{MCUOTA_PROGRAM};
        words.insert(words.end(), arguments.begin(), arguments.end());
        environment.push_back("LC_ALL=C.UTF-8");
        environment.push_back("TZ=UTC");
        environment.push_back("PATH=/usr/bin:/bin");
        std::vector<char*> argv;
        for (std::string& word : words)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        std::vector<char*> envp;
        for (std::string& word : environment)
            envp.push_back(word.data());
        envp.push_back(nullptr);
        child_ = ::fork();
        REQUIRE(child_ >= 0);
        if (child_ == 0) {
            ::dup2(out[1], 1);
            ::dup2(err[1], 2);
            ::execve(argv[0], argv.data(), envp.data());
            ::_exit(127);
        }
        ::close(out[1]);
        ::close(err[1]);
        out_fd_ = out[0];
        err_fd_ = err[0];
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run() {
        if (child_ > 0) {
            ::kill(child_, SIGKILL);
            ::waitpid(child_, nullptr, 0);
        }
        ::close(out_fd_);
        ::close(err_fd_);
    }

    /// Reads until `mark` stands in what it has written to either stream.
    void wait_for(const std::string& mark) {
        while (out_.find(mark) == std::string::npos && err_.find(mark) == std::string::npos)
            if (!pump())
                FAIL("mcuota ended before it wrote \"" << mark << "\"; out: " << out_ << " err: " << err_);
    }
    void interrupt() { ::kill(child_, SIGINT); }
    /// Waits for its end.
    int code() {
        while (pump()) {
        }
        if (child_ > 0) {
            int status = 0;
            REQUIRE(::waitpid(child_, &status, 0) == child_);
            child_ = -1;
            REQUIRE(WIFEXITED(status));
            code_ = WEXITSTATUS(status);
        }
        return code_;
    }
    const std::string& out() {
        code();
        return out_;
    }
    const std::string& err() {
        code();
        return err_;
    }

  private:
    bool pump() {
        pollfd waiting[2] = {{out_open_ ? out_fd_ : -1, POLLIN, 0}, {err_open_ ? err_fd_ : -1, POLLIN, 0}};
        if (!out_open_ && !err_open_) return false;
        if (::poll(waiting, 2, 60'000) <= 0) FAIL("mcuota fell silent; out: " << out_ << " err: " << err_);
        if (waiting[0].revents != 0) out_open_ = read_some(out_fd_, out_);
        if (waiting[1].revents != 0) err_open_ = read_some(err_fd_, err_);
        return true;
    }
    static bool read_some(int descriptor, std::string& into) {
        char room[8192];
        const ssize_t got = ::read(descriptor, room, sizeof room);
        if (got <= 0) return false;
        into.append(room, static_cast<std::size_t>(got));
        return true;
    }
    pid_t child_{-1};
    int code_{-1};
    int out_fd_{-1};
    int err_fd_{-1};
    bool out_open_{true};
    bool err_open_{true};
    std::string out_;
    std::string err_;
};

}  // namespace mcuota::cli
