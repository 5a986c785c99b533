#pragma once
// The loader from start to hand-over: reads the journal, decides, performs, and answers with what the port
// shall do last.

#include <cstdint>

#include "mcu_loader/core/device/installer.hpp"

namespace mcuota::device {

/// How a start of the loader ends.
struct LoaderEnd {
    enum class Kind : std::uint8_t {
        boot,   ///< hand over to the image at Product::load_address
        serve,  ///< run the link server until it resets the chip; `reason` says why
    };
    Kind kind{Kind::serve};
    Status reason{Status::ok};
    RunningImage running{RunningImage::none};
};

/// Owns journal, staging, keys and installer (about 15 KiB: make it static). The port's main is:
///   static LoaderFlow flow{parts};
///   const LoaderEnd end = flow.run();
///   if (end.kind == LoaderEnd::Kind::boot) jump();
///   static LoaderTarget target{…, flow.keys(), flow.journal(), flow.staging()};
///   target.set_reason(end.reason, end.running); serve
class LoaderFlow {
  public:
    explicit LoaderFlow(const LoaderParts& parts) noexcept;
    /// Performs all work the journal asks for. Bounded: every work ends after install_attempts_max attempts.
    [[nodiscard]] LoaderEnd run() noexcept;
    [[nodiscard]] Journal& journal() noexcept { return journal_; }
    /// Mounted when run() answers serve.
    [[nodiscard]] Staging& staging() noexcept { return staging_; }
    [[nodiscard]] KeyChain& keys() noexcept { return keys_; }

  private:
    [[nodiscard]] Status look(BootInputs& out) noexcept;
    [[nodiscard]] Status count_attempt() noexcept;
    [[nodiscard]] Status attempt_install() noexcept;
    [[nodiscard]] Status end_install(Status reason) noexcept;
    [[nodiscard]] Status attempt_restore(Status cause) noexcept;
    [[nodiscard]] Status end_rollback(Status reason) noexcept;
    [[nodiscard]] Status halt(Status reason) noexcept;
    [[nodiscard]] Status count_trial_boot() noexcept;
    [[nodiscard]] LoaderEnd serve(Status reason) const noexcept {
        return {LoaderEnd::Kind::serve, reason, running_};
    }

    LoaderParts parts_;
    Journal journal_;
    Staging staging_;
    KeyChain keys_;
    Installer installer_;
    ResetCause reset_cause_{};
    RunningImage running_{RunningImage::none};
    bool attempted_{false};  ///< something was tried since this start
    bool stay_asked_{false};
    bool staging_mounted_{false};
};

}  // namespace mcuota::device
