#pragma once
// SQLite as three small owners: Database, Statement, Transaction. Nothing outside this pair of files calls
// sqlite3_*.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "mcu_flasher/base/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace mcuota::db {

/// One row of a running query; valid until the next step().
class Row {
  public:
    explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
    [[nodiscard]] bool null(int column) const;
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] std::string text(int column) const;
    template <class T>
    [[nodiscard]] T number(int column) const {
        return static_cast<T>(integer(column));
    }
    [[nodiscard]] std::optional<std::int64_t> optional_integer(int column) const {
        return null(column) ? std::nullopt : std::optional(integer(column));
    }

  private:
    sqlite3_stmt* statement_;
};

/// A prepared statement. Bindings count from 1 in the order of the `?`.
class Statement {
  public:
    void bind(int index, std::int64_t value);
    void bind(int index, std::string_view value);
    void bind(int index, const std::string& value) { bind(index, std::string_view(value)); }
    void bind(int index, const char* value) { bind(index, std::string_view(value)); }
    void bind(int index, bool value) { bind(index, std::int64_t{value}); }
    void bind(int index, std::nullopt_t);
    template <class T>
    requires std::is_integral_v<T> || std::is_enum_v<T>
    void bind(int index, T value) { bind(index, static_cast<std::int64_t>(value)); }
    template <class T>
    void bind(int index, const std::optional<T>& value) {
        if (value)
            bind(index, *value);
        else
            bind(index, std::nullopt);
    }
    template <class... Values>
    void bind_all(const Values&... values) {
        int index = 0;
        (bind(++index, values), ...);
    }
    /// True: a row is ready. False: done.
    [[nodiscard]] Result<bool> step();
    [[nodiscard]] Row row() const { return Row(statement_.get()); }

  private:
    friend class Database;
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };
    explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// A connection. Not shared between threads without a lock.
class Database {
  public:
    enum class Mode : std::uint8_t {
        read_write,  ///< created when missing; WAL, synchronous=FULL, foreign keys on
        read_only,   ///< never writes, also not beside the file
    };
    /// database_failed or disk_full, naming the file.
    [[nodiscard]] static Result<Database> open(const std::filesystem::path& file, Mode mode);

    [[nodiscard]] Result<Statement> prepare(std::string_view sql);
    /// Runs one statement that yields nothing.
    template <class... Values>
    [[nodiscard]] Result<void> run(std::string_view sql, const Values&... values) {
        Result<Statement> statement = prepare(sql);
        if (!statement) return std::move(statement).error();
        statement->bind_all(values...);
        Result<bool> stepped = statement->step();
        if (!stepped) return std::move(stepped).error();
        return {};
    }
    /// Runs one query and gives every row to `take(const Row&)`.
    template <class Take, class... Values>
    [[nodiscard]] Result<void> each(std::string_view sql, Take&& take, const Values&... values) {
        Result<Statement> statement = prepare(sql);
        if (!statement) return std::move(statement).error();
        statement->bind_all(values...);
        for (;;) {
            Result<bool> stepped = statement->step();
            if (!stepped) return std::move(stepped).error();
            if (!*stepped) return {};
            take(statement->row());
        }
    }
    /// Runs a script of several statements.
    [[nodiscard]] Result<void> script(const std::string& sql);
    /// The one integer a query such as "PRAGMA user_version" yields.
    [[nodiscard]] Result<std::int64_t> integer(std::string_view sql);

    [[nodiscard]] std::int64_t last_insert_id() const;
    [[nodiscard]] std::int64_t changes() const;
    [[nodiscard]] bool in_transaction() const;

  private:
    struct Close {
        void operator()(sqlite3* handle) const noexcept;
    };
    explicit Database(sqlite3* handle) : handle_(handle) {}
    std::unique_ptr<sqlite3, Close> handle_;
};

/// BEGIN IMMEDIATE … COMMIT; rolled back by the destructor unless committed. Inside another transaction it
/// joins that one: nothing is final until the outermost commits, and a joined one that is dropped spoils the
/// outer.
class Transaction {
  public:
    [[nodiscard]] static Result<Transaction> begin(Database& database);
    Transaction(Transaction&& other) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    ~Transaction();
    [[nodiscard]] Result<void> commit();

  private:
    Transaction(Database& database, bool outermost) : database_(&database), outermost_(outermost) {}
    Database* database_;
    bool outermost_;
};

}  // namespace mcuota::db
