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

/// Owns journal, staging and installer (about 17 KiB: make it static). The port's main is:
///   static LoaderFlow flow{parts};
///   const LoaderEnd end = flow.run();
///   if (end.kind == LoaderEnd::Kind::boot) jump();
///   static LoaderTarget target{…, flow.journal(), flow.staging()}; target.set_reason(end.reason,
///   end.running); serve
class LoaderFlow {
  public:
    explicit LoaderFlow(const LoaderParts& parts) noexcept;
    /// Performs all work the journal asks for. Bounded: every work ends after install_attempts_max attempts.
    [[nodiscard]] LoaderEnd run() noexcept;
    [[nodiscard]] Journal& journal() noexcept { return journal_; }
    [[nodiscard]] Staging& staging() noexcept { return staging_; }

  private:
    [[nodiscard]] Status count_attempt() noexcept;
    [[nodiscard]] Status fail_install(Status reason) noexcept;
    [[nodiscard]] Status halt(Status reason) noexcept;
    [[nodiscard]] Status perform_restore(Status cause) noexcept;

    LoaderParts parts_;
    Journal journal_;
    Staging staging_;
    Installer installer_;
    ResetCause reset_cause_{};
    bool attempt_counted_{false};
};

}  // namespace mcuota::device
