#pragma once
// Brings a database to the schema this program knows: numbered scripts from db/migrations, embedded at build
// time.

#include <cstdint>
#include <span>

#include "db/sqlite.hpp"

namespace mcuota::db {

struct Migration {
    std::int64_t number;
    const char* name;
    const char* sql;
};
/// All of them, ascending from 1 without gaps (generated).
[[nodiscard]] std::span<const Migration> migrations() noexcept;
/// The schema number after the last one.
[[nodiscard]] std::int64_t schema_version() noexcept;

/// Applies what is missing, each script in a transaction of its own. Refuses a newer schema and files that
/// are not ours.
[[nodiscard]] Result<void> migrate(Database& database);
/// Checks without writing: the schema must be exactly the known one.
[[nodiscard]] Result<void> check_schema(Database& database);

}  // namespace mcuota::db
