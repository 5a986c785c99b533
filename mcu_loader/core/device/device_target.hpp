#pragma once
// What stands behind the link server on a device. Loader and agent share all of it but the role:
// DeviceTarget, with the two thin forms LoaderTarget and AgentTarget.

#include <cstdint>
#include <span>

#include "mcu_loader/core/device/backup_watch.hpp"
#include "mcu_loader/core/device/board.hpp"
#include "mcu_loader/core/device/boot_decision.hpp"
#include "mcu_loader/core/device/journal.hpp"
#include "mcu_loader/core/device/manifest_slot.hpp"
#include "mcu_loader/core/device/package_check.hpp"
#include "mcu_loader/core/device/staging.hpp"
#include "mcu_loader/core/link/target.hpp"

namespace mcuota::device {

/// About 8 KiB (two manifests): make it static.
class DeviceTarget : public link::Target {
  public:
    void identity(link::Identity& out) noexcept override;
    [[nodiscard]] Status offer(const link::Offer& offer, link::Held& held) noexcept override;
    [[nodiscard]] Status write(std::uint32_t offset, std::span<const std::uint8_t> bytes) noexcept override;
    [[nodiscard]] Status finish() noexcept override;
    [[nodiscard]] Status install(std::uint64_t token) noexcept override;
    [[nodiscard]] Status outcome(std::uint64_t token, link::Outcome& out) noexcept override;
    [[nodiscard]] Status confirm() noexcept override;
    [[nodiscard]] Status rollback(std::uint64_t token) noexcept override;
    [[nodiscard]] Status rotate(std::span<const std::uint8_t> record,
                                std::uint16_t& generation) noexcept override;
    [[nodiscard]] Status reboot(bool stay_in_loader) noexcept override;
    void abort_staging() noexcept override;
    [[nodiscard]] std::size_t log(std::uint32_t first_sequence, std::span<char> out) noexcept override;
    [[nodiscard]] bool speed_supported(std::uint32_t baud) noexcept override;
    void reset_now() noexcept override;
    /// A manifest's memory that holds nothing between two requests.
    [[nodiscard]] SignedManifest& scratch() noexcept { return present_; }

  protected:
    DeviceTarget(link::Role role, Storage& storage, Board& board, const Product& product, KeyChain& keys,
                 Journal& journal, Staging& staging) noexcept;
    ~DeviceTarget() = default;

    Status stay_reason_{Status::ok};
    bool running_damaged_{false};

  private:
    [[nodiscard]] KeyChain* verifier() noexcept;
    [[nodiscard]] Status accepts_packages() const noexcept;
    [[nodiscard]] Status check() noexcept;
    [[nodiscard]] Status prove_backup(const Manifest& manifest) noexcept;
    void fill_image(Slot slot, std::uint8_t whole, std::uint8_t unreadable, link::ImageInfo& out,
                    Status& memory) noexcept;

    link::Role role_;
    Storage& storage_;
    Board& board_;
    const Product& product_;
    KeyChain& keys_;
    Journal& journal_;
    Staging& staging_;
    SignedManifest package_{};
    SignedManifest present_{};
    bool checked_{false};  ///< the staged package passed check() and was not touched since
};

/// In the application: staging, requests, confirmation. `keys` may be empty: the loader checks again anyway.
/// journal, keys and staging must be mounted; the running application is trusted to be what the loader
/// verified. While the journal cannot be read, whatever needs it is refused with the reason.
class AgentTarget final : public DeviceTarget {
  public:
    AgentTarget(Storage& storage, Board& board, const Product& product, KeyChain& keys, Journal& journal,
                Staging& staging) noexcept
        : DeviceTarget(link::Role::agent, storage, board, product, keys, journal, staging) {}
    /// Who knows whether the backup is damaged; it outlives this.
    void set_watch(const BackupWatch& watch) noexcept { watch_ = &watch; }
    void identity(link::Identity& out) noexcept override;

  private:
    const BackupWatch* watch_{nullptr};
};

/// In the loader while it serves. `reason` and `running` come from LoaderFlow.
class LoaderTarget : public DeviceTarget {
  public:
    LoaderTarget(Storage& storage, Board& board, const Product& product, KeyChain& keys, Journal& journal,
                 Staging& staging) noexcept
        : DeviceTarget(link::Role::loader, storage, board, product, keys, journal, staging) {}
    /// Why the loader serves, and whether the application was found damaged: told in IDENTIFY.
    void set_reason(Status reason, RunningImage running) noexcept {
        stay_reason_ = reason;
        running_damaged_ = running == RunningImage::damaged;
    }
};

}  // namespace mcuota::device
