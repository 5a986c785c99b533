// Nothing released stays undocumented: command line, manual, guide and completions of mcuota-pack agree.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/package/pack_run.hpp"

using pack_test::Pack;

namespace {

std::string text_of(const std::string& path) {
    const auto bytes = mcuota::read_file(MCUOTA_SOURCE_DIR "/" + path, 1U << 20);
    REQUIRE(bytes);
    return {bytes->begin(), bytes->end()};
}

std::vector<std::string> matches(const std::string& text, const std::string& pattern) {
    const std::regex expression(pattern, std::regex::multiline);
    std::set<std::string> out;
    for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at)
        out.insert((*at)[1]);
    return {out.begin(), out.end()};
}

/// From `begin` to the next `end`.
std::string between(const std::string& text, const std::string& begin, const std::string& end) {
    const std::size_t from = text.find(begin);
    INFO(begin);
    REQUIRE(from != std::string::npos);
    return text.substr(from, text.find(end, from + begin.size()) - from);
}

std::vector<std::string> commands() {
    const std::string help = Pack().good("--help");
    return matches(help.substr(help.find("Subcommands:")), "^  ([a-z]+) ");
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
    return text;
}

}  // namespace

TEST_CASE("manual and completions know every command and every option", "[pack][documents]") {
    const Pack pack;
    const std::string man = replaced(text_of("mcu_flasher/package/mcuota-pack.1"), "\\-", "-");
    const std::string bash = text_of("mcu_flasher/package/cli/completions/mcuota-pack.bash");
    const std::string zsh = text_of("mcu_flasher/package/cli/completions/_mcuota-pack");
    const auto all = commands();
    REQUIRE(all.size() >= 11);
    for (const std::string& command : all) {
        const std::string help = pack.good(command + " --help");
        CHECK(help.find("Example:\n  mcuota-pack " + command + " ") != std::string::npos);
        const std::string section = between(man, ".SS " + command + "\n", "\n.S");
        const std::string zsh_case = between(zsh, "                " + command + ")", ";;");
        CHECK(bash.find(command) != std::string::npos);
        for (const std::string& option : matches(help, "^  (?:-[a-z],)?(--[a-z0-9-]+)")) {
            INFO("mcuota-pack " << command << ' ' << option);
            CHECK(bash.find(option) != std::string::npos);
            if (option == "--help" || option == "--json") continue;  // explained once for all
            CHECK(section.find(option) != std::string::npos);
            const bool signing = option == "--key" || option == "--pkcs11";
            CHECK((signing || zsh_case.find(option + "[") != std::string::npos));
        }
    }
    CHECK(man.find("--json") != std::string::npos);
}

TEST_CASE("the manual shows every exit code and the environment", "[pack][documents]") {
    const std::string man = text_of("mcu_flasher/package/mcuota-pack.1");
    for (const char* const words : {"\n0@", "\n1@", "\n2@", "\n3@", "\n4@", "NO_COLOR", "MCUOTA_PIN"})
        CHECK(man.find(words) != std::string::npos);
}

TEST_CASE("the guide's commands are commands and options mcuota-pack has", "[pack][documents]") {
    const Pack pack;
    const std::string guide = text_of("docs/packages.md");
    std::string lines = replaced(guide, "\\\n", " ");
    const std::regex line_form("^    mcuota-pack ([a-z]+)(.*)$", std::regex::multiline);
    std::size_t seen = 0;
    for (std::sregex_iterator at(lines.begin(), lines.end(), line_form), end; at != end; ++at, ++seen) {
        const std::string help = pack.good((*at)[1].str() + " --help");
        for (const std::string& option : matches((*at)[2].str(), "(--[a-z0-9-]+)")) {
            INFO((*at)[0].str());
            CHECK(help.find(option) != std::string::npos);
        }
    }
    CHECK(seen >= 10);
}

TEST_CASE("the bash completion completes commands, options and values", "[pack][documents]") {
    struct Row {
        const char* words;
        const char* expected;
    };
    const Row rows[] = {
        {"mcuota-pack cre", "create"},
        {"mcuota-pack create --no-f", "--no-full"},
        {"mcuota-pack create --format hdiffs", "hdiffsf20"},
        {"mcuota-pack keygen --type r", "rsa-2048"},
        {"mcuota-pack diff --pre", "--prefix"},
        {"mcuota-pack rotate --gen", "--generation"},
        {"mcuota-pack nonsense --x", ""},
    };
    for (const Row& row : rows) {
        const std::string script =
            "compopt() { :; }; source '" MCUOTA_SOURCE_DIR
            "/mcu_flasher/package/cli/completions/mcuota-pack.bash'; COMP_WORDS=(" +
            std::string(row.words) +
            "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _mcuota_pack; test \"${COMPREPLY[*]}\" = '" +
            row.expected + "'";
        INFO(row.words);
        CHECK(std::system(("bash -c \"$(cat <<'END'\n" + script + "\nEND\n)\"").c_str()) == 0);
    }
}

TEST_CASE("the zsh completion parses", "[pack][documents]") {
    CHECK(std::system("zsh -n '" MCUOTA_SOURCE_DIR "/mcu_flasher/package/cli/completions/_mcuota-pack'") ==
          0);
}
