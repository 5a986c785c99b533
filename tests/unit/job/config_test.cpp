// Promises of the configuration: every mistake is found, all at once, with its line and the mend; the example
// explains every key.
#include "daemon/config/config.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "tests/unit/db/store_fixture.hpp"

using namespace mcuota;
using namespace mcuota::config;

namespace {

const char* const kGood = R"([daemon]
state_dir = "/tmp/state"
[keys]
trusted = []
[[cloud]]
name = "ali"
provider = "aliyun"
host = "broker.example.org"
product_key = "pk"
device_name = "gw"
device_secret = "s3cret"
[[device]]
name = "pump-1"
hardware = "stm32f429-demo"
link = "uart:/dev/ttyUSB0:921600"
cloud = "ali"
product_key = "spk"
device_name = "pump-1"
device_secret = "other"
)";

Loaded load_text(const std::string& text) {
    db::TempFolder folder;
    std::ofstream(folder / "mcuota.toml") << text;
    return load(folder / "mcuota.toml");
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

std::vector<ConfigProblem> errors_of(const Loaded& loaded) {
    std::vector<ConfigProblem> errors;
    for (const ConfigProblem& problem : loaded.problems)
        if (problem.severity == ConfigProblem::Severity::error) errors.push_back(problem);
    return errors;
}

}  // namespace

TEST_CASE("a good configuration is read completely") {
    const Loaded loaded = load_text(kGood);
    for (const ConfigProblem& problem : loaded.problems)
        CHECK(problem.severity == ConfigProblem::Severity::warning);
    CHECK(loaded.usable());
    const Config& config = loaded.config;
    CHECK(config.daemon.state_dir == "/tmp/state");
    CHECK(config.daemon.socket == "/run/mcuota/api.sock");
    REQUIRE(config.clouds.size() == 1);
    CHECK(config.clouds[0].device_secret == "s3cret");
    CHECK(config.clouds[0].port == 443);
    REQUIRE(config.clouds[0].devices.size() == 1);
    CHECK(config.clouds[0].devices[0].device == "pump-1");
    CHECK(config.clouds[0].devices[0].product_key == "spk");
    CHECK(config.clouds[0].devices[0].device_secret == "other");
    REQUIRE(config.devices.size() == 1);
    CHECK(config.devices[0].link == "uart:/dev/ttyUSB0:921600");
}

