#pragma once
// Runs mcuota-pack as a program in a folder of its own.

#include <sys/wait.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <string>

#include "mcu_flasher/base/file.hpp"
#include "tests/unit/package/samples.hpp"

namespace pack_test {

using samples::Bytes;

struct Run {
    int code{-1};
    std::string out;
    std::string err;
};

/// Runs mcuota-pack in its own folder; `arguments` is a shell command line.
class Pack {
  public:
    Run operator()(const std::string& arguments) const {
        const std::string err_file = (folder / "stderr").string();
        const std::string line =
            "cd " + (folder / "").string() + " && '" MCUOTA_PACK "' " + arguments + " 2>" + err_file;
        Run run;
        FILE* const pipe = ::popen(line.c_str(), "r");
        REQUIRE(pipe != nullptr);
        std::array<char, 4096> buffer{};
        for (std::size_t count; (count = std::fread(buffer.data(), 1, buffer.size(), pipe)) != 0;)
            run.out.append(buffer.data(), count);
        const int status = ::pclose(pipe);
        run.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        const auto err = mcuota::read_file(err_file, 1U << 20);
        REQUIRE(err);
        run.err.assign(err->begin(), err->end());
        std::filesystem::remove(err_file);
        return run;
    }
    /// The run must succeed.
    std::string good(const std::string& arguments) const {
        const Run run = (*this)(arguments);
        INFO(arguments << '\n' << run.err);
        REQUIRE(run.code == 0);
        return run.out;
    }
    [[nodiscard]] Bytes file(std::string_view name) const {
        return *mcuota::read_file(folder / name, 64U << 20);
    }
    [[nodiscard]] bool exists(std::string_view name) const { return std::filesystem::exists(folder / name); }
    [[nodiscard]] std::size_t files() const {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder / ""),
                                                      std::filesystem::directory_iterator()));
    }

    samples::Folder folder;
};

inline const std::string kCreate =
    "create --image app.bin --version 2.0.0 --hardware pump-3 --key k.pem --out p.mcup ";

/// A folder with a key, an image and its package.
struct Ready : Pack {
    Ready() {
        REQUIRE(mcuota::write_file(folder / "app.bin", samples::image(5000)));
        good("keygen --out k.pem");
        good(kCreate + "--security-counter 7");
    }
};

}  // namespace pack_test
