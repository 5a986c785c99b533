// Opening the store, and what belongs to no single table.
#include "db/store.hpp"

#include <utility>

#include "db/migrate.hpp"
#include "db/store_impl.hpp"

namespace mcuota::db {

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;

Result<Store> Store::open(const std::filesystem::path& file) {
    Result<Database> database = Database::open(file, Database::Mode::read_write);
    if (!database) return std::move(database).error();
    Result<void> migrated = migrate(*database);
    if (!migrated) return std::move(migrated).error();
    return Store(std::make_unique<Impl>(std::move(*database)));
}

Result<Store> Store::open_read_only(const std::filesystem::path& file) {
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored))
        return Error{ErrorCode::not_found, "there is no state database " + file.string(),
                     "start mcuotad, or name its configuration with --config"};
    Result<Database> database = Database::open(file, Database::Mode::read_only);
    if (!database) return std::move(database).error();
    Result<void> checked = check_schema(*database);
    if (!checked) return std::move(checked).error();
    return Store(std::make_unique<Impl>(std::move(*database)));
}

Result<void> Store::together(const std::function<Result<void>()>& body) {
    return impl_->transaction(body);
}

Result<void> Store::limit_pages(std::uint64_t pages_max) {
    const std::lock_guard lock(impl_->mutex);
    return impl_->database.script("PRAGMA max_page_count = " + std::to_string(pages_max));
}

}  // namespace mcuota::db
