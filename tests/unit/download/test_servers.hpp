#pragma once
// The servers of tests/rig/serve.py (real nginx, and one that breaks the rules), one process for a whole test
// program.

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <fstream>
#include <string>

namespace mcuota::test {

class Servers {
  public:
    static Servers& get() {
        static Servers servers;
        return servers;
    }
    Servers(const Servers&) = delete;
    Servers& operator=(const Servers&) = delete;

    /// One command of serve.py; its answer.
    std::string ask(const std::string& command) {
        const std::string line = command + "\n";
        REQUIRE(::write(to_, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
        return read_line();
    }
    [[nodiscard]] std::string fault(const std::string& path) const { return fault_ + "/" + path; }
    [[nodiscard]] std::string web(const std::string& path) const { return web_ + "/" + path; }
    [[nodiscard]] const std::string& ca() const { return ca_; }
    void put(const std::string& name, const std::string& data) const {
        std::ofstream(www_ + "/" + name, std::ios::binary) << data;
    }
    /// Headers of every request the fault server has seen.
    boost::json::array requests() { return boost::json::parse(ask("headers")).as_array(); }

  private:
    Servers() {
        int to[2], from[2];
        REQUIRE(::pipe(to) == 0);
        REQUIRE(::pipe(from) == 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::dup2(to[0], 0);
            ::dup2(from[1], 1);
            for (const int fd : {to[0], to[1], from[0], from[1]})
                ::close(fd);
            if (::chdir(MCUOTA_SOURCE_DIR) != 0) ::_exit(126);
            ::execl("/usr/bin/python3", "python3", "-m", "tests.rig.serve", nullptr);
            ::_exit(127);
        }
        ::close(to[0]);
        ::close(from[1]);
        to_ = to[1];
        from_ = from[0];
        const boost::json::value where = boost::json::parse(read_line());
        const auto text = [&](const char* key) { return std::string(where.at(key).as_string().c_str()); };
        ca_ = text("ca");
        www_ = text("www");
        web_ = text("web");
        fault_ = text("fault");
    }
    ~Servers() {
        ::close(to_);
        ::waitpid(pid_, nullptr, 0);
        ::close(from_);
    }
    std::string read_line() {
        std::string line;
        char c = 0;
        while (::read(from_, &c, 1) == 1 && c != '\n')
            line += c;
        if (c != '\n') FAIL("the servers have ended: " << line);
        return line;
    }
    pid_t pid_{-1};
    int to_{-1}, from_{-1};
    std::string ca_, www_, web_, fault_;
};

}  // namespace mcuota::test
