// Promises of the schema: one result whatever the road, and no touching of databases that are not ours.
#include "db/migrate.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <regex>
#include <sstream>
#include <vector>

#include "tests/unit/db/store_fixture.hpp"

using namespace mcuota;
using namespace mcuota::db;

namespace {

/// A statement without comments, blanks and line ends, which a migration cannot put where a person would.
std::string bare(const std::string& sql) {
    static const std::regex comment("--[^\n]*"), space("\\s+"), around(" ?([(),]) ?");
    std::string out = std::regex_replace(sql, comment, "");
    out = std::regex_replace(out, space, " ");
    return std::regex_replace(out, around, "$1");
}

std::vector<std::string> schema_of(Database& database) {
    std::vector<std::string> statements;
    REQUIRE(database.each(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY name",
        [&](const Row& row) { statements.push_back(bare(row.text(0))); }));
    return statements;
}

std::string text_of(const std::string& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

Database open_file(const std::filesystem::path& file) {
    Result<Database> database = Database::open(file, Database::Mode::read_write);
    REQUIRE(database);
    return std::move(*database);
}

}  // namespace

TEST_CASE("schema.sql is what the migrations lead to") {
    TempFolder folder;
    Database migrated = open_file(folder / "a.db");
    REQUIRE(migrate(migrated));
    Database whole = open_file(folder / "b.db");
    REQUIRE(whole.script(text_of(MCUOTA_SOURCE_DIR "/db/schema.sql")));
    CHECK(schema_of(migrated) == schema_of(whole));
    CHECK(schema_of(migrated).size() >= 7);
}

TEST_CASE("every table is strict and migrations are numbered without gaps") {
    std::int64_t expected = 1;
    for (const Migration& migration : migrations())
        CHECK(migration.number == expected++);
    TempFolder folder;
    Database database = open_file(folder / "a.db");
    REQUIRE(migrate(database));
    Result<std::int64_t> loose = database.integer(
        "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND "
        "type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite_%'");
    REQUIRE(loose);
    CHECK(*loose == 0);
}

TEST_CASE("the database is durable at every commit") {
    TempFolder folder;
    Database database = open_file(folder / "a.db");
    std::string mode;
    REQUIRE(database.each("PRAGMA journal_mode", [&](const Row& row) { mode = row.text(0); }));
    CHECK(mode == "wal");
    CHECK(*database.integer("PRAGMA synchronous") == 2);
    CHECK(*database.integer("PRAGMA foreign_keys") == 1);
}

TEST_CASE("a database of a newer mcuota is refused and left alone") {
    TempFolder folder;
    {
        Database database = open_file(folder / "a.db");
        REQUIRE(migrate(database));
        REQUIRE(database.script("PRAGMA user_version = 99"));
    }
    for (const bool read_only : {false, true}) {
        Result<Store> store =
            read_only ? Store::open_read_only(folder / "a.db") : Store::open(folder / "a.db");
        REQUIRE_FALSE(store);
        CHECK(store.error().code == ErrorCode::database_failed);
        CHECK(store.error().what.find("schema 99") != std::string::npos);
        CHECK_FALSE(store.error().next.empty());
    }
    Database database = open_file(folder / "a.db");
    CHECK(*database.integer("PRAGMA user_version") == 99);
}

TEST_CASE("somebody else's database and a damaged file are refused") {
    TempFolder folder;
    {
        Database database = open_file(folder / "other.db");
        REQUIRE(database.script("CREATE TABLE notes (text TEXT)"));
    }
    std::ofstream(folder / "garbage.db") << std::string(8192, 'x');
    for (const char* name : {"other.db", "garbage.db"}) {
        INFO(name);
        Result<Store> store = Store::open(folder / name);
        REQUIRE_FALSE(store);
        CHECK(store.error().code == ErrorCode::database_failed);
        CHECK_FALSE(store.error().next.empty());
    }
    std::filesystem::create_directory(folder / "folder.db");
    CHECK(Store::open(folder / "folder.db").error().code == ErrorCode::database_failed);
    CHECK(Store::open(folder / "missing/mcuota.db").error().code == ErrorCode::database_failed);
    CHECK(Store::open_read_only(folder / "missing.db").error().code == ErrorCode::not_found);
}

TEST_CASE("a transaction that is not committed never happened") {
    TempFolder folder;
    Database database = open_file(folder / "a.db");
    REQUIRE(migrate(database));
    {
        Result<Transaction> transaction = Transaction::begin(database);
        REQUIRE(transaction);
        REQUIRE(database.run("INSERT INTO packages VALUES ('x', 1, 2, 3)"));
    }
    CHECK(*database.integer("SELECT count(*) FROM packages") == 0);
    {
        Result<Transaction> outer = Transaction::begin(database);
        REQUIRE(outer);
        REQUIRE(database.run("INSERT INTO packages VALUES ('x', 1, 2, 3)"));
        { Result<Transaction> dropped = Transaction::begin(database); }
        CHECK_FALSE(outer->commit());
    }
    CHECK(*database.integer("SELECT count(*) FROM packages") == 0);
}