TEST_CASE("every mistake has its line, its key and a mend") {
    struct Row {
        const char* name;
        const char* from;
        const char* to;
        std::uint32_t line;
        const char* key;
        const char* says;
    };
    const Row rows[] = {
        {"unknown key", "host =", "hots =", 8, "cloud[1].hots", "did you mean \"host\""},
        {"unknown table", "[keys]", "[keys]\n[deamon]", 4, "deamon", "did you mean \"daemon\""},
        {"wrong type", "\"pump-1\"\nhardware", "7\nhardware", 13, "device[1].name", "a text is needed"},
        {"number in quotes", "[keys]", "[policy]\nattempts_max = \"5\"\n[keys]", 4, "policy.attempts_max",
         "a whole number is needed"},
        {"out of range", "[keys]", "[policy]\nattempts_max = 0\n[keys]", 4, "policy.attempts_max",
         "out of range"},
        {"negative", "[keys]", "[policy]\nattempts_max = -1\n[keys]", 4, "policy.attempts_max",
         "out of range"},
        {"pauses the wrong way round", "[keys]", "[policy]\nbackoff_min_s = 9\nbackoff_max_s = 8\n[keys]", 5,
         "policy.backoff_max_s", "smaller"},
        {"relative path", "/tmp/state", "state", 2, "daemon.state_dir", "whole path"},
        {"unknown level", "[keys]", "log_level = \"loud\"\n[keys]", 3, "daemon.log_level",
         "one of: error, warning"},
        {"key file that is not there", "trusted = []", "trusted = [\"/nowhere/a.pem\"]", 4, "keys.trusted",
         "/nowhere/a.pem"},
        {"list with a number", "trusted = []", "trusted = [1]", 4, "keys.trusted", "only texts"},
        {"missing key", "host = \"broker.example.org\"\n", "", 5, "cloud[1].host", "this key is needed"},
        {"unknown provider", "\"aliyun\"", "\"cloudy\"", 7, "cloud[1].provider", "use \"aliyun\""},
        {"url as host", "broker.example.org", "mqtts://broker", 8, "cloud[1].host", "bare host name"},
        {"no secret", "device_secret = \"s3cret\"\n", "", 5, "cloud[1].device_secret_file", "missing"},
        {"secret file that is not there", "device_secret = \"s3cret\"", "device_secret_file = \"/nowhere/s\"",
         11, "cloud[1].device_secret_file", "/nowhere/s"},
        {"secret twice", "device_secret = \"s3cret\"", "device_secret = \"a\"\ndevice_secret_file = \"/b\"",
         11, "cloud[1].device_secret", "twice"},
        {"signature required but not checked", "device_secret = \"s3cret\"",
         "device_secret = \"s3cret\"\nrequire_signature = true", 12, "cloud[1].require_signature",
         "digest_sign"},
        {"dangling cloud", "cloud = \"ali\"", "cloud = \"alo\"", 16, "device[1].cloud",
         "no [[cloud]] named \"alo\""},
        {"identity without cloud", "cloud = \"ali\"\n", "", 16, "device[1].product_key", "without a cloud"},
        {"bad link", "uart:/dev/ttyUSB0:921600", "usb:/dev/x", 15, "device[1].link", ""},
        {"bad name", "name = \"pump-1\"\nhardware", "name = \"pump 1\"\nhardware", 13, "device[1].name",
         "does not serve as a name"},
        {"bad unique id", "cloud = \"ali\"", "unique_id = \"12\"\ncloud = \"ali\"", 16, "device[1].unique_id",
         "24 hex"},
        {"half an identity", "product_key = \"spk\"\n", "", 12, "device[1].product_key", "half"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Loaded loaded = load_text(replaced(kGood, row.from, row.to));
        CHECK_FALSE(loaded.usable());
        const std::vector<ConfigProblem> errors = errors_of(loaded);
        bool found = false;
        for (const ConfigProblem& problem : errors) {
            INFO(problem.line_text());
            CHECK_FALSE(problem.mend.empty());
            if (problem.key != row.key) continue;
            found = true;
            CHECK(problem.line == row.line);
            CHECK(problem.line_text().find(row.says) != std::string::npos);
            CHECK(problem.line_text().find("mcuota.toml:" + std::to_string(row.line)) != std::string::npos);
        }
        CHECK(found);
    }
}

TEST_CASE("all mistakes are told at once, in the order of the file") {
    std::string text = replaced(kGood, "host =", "hots =");
    text = replaced(text, "cloud = \"ali\"", "cloud = \"alo\"");
    text = replaced(text, "/tmp/state", "state");
    const std::vector<ConfigProblem> errors = errors_of(load_text(text));
    REQUIRE(errors.size() == 4);  // the misspelt key, and the key that is missing because of it
    CHECK(std::is_sorted(errors.begin(), errors.end(),
                         [](const ConfigProblem& a, const ConfigProblem& b) { return a.line < b.line; }));
}

TEST_CASE("names, links and identities are unique") {
    std::string second = std::string(kGood).substr(std::string(kGood).find("[[device]]"));
    std::vector<std::string> keys;
    for (const ConfigProblem& problem : errors_of(load_text(kGood + second)))
        keys.push_back(problem.key);
    CHECK(keys == std::vector<std::string>{"device[2].name", "device[2].link", "device[2].device_name"});
}

TEST_CASE("broken files are refused with a place") {
    struct Row {
        const char* name;
        std::string text;
        std::uint32_t line;
    };
    const Row rows[] = {{"no value", "[daemon]\nstate_dir =\n", 2},
                        {"binary", std::string("[daemon]\n\x01\x02\xff", 12), 2},
                        {"twice", "[keys]\ntrusted = []\ntrusted = []\n", 3},
                        {"list where a table belongs", "[[daemon]]\n", 1},
                        {"table where a list belongs", "[keys]\ntrusted = []\n[cloud]\n", 3}};
    for (const Row& row : rows) {
        INFO(row.name);
        const Loaded loaded = load_text(row.text);
        const std::vector<ConfigProblem> errors = errors_of(loaded);
        REQUIRE_FALSE(errors.empty());
        CHECK(std::any_of(errors.begin(), errors.end(),
                          [&](const ConfigProblem& p) { return p.line == row.line; }));
    }
    CHECK_FALSE(load("/nowhere/mcuota.toml").usable());
    CHECK_FALSE(load_text("").usable());  // no key is trusted
}

TEST_CASE("a secret comes from its file, without the line end") {
    db::TempFolder folder;
    std::ofstream(folder / "secret") << "abc\n";
    const Loaded loaded =
        load_text(replaced(kGood, "device_secret = \"s3cret\"",
                           "device_secret_file = \"" + (folder / "secret").string() + "\""));
    CHECK(loaded.usable());
    CHECK(loaded.config.clouds[0].device_secret == "abc");
}

TEST_CASE("a secret in the configuration works and is warned about") {
    bool warned = false;
    for (const ConfigProblem& problem : load_text(kGood).problems)
        warned = warned || (problem.key == "cloud[1].device_secret" && problem.line == 11);
    CHECK(warned);
}

TEST_CASE("the example configuration is valid and explains every key") {
    const std::string file = MCUOTA_SOURCE_DIR "/config/mcuota.toml";
    const Loaded loaded = load(file);
    for (const ConfigProblem& problem : loaded.problems)
        UNSCOPED_INFO(problem.line_text());
    CHECK(loaded.usable());

    std::ifstream in(file);
    std::vector<std::string> texts;
    std::string table;
    bool commented = false;
    for (std::string line; std::getline(in, line);) {
        const std::string body = line.starts_with("#") ? line.substr(1) : line;
        if (line.starts_with("# ")) {
            commented = true;
        } else if (body.starts_with("[")) {
            table = body.substr(body.find_first_not_of('['), body.find(']') - body.find_first_not_of('['));
        } else if (const std::size_t equals = body.find(" = "); equals != std::string::npos) {
            INFO(line);
            CHECK(commented);
            texts.push_back(table + "." + body.substr(0, equals));
        } else {
            commented = false;
        }
    }
    for (const KnownKey& key : known_keys()) {
        const std::string name = std::string(key.table) + "." + std::string(key.key);
        INFO(name);
        CHECK(std::count(texts.begin(), texts.end(), name) == 1);
    }
    CHECK(texts.size() == known_keys().size());  // and none that does not exist
}

TEST_CASE("the example with every key switched on has no unknown key") {
    std::ifstream in(MCUOTA_SOURCE_DIR "/config/mcuota.toml");
    std::ostringstream all;
    for (std::string line; std::getline(in, line);)
        all << (line.starts_with("#") && !line.starts_with("# ") ? line.substr(1) : line) << '\n';
    for (const ConfigProblem& problem : load_text(all.str()).problems) {
        INFO(problem.line_text());
        CHECK(problem.what.find("no such key") == std::string::npos);
        CHECK(problem.what.find("needed") == std::string::npos);
    }
}
