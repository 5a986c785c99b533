// The outbox, packages and audit tables.
#include "db/store_impl.hpp"

namespace mcuota::db {

Result<void> Store::Impl::write_outbox(std::span<const OutboxRecord> messages, TimeMs now_ms) {
    for (const OutboxRecord& message : messages) {
        if (!message.coalesce_key.empty()) {
            Result<void> dropped = database.run("DELETE FROM outbox WHERE provider = ? AND coalesce_key = ?",
                                                message.provider, message.coalesce_key);
            if (!dropped) return dropped;
        }
        Result<void> added = database.run(
            "INSERT INTO outbox (provider, device, topic, payload, qos, coalesce_key, created_at_ms) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            message.provider, message.device, message.topic, message.payload, message.qos,
            message.coalesce_key, now_ms);
        if (!added) return added;
    }
    return {};
}

Result<std::vector<OutboxRecord>> Store::outbox(const std::string& provider, std::size_t limit) {
    const std::lock_guard lock(impl_->mutex);
    std::vector<OutboxRecord> messages;
    Result<void> read = impl_->database.each(
        "SELECT id, provider, device, topic, payload, qos, coalesce_key FROM outbox WHERE provider = ? "
        "ORDER BY id LIMIT ?",
        [&](const Row& row) {
            messages.push_back({row.integer(0), row.text(1), row.text(2), row.text(3), row.text(4),
                                row.number<int>(5), row.text(6)});
        },
        provider, static_cast<std::int64_t>(limit));
    if (!read) return std::move(read).error();
    return messages;
}

Result<void> Store::drop_outbox(std::int64_t id) {
    return impl_->transaction(
        [&]() -> Result<void> { return impl_->database.run("DELETE FROM outbox WHERE id = ?", id); });
}

Result<std::uint64_t> Store::outbox_count(const std::string& provider) {
    const std::lock_guard lock(impl_->mutex);
    std::uint64_t count = 0;
    Result<void> read = impl_->database.each(
        "SELECT count(*) FROM outbox WHERE provider = ?",
        [&](const Row& row) { count = row.number<std::uint64_t>(0); }, provider);
    if (!read) return std::move(read).error();
    return count;
}

Result<std::uint64_t> Store::outbox_count(const std::string& provider, const std::string& device,
                                          std::int64_t created_until_ms) {
    const std::lock_guard lock(impl_->mutex);
    std::uint64_t count = 0;
    Result<void> read = impl_->database.each(
        "SELECT count(*) FROM outbox WHERE provider = ? AND device = ? AND created_at_ms <= ?",
        [&](const Row& row) { count = row.number<std::uint64_t>(0); }, provider, device, created_until_ms);
    if (!read) return std::move(read).error();
    return count;
}

Result<void> Store::save_package(const PackageRecord& package) {
    return impl_->transaction([&]() -> Result<void> {
        return impl_->database.run(
            "INSERT INTO packages (sha256, size_bytes, added_at_ms, used_at_ms) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (sha256) DO UPDATE SET used_at_ms = excluded.used_at_ms",
            package.sha256, package.size_bytes, package.added_at_ms, package.used_at_ms);
    });
}

namespace {

Result<std::vector<PackageRecord>> select_packages(Database& database, const std::string& rest) {
    std::vector<PackageRecord> packages;
    Result<void> read = database.each(
        "SELECT sha256, size_bytes, added_at_ms, used_at_ms FROM packages " + rest +
            " ORDER BY added_at_ms, sha256",
        [&](const Row& row) {
            packages.push_back({row.text(0), row.number<std::uint64_t>(1), row.integer(2), row.integer(3)});
        });
    if (!read) return std::move(read).error();
    return packages;
}

}  // namespace

Result<std::vector<PackageRecord>> Store::packages() {
    const std::lock_guard lock(impl_->mutex);
    return select_packages(impl_->database, "");
}

Result<std::vector<PackageRecord>> Store::unreferenced_packages() {
    const std::lock_guard lock(impl_->mutex);
    return select_packages(
        impl_->database,
        "WHERE sha256 NOT IN (SELECT package_sha256 FROM jobs WHERE state NOT IN (7, 9, 10))");
}

Result<void> Store::drop_package(const std::string& sha256) {
    return impl_->transaction([&]() -> Result<void> {
        return impl_->database.run("DELETE FROM packages WHERE sha256 = ?", sha256);
    });
}

Result<void> Store::Impl::write_audit(const AuditRecord& entry, TimeMs now_ms) {
    return database.run(
        "INSERT INTO audit (at_ms, who, uid, action, device, job, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
        now_ms, entry.who, entry.uid, entry.action, entry.device, entry.job, entry.detail);
}

Result<std::vector<AuditRecord>> Store::audit(const std::string& device, std::optional<TimeMs> since_ms,
                                              std::uint32_t limit) {
    const std::lock_guard lock(impl_->mutex);
    std::vector<AuditRecord> entries;
    Result<void> read = impl_->database.each(
        "SELECT id, at_ms, who, uid, action, device, job, detail FROM audit "
        "WHERE (?1 = '' OR device = ?1) AND (?2 IS NULL OR at_ms >= ?2) ORDER BY id DESC LIMIT ?3",
        [&](const Row& row) {
            AuditRecord entry;
            entry.id = row.integer(0);
            entry.at_ms = row.integer(1);
            entry.who = row.text(2);
            if (!row.null(3)) entry.uid = row.number<std::uint32_t>(3);
            entry.action = row.text(4);
            entry.device = row.text(5);
            entry.job = row.optional_integer(6);
            entry.detail = row.text(7);
            entries.push_back(std::move(entry));
        },
        device, since_ms, std::int64_t{limit});
    if (!read) return std::move(read).error();
    return entries;
}

}  // namespace mcuota::db
