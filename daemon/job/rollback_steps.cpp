// The steps of a job that goes back to the backup image, as far as they differ from an installation's.
#include <utility>

#include "daemon/job/device_worker.hpp"
#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/link/image_state.hpp"

namespace mcuota::job {

Result<db::ImageRecord> DeviceWorker::backup() const {
    if (device_.error) return *device_.error;
    const std::string next = "install the version wanted: mcuota install FILE --device " + config_.name;
    if (device_.backup.state == flasher::kBackupDamaged)
        return Error{ErrorCode::device_storage_failed,
                     "the backup image " + device_.backup.version + " of " + config_.name + " is damaged",
                     next};
    if (device_.backup.state != flasher::kBackupValid)
        return Error{ErrorCode::not_found, config_.name + " holds no backup image to go back to", next};
    return device_.backup;
}

// The image a rollback needs is on the device: what is to be prepared is only to be sure of that.
DeviceWorker::EventOf DeviceWorker::prepare_rollback() {
    const Result<link::Identity> identity = co_await ask_configured();
    if (!identity) co_return step_failed(identity.error());
    if (to_hex(identity->running.sha256) == job_->image_sha256 &&
        identity->running.state == flasher::kImageConfirmed)
        co_return reported(*identity, Status::ok);
    const Result<db::ImageRecord> image = backup();
    if (!image) co_return step_failed(image.error());
    if (image->sha256 != job_->image_sha256) {
        Error other{ErrorCode::wrong_state,
                    "the backup of " + config_.name + " is now " + image->version +
                        ", not the image this job was asked to go back to",
                    "look at it, then ask again: mcuota device show " + config_.name};
        co_return step_failed(std::move(other));
    }
    co_return Event{.kind = EventKind::sent,
                    .from_version = std::string(identity->running.version.view()),
                    .payload_kind = "backup",
                    .payload_bytes = image->bytes,
                    .token = fresh_token()};
}

}  // namespace mcuota::job
