// The devices table.
#include "db/store_impl.hpp"

namespace mcuota::db {
namespace {

constexpr const char* kColumns =
    "name, hardware, configured, reachable, tried_at_ms, seen_at_ms, role, unique_id, loader_version, "
    "agent_version, "
    "running_state, running_version, running_sha256, running_bytes, running_security_counter, "
    "backup_state, backup_version, backup_sha256, backup_bytes, security_counter_floor, stay_reason, "
    "error_code, error_what, error_next, error_device_status";

DeviceRecord read_device(const Row& row) {
    DeviceRecord device;
    device.name = row.text(0);
    device.hardware = row.text(1);
    device.configured = row.integer(2) != 0;
    if (!row.null(3)) device.reachable = row.integer(3) != 0;
    device.tried_at_ms = row.optional_integer(4);
    device.seen_at_ms = row.optional_integer(5);
    device.role = row.number<std::uint8_t>(6);
    device.unique_id = row.text(7);
    device.loader_version = row.text(8);
    device.agent_version = row.text(9);
    device.running = {row.number<std::uint8_t>(10), row.text(11), row.text(12), row.number<std::uint64_t>(13),
                      row.number<std::uint32_t>(14)};
    device.backup = {row.number<std::uint8_t>(15), row.text(16), row.text(17), row.number<std::uint64_t>(18),
                     0};
    device.security_counter_floor = row.number<std::uint32_t>(19);
    device.stay_reason = row.number<std::uint16_t>(20);
    device.error = read_error(row, 21);
    return device;
}

}  // namespace

Result<void> Store::configure_devices(
    std::span<const std::pair<std::string, std::string>> names_and_hardware) {
    return impl_->transaction([&]() -> Result<void> {
        Result<void> done = impl_->database.run("UPDATE devices SET configured = 0");
        for (const auto& [name, hardware] : names_and_hardware) {
            if (!done) return done;
            done = impl_->database.run(
                "INSERT INTO devices (name, hardware, configured) VALUES (?, ?, 1) "
                "ON CONFLICT (name) DO UPDATE SET hardware = excluded.hardware, configured = 1",
                name, hardware);
        }
        return done;
    });
}

Result<std::vector<DeviceRecord>> Store::devices() {
    const std::lock_guard lock(impl_->mutex);
    std::vector<DeviceRecord> devices;
    Result<void> read = impl_->database.each(
        std::string("SELECT ") + kColumns + " FROM devices WHERE configured = 1 ORDER BY name",
        [&](const Row& row) { devices.push_back(read_device(row)); });
    if (!read) return std::move(read).error();
    return devices;
}

Result<std::optional<DeviceRecord>> Store::device(const std::string& name) {
    const std::lock_guard lock(impl_->mutex);
    std::optional<DeviceRecord> device;
    Result<void> read = impl_->database.each(
        std::string("SELECT ") + kColumns + " FROM devices WHERE name = ?",
        [&](const Row& row) { device = read_device(row); }, name);
    if (!read) return std::move(read).error();
    return device;
}

Result<void> Store::Impl::write_device(const DeviceRecord& device) {
    const std::optional<Error>& error = device.error;
    return database.run(
        "UPDATE devices SET reachable = ?, tried_at_ms = ?, seen_at_ms = ?, role = ?, unique_id = ?, "
        "loader_version = ?, "
        "agent_version = ?, running_state = ?, running_version = ?, running_sha256 = ?, running_bytes = ?, "
        "running_security_counter = ?, backup_state = ?, backup_version = ?, backup_sha256 = ?, backup_bytes "
        "= ?, "
        "security_counter_floor = ?, stay_reason = ?, error_code = ?, error_what = ?, error_next = ?, "
        "error_device_status = ? WHERE name = ?",
        device.reachable, device.tried_at_ms, device.seen_at_ms, device.role, device.unique_id,
        device.loader_version, device.agent_version, device.running.state, device.running.version,
        device.running.sha256, device.running.bytes, device.running.security_counter, device.backup.state,
        device.backup.version, device.backup.sha256, device.backup.bytes, device.security_counter_floor,
        device.stay_reason, error_number(error), error ? error->what : std::string(),
        error ? error->next : std::string(), error ? error->device_status : std::uint16_t{0}, device.name);
}

Result<void> Store::save_device(const DeviceRecord& device, std::span<const OutboxRecord> outbox,
                                TimeMs now_ms) {
    return impl_->transaction([&]() -> Result<void> {
        Result<void> done = impl_->write_device(device);
        if (!done) return done;
        return impl_->write_outbox(outbox, now_ms);
    });
}

}  // namespace mcuota::db
