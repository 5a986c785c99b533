// Nothing released stays undocumented: command line, manual, completions and openapi.yaml agree with the
// program.
#include <boost/json/object.hpp>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "daemon/api/routes.hpp"
#include "daemon/api/views.hpp"
#include "daemon/cli/command_line.hpp"
#include "daemon/cli/completions.hpp"
#include "daemon/cli/event_parser.hpp"
#include "daemon/cli/terminal.hpp"

using namespace mcuota;
using namespace mcuota::api;
using namespace mcuota::cli;

namespace {

std::string file_text(const std::string& path) {
    std::ifstream file(std::string(MCUOTA_SOURCE_DIR) + "/" + path);
    REQUIRE(file.good());
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Every command of the program as the words that lead to it, with its options.
void walk(const CLI::App& app, const std::string& path, std::map<std::string, std::set<std::string>>& out) {
    for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; }))
        for (const std::string& name : option->get_lnames())
            out[path].insert("--" + name);
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
        walk(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), out);
}

std::map<std::string, std::set<std::string>> command_line() {
    Options options;
    std::map<std::string, std::set<std::string>> out;
    walk(*make_command_line(options), "", out);
    return out;
}

std::string last_word(const std::string& path) {
    return path.substr(path.find_last_of(' ') + 1);
}

void add_keys(const boost::json::value& value, std::set<std::string>& out) {
    if (const auto* object = value.if_object())
        for (const auto& member : *object) {
            out.emplace(member.key());
            add_keys(member.value(), out);
        }
    if (const auto* array = value.if_array())
        for (const auto& item : *array)
            add_keys(item, out);
}

}  // namespace

TEST_CASE("every command and option is in the manual", "[cli]") {
    std::string manual = file_text("daemon/cli/mcuota.1");
    manual = std::regex_replace(manual, std::regex("\\\\-"), "-");
    manual = std::regex_replace(manual, std::regex("\\\\ "), " ");
    const auto commands = command_line();
    CHECK(commands.size() == 17);
    for (const auto& [path, options] : commands) {
        INFO(path);
        // As the head of a paragraph: ".B status", ".BI "device show " NAME", ".BR "job watch " …".
        const bool leaf = options.count("--socket") != 0 || path == "completion";
        if (!path.empty() && leaf)
            CHECK(std::regex_search(manual, std::regex("\\.TP\\n\\.B[IR]? \"?" + path + "[ \"\\n]")));
        for (const std::string& option : options) {
            INFO(option);
            CHECK(std::regex_search(manual, std::regex("\\.TP\\n\\.B[IR]? .*" + option)));
        }
    }
    for (const std::string_view state : api::kJobStates)
        CHECK(manual.find(state) != std::string::npos);
}

TEST_CASE("every command and option is completed in bash and zsh", "[cli]") {
    for (const std::string& script : {kBashCompletion, kZshCompletion}) {
        for (const auto& [path, options] : command_line()) {
            INFO(path);
            if (!path.empty())
                CHECK(std::regex_search(script, std::regex("[ '\"(|]" + last_word(path) + "[ :)'\"|]")));
            for (const std::string& option : options) {
                INFO(option);
                CHECK(std::regex_search(script, std::regex("[ '\"*]" + option + "[ \\['\"]")));
            }
        }
        for (const std::string_view state : api::kJobStates)
            CHECK(script.find(state) != std::string::npos);
    }
}

TEST_CASE("every command's help has an example", "[cli]") {
    Options options;
    const auto app = make_command_line(options);
    std::vector<const CLI::App*> open{app.get()};
    while (!open.empty()) {
        const CLI::App* here = open.back();
        open.pop_back();
        const auto below = here->get_subcommands([](const CLI::App*) { return true; });
        open.insert(open.end(), below.begin(), below.end());
        INFO(here->get_name());
        if (below.empty()) CHECK(here->help().find("Example:\n  ") != std::string::npos);
    }
}

TEST_CASE("openapi.yaml lists exactly the addresses that are served", "[api]") {
    std::istringstream lines(file_text("docs/openapi.yaml"));
    std::set<Action> documented;
    std::string path;
    for (std::string line; std::getline(lines, line);) {
        std::smatch match;
        if (std::regex_match(line, match, std::regex("  (/v1/.*):"))) path = match[1];
        if (path.empty() || !std::regex_match(line, match, std::regex("    (get|post|put|delete):")))
            continue;
        const std::string method = match[1] == "get" ? "GET" : match[1] == "post" ? "POST" : "OTHER";
        std::string target = std::regex_replace(path, std::regex("\\{id\\}"), "7");
        target = std::regex_replace(target, std::regex("\\{name\\}"), "pump-3");
        INFO(method << " " << target);
        const auto routed = route(method, target, 0);
        REQUIRE(std::holds_alternative<Route>(routed));
        CHECK(documented.insert(std::get<Route>(routed).action).second);
    }
    CHECK(documented.size() == static_cast<std::size_t>(Action::events) + 1);
}

