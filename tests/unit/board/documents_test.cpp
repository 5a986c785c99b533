// Nothing released stays undocumented: command line, manual, guide and completions of mcuota-board agree.

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>
#include <set>
#include <string>

namespace {

struct PipeCloser {
    void operator()(std::FILE* pipe) const { ::pclose(pipe); }
};

std::string output_of(const std::string& command) {
    const std::unique_ptr<std::FILE, PipeCloser> pipe(::popen((command + " 2>&1").c_str(), "r"));
    REQUIRE(pipe);
    std::string out;
    std::array<char, 4096> buffer;
    for (std::size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) > 0;)
        out.append(buffer.data(), got);
    return out;
}

std::string text_of(const std::string& path) {
    std::ifstream file(MCUOTA_SOURCE_DIR "/" + path, std::ios::binary);
    REQUIRE(file);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::set<std::string> options_of(const std::string& command) {
    const std::string help = output_of(std::string(MCUOTA_BOARD_PROGRAM) + " " + command + " --help");
    const std::regex option("(?:^|\\n)  (?:-[a-z],)?(--[a-z0-9-]+)");
    std::set<std::string> out;
    for (std::sregex_iterator at(help.begin(), help.end(), option), end; at != end; ++at)
        out.insert((*at)[1]);
    return out;
}

const std::string kBash = "virtual_board/completions/mcuota-board.bash";

}  // namespace

TEST_CASE("manual and completions know every option of mcuota-board", "[board][documents]") {
    const std::string man =
        std::regex_replace(text_of("virtual_board/mcuota-board.1"), std::regex("\\\\-"), "-");
    const std::string bash = text_of(kBash);
    const std::string zsh = text_of("virtual_board/completions/_mcuota-board");
    const std::set<std::string> run = options_of("run"), prove = options_of("prove");
    REQUIRE(run.size() >= 20);
    REQUIRE(prove.size() >= 8);
    for (const std::set<std::string>& options : {run, prove}) {
        for (const std::string& option : options) {
            INFO(option);
            CHECK(bash.find(option) != std::string::npos);
            CHECK(zsh.find(option + "[") != std::string::npos);
            // What prove takes stands in docs/prove.md: a developer's tool behind mcuota-pack prove.
            if (run.contains(option) && option != "--help") CHECK(man.find(option) != std::string::npos);
        }
    }
}

TEST_CASE("the guide knows every option of a running board", "[board][documents]") {
    const std::string guide = text_of("docs/virtual-board.md");
    for (const std::string& option : options_of("run")) {
        INFO(option);
        CHECK((option == "--help" || guide.find("`" + option) != std::string::npos));
    }
}

TEST_CASE("the bash completion of mcuota-board completes commands, options and values",
          "[board][documents]") {
    struct Row {
        const char* words;
        const char* expected;
    };
    const Row rows[] = {
        {"mcuota-board r", "run"},
        {"mcuota-board run --fau", "--fault"},
        {"mcuota-board run --fault nor-b", "nor-busy:"},
        {"mcuota-board run --speed m", "max"},
        {"mcuota-board run --part 2", "2MB"},
        {"mcuota-board prove --exec", "--executes"},
        {"mcuota-board prove --scenario rev", "revert revert-damaged"},
        {"mcuota-board prove --scenario wr", "wrong-image"},
    };
    for (const Row& row : rows) {
        INFO(row.words);
        const std::string script = "compopt() { :; }; source " MCUOTA_SOURCE_DIR "/" + kBash +
                                   "; COMP_WORDS=(" + row.words +
                                   "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _mcuota_board; "
                                   "echo \"${COMPREPLY[*]}\"";
        CHECK(output_of("bash -c '" + script + "'") == std::string(row.expected) + "\n");
    }
}
