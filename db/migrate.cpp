// Numbered migrations, and the refusal of databases this program must not touch.
#include "db/migrate.hpp"

#include <string>

namespace mcuota::db {
namespace {

constexpr std::int64_t kApplicationId = 0x4D435542;  // "MCUB": tells our files from other SQLite databases

Error newer(std::int64_t found) {
    return {ErrorCode::database_failed,
            "the state database has schema " + std::to_string(found) +
                ", made by a newer mcuota; this one knows " + std::to_string(schema_version()),
            "install the newer version again, or move the state folder away and start with an empty one"};
}

Result<void> check_owner(Database& database) {
    Result<std::int64_t> id = database.integer("PRAGMA application_id");
    if (!id) return std::move(id).error();
    if (*id == kApplicationId) return {};
    Result<std::int64_t> tables = database.integer("SELECT count(*) FROM sqlite_schema");
    if (!tables) return std::move(tables).error();
    if (*id == 0 && *tables == 0) return {};
    return Error{ErrorCode::database_failed, "the state database belongs to another program",
                 "give mcuota a state_dir of its own"};
}

Result<void> apply(Database& database, const Migration& migration) {
    Result<Transaction> transaction = Transaction::begin(database);
    if (!transaction) return std::move(transaction).error();
    Result<void> done = database.script(migration.sql);
    if (!done)
        return std::move(done).error().while_doing("bringing the state database to schema " +
                                                   std::string(migration.name));
    done = database.script("PRAGMA user_version = " + std::to_string(migration.number) +
                           "; PRAGMA application_id = " + std::to_string(kApplicationId));
    if (!done) return done;
    return transaction->commit();
}

}  // namespace

std::int64_t schema_version() noexcept {
    return static_cast<std::int64_t>(migrations().size());
}

Result<void> migrate(Database& database) {
    Result<void> owner = check_owner(database);
    if (!owner) return owner;
    Result<std::int64_t> found = database.integer("PRAGMA user_version");
    if (!found) return std::move(found).error();
    if (*found > schema_version()) return newer(*found);
    for (const Migration& migration : migrations()) {
        if (migration.number <= *found) continue;
        Result<void> applied = apply(database, migration);
        if (!applied) return applied;
    }
    return {};
}

Result<void> check_schema(Database& database) {
    Result<void> owner = check_owner(database);
    if (!owner) return owner;
    Result<std::int64_t> found = database.integer("PRAGMA user_version");
    if (!found) return std::move(found).error();
    if (*found > schema_version()) return newer(*found);
    if (*found < schema_version())
        return Error{ErrorCode::database_failed,
                     "the state database has schema " + std::to_string(*found) + ", this program needs " +
                         std::to_string(schema_version()),
                     "start mcuotad once: it brings the database up to date"};
    return {};
}

}  // namespace mcuota::db