TEST_CASE("openapi.yaml names every key the API prints", "[api]") {
    const std::string document = file_text("docs/openapi.yaml");
    JobView job;
    job.error = Error{};
    job.transitions.push_back({});
    DeviceView device;
    device.running = ImageView{};
    StatusView status;
    status.clouds.push_back({});
    status.devices.push_back(device);
    status.jobs.push_back(job);
    PackageView package;
    package.entries.push_back({});
    std::set<std::string> keys;
    add_keys(to_json(status), keys);
    add_keys(to_json_with_transitions(job), keys);
    add_keys(to_json(package), keys);
    add_keys(to_json(InstallView{}), keys);
    CHECK(keys.size() > 60);
    for (const std::string& key : keys) {
        INFO(key);
        CHECK(std::regex_search(document, std::regex("[ {]" + key + ":")));
    }
}

TEST_CASE("a mistyped word is near what was meant, another word is not", "[cli]") {
    struct Row {
        const char* a;
        const char* b;
        std::size_t distance;
    };
    const Row rows[] = {{"", "", 0},
                        {"", "abc", 3},
                        {"status", "status", 0},
                        {"stauts", "status", 1},
                        {"statu", "status", 1},
                        {"sstatus", "status", 1},
                        {"flahs", "flash", 1},
                        {"wtahc", "watch", 2},
                        {"job", "device", 6}};
    for (const Row& row : rows) {
        INFO(row.a << " " << row.b);
        CHECK(word_distance(row.a, row.b) == row.distance);
        CHECK(word_distance(row.b, row.a) == row.distance);
    }
}

TEST_CASE("events come out of any cut of the stream", "[cli]") {
    const std::string stream =
        ": hello\n\nevent: job\r\ndata: {\"a\":1}\r\n\r\nevent: cloud\ndata: x\ndata: y\n\ndata: z\n\n";
    for (std::size_t size = 1; size <= stream.size(); ++size) {
        EventParser parser;
        std::string seen;
        for (std::size_t at = 0; at < stream.size(); at += size)
            REQUIRE(parser.feed(stream.substr(at, size), [&](std::string_view kind, std::string_view data) {
                seen += std::string(kind) + "=" + std::string(data) + ";";
            }));
        CHECK(seen == "job={\"a\":1};cloud=x\ny;=z;");
    }
    EventParser endless;
    bool fine = true;
    for (int i = 0; i < 20 && fine; ++i)
        fine = endless.feed(std::string(1U << 20, 'x'), {});
    CHECK_FALSE(fine);
}

TEST_CASE("text fits its columns, whatever its characters and colours", "[cli]") {
    Style plain;
    Style fancy{true, true, true, 80};
    CHECK(width("1.0 → 2.0") == 9);
    CHECK(width(paint(fancy, Colour::bad, "failed")) == 6);
    CHECK(paint(plain, Colour::bad, "failed") == "failed");
    CHECK(shortened(plain, "abcdefghij", 6) == "abc...");
    CHECK(shortened(fancy, "äöüäöüäöü", 6) == "äöüäö…");
    CHECK(shortened(plain, "abc", 6) == "abc");
    CHECK(bar(plain, 50, 4) == "[##--]");
    CHECK(width(bar(fancy, 37, 20)) == 20);
    CHECK(bar(plain, 250, 4) == "[####]");
    CHECK(human_bytes(999) == "999 B");
    CHECK(human_bytes(999'949) == "999.9 kB");
    CHECK(human_bytes(999'950) == "1.0 MB");
    CHECK(human_duration(59'999) == "59 s");
    CHECK(human_duration(3'599'000) == "59 min");
    CHECK(human_duration(7'500'000) == "2 h 5 min");
    CHECK(human_duration(-5) == "0 s");
    Table table;
    table.row({"a", "bb"});
    table.row({"ccc", paint(fancy, Colour::good, "d"), "e"});
    CHECK(table.text() == "a    bb\nccc  \x1b[32md\x1b[0m   e\n");
}
