#pragma once
// What the parts of the Store share. Only for db/store*.cpp.

#include <mutex>

#include "db/sqlite.hpp"
#include "db/store.hpp"

namespace mcuota::db {

struct Store::Impl {
    explicit Impl(Database opened) : database(std::move(opened)) {}
    std::recursive_mutex mutex;  // together() calls back into the store
    Database database;

    Result<void> write_outbox(std::span<const OutboxRecord> messages, TimeMs now_ms);
    Result<void> write_audit(const AuditRecord& entry, TimeMs now_ms);
    Result<void> write_device(const DeviceRecord& device);
    Result<void> write_transition(std::int64_t job, std::optional<JobState> from, JobState to,
                                  const std::string& reason, TimeMs now_ms);
    template <class Body>
    Result<void> transaction(Body&& body) {
        const std::lock_guard lock(mutex);
        Result<Transaction> begun = Transaction::begin(database);
        if (!begun) return std::move(begun).error();
        Result<void> done = body();
        if (!done) return done;
        return begun->commit();
    }
};

/// The four error columns, starting at `column`: code (NULL: none), what, next, device status.
[[nodiscard]] inline std::optional<Error> read_error(const Row& row, int column) {
    if (row.null(column)) return std::nullopt;
    Error error;
    error.code = row.number<ErrorCode>(column);
    error.what = row.text(column + 1);
    error.next = row.text(column + 2);
    error.device_status = row.number<std::uint16_t>(column + 3);
    return error;
}
[[nodiscard]] inline std::optional<std::int64_t> error_number(const std::optional<Error>& error) {
    return error ? std::optional(static_cast<std::int64_t>(error->code)) : std::nullopt;
}

}  // namespace mcuota::db
