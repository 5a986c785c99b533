// SQLite's C interface, wrapped; its result codes become Errors with words a person can act on.
#include "db/sqlite.hpp"

#include <sqlite3.h>
#include <sys/statvfs.h>

#include <utility>

namespace mcuota::db {
namespace {

std::string file_of(sqlite3* handle) {
    const char* name = handle != nullptr ? sqlite3_db_filename(handle, "main") : nullptr;
    return name != nullptr && *name != '\0' ? name : "(in memory)";
}

// SQLite reports a full disk as an I/O error when its shared memory file is what does not fit.
bool file_system_full(const std::string& file) {
    struct statvfs figures {};
    return ::statvfs(std::filesystem::path(file).parent_path().c_str(), &figures) == 0 &&
           figures.f_bavail == 0;
}

Error explain(int code, const std::string& file, const std::string& detail) {
    const std::string about = "the state database " + file;
    switch (code & 0xFF) {
        case SQLITE_FULL:
            return {ErrorCode::disk_full, about + " cannot grow: " + detail, "free space on its file system"};
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return {ErrorCode::database_failed, about + " is damaged: " + detail,
                    "move it away (history is lost, devices are not touched) or restore a copy of it"};
        case SQLITE_READONLY:
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
        case SQLITE_AUTH:
            return {
                ErrorCode::database_failed, about + " cannot be opened or written: " + detail,
                "check that the folder exists, belongs to the daemon's user and is not mounted read-only"};
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return {ErrorCode::database_failed, about + " is held by another program: " + detail,
                    "find it with: fuser -v " + file};
        case SQLITE_IOERR:
            if (file_system_full(file))
                return {ErrorCode::disk_full, about + " cannot grow: no space left",
                        "free space on its file system"};
            return {ErrorCode::database_failed, about + " cannot be read or written: " + detail,
                    "check the disk (journalctl -k)"};
        default:
            return {ErrorCode::database_failed, about + " failed: " + detail, "see the daemon's log"};
    }
}

Error error_of(sqlite3* handle) {
    return explain(sqlite3_extended_errcode(handle), file_of(handle), sqlite3_errmsg(handle));
}

// A database nobody has open after a clean stop has no -wal beside it; a reader without write permission to
// the folder can then only open it as an unchanging file.
std::string immutable_uri(const std::filesystem::path& file) {
    std::string uri = "file:";
    for (const char c : file.string()) {
        if (c == '?' || c == '#' || c == '%') {
            constexpr char digits[] = "0123456789ABCDEF";
            const auto byte = static_cast<unsigned char>(c);
            uri += {'%', digits[byte >> 4], digits[byte & 15]};
        } else {
            uri += c;
        }
    }
    return uri + "?immutable=1";
}

}  // namespace

bool Row::null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
std::int64_t Row::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}
std::string Row::text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    const int size = sqlite3_column_bytes(statement_, column);
    return bytes != nullptr ? std::string(bytes, static_cast<std::size_t>(size)) : std::string();
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
    sqlite3_finalize(statement);
}
void Statement::bind(int index, std::int64_t value) {
    sqlite3_bind_int64(statement_.get(), index, value);
}
void Statement::bind(int index, std::string_view value) {
    sqlite3_bind_text64(statement_.get(), index, value.data() != nullptr ? value.data() : "", value.size(),
                        SQLITE_TRANSIENT, SQLITE_UTF8);
}
void Statement::bind(int index, std::nullopt_t) {
    sqlite3_bind_null(statement_.get(), index);
}

Result<bool> Statement::step() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return error_of(sqlite3_db_handle(statement_.get()));
}

void Database::Close::operator()(sqlite3* handle) const noexcept {
    sqlite3_close_v2(handle);
}

Result<Database> Database::open(const std::filesystem::path& file, Mode mode) {
    const bool writes = mode == Mode::read_write;
    const auto attempt = [writes](const std::string& name, int extra) -> Result<Database> {
        sqlite3* handle = nullptr;
        const int flags = (writes ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY) |
                          extra | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
        const int code = sqlite3_open_v2(name.c_str(), &handle, flags, nullptr);
        Database database(handle);
        if (code != SQLITE_OK)
            return explain(code, name, handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code));
        sqlite3_busy_timeout(handle, 5'000);
        sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
        Result<void> set = database.script(
            writes ? "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; "
                     "PRAGMA trusted_schema = OFF"
                   : "PRAGMA foreign_keys = ON; PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; "
                     "SELECT count(*) FROM sqlite_schema");
        if (!set) return std::move(set).error();
        return database;
    };
    Result<Database> opened = attempt(file.string(), 0);
    std::error_code ignored;
    if (opened || writes || std::filesystem::exists(file.string() + "-wal", ignored)) return opened;
    return attempt(immutable_uri(file), SQLITE_OPEN_URI);
}

Result<Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr) !=
        SQLITE_OK)
        return error_of(handle_.get());
    return Statement(statement);
}

Result<void> Database::script(const std::string& sql) {
    if (sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
        return error_of(handle_.get());
    return {};
}

Result<std::int64_t> Database::integer(std::string_view sql) {
    std::int64_t value = 0;
    Result<void> asked = each(sql, [&value](const Row& row) { value = row.integer(0); });
    if (!asked) return std::move(asked).error();
    return value;
}

std::int64_t Database::last_insert_id() const {
    return sqlite3_last_insert_rowid(handle_.get());
}
std::int64_t Database::changes() const {
    return sqlite3_changes64(handle_.get());
}
bool Database::in_transaction() const {
    return sqlite3_get_autocommit(handle_.get()) == 0;
}

Result<Transaction> Transaction::begin(Database& database) {
    if (database.in_transaction()) return Transaction(database, false);
    Result<void> begun = database.script("BEGIN IMMEDIATE");
    if (!begun) return std::move(begun).error();
    return Transaction(database, true);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)), outermost_(other.outermost_) {}

Transaction::~Transaction() {
    // Also of a joined one: what it wrote so far must not become true without the rest. SQLite may have
    // rolled back by itself already (full disk).
    if (database_ != nullptr && database_->in_transaction())
        static_cast<void>(database_->script("ROLLBACK").ok());
}

Result<void> Transaction::commit() {
    if (!database_->in_transaction())
        return Error{ErrorCode::database_failed, "a change of the state database was taken back half-way",
                     "see the daemon's log for the first failure"};
    if (outermost_) {
        Result<void> committed = database_->script("COMMIT");
        if (!committed) return committed;
    }
    database_ = nullptr;
    return {};
}

}  // namespace mcuota::db
