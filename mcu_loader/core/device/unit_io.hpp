#pragma once
// Sinks for an image on its way into the running region: hashing it and comparing it with what is there
// (rehearsal), and writing it (apply). Private to the installer.

#include <array>
#include <cstdint>
#include <span>

#include "mcu_loader/core/device/installer.hpp"
#include "mcu_loader/core/payload_decoder.hpp"
#include "mcu_loader/core/sha256.hpp"

namespace mcuota::device {

/// Hashes what comes and finds the units that differ from it. Writes nothing, and reads no unit that was in
/// flight: what a start does until it erases them must not hang on their cells.
class Installer::Rehearsal final : public ByteSink {
  public:
    Rehearsal(Installer& installer, link::Step step, std::uint32_t total) noexcept
        : installer_{installer}, step_{step}, total_{total} {}
    [[nodiscard]] Status write(std::span<const std::uint8_t> bytes) noexcept override;
    /// Hash of everything; call once at the end.
    [[nodiscard]] Sha256Digest finish() noexcept { return hash_.digest(); }

  private:
    Installer& installer_;
    link::Step step_;
    std::uint32_t total_;
    std::uint32_t position_{0};
    std::size_t unit_{0};
    Sha256 hash_;
};

/// Writes what comes into the running region, unit by unit, skipping those that hold their bytes already.
/// Journals the intention before it erases a unit.
class Installer::UnitWriter final : public ByteSink {
  public:
    UnitWriter(Installer& installer, link::Step step) noexcept : installer_{installer}, step_{step} {}
    [[nodiscard]] Status write(std::span<const std::uint8_t> bytes) noexcept override;

  private:
    [[nodiscard]] Status begin_unit(Unit& unit) noexcept;
    [[nodiscard]] Status flush() noexcept;
    /// Whether these bytes stand there.
    [[nodiscard]] bool holds(std::uint32_t offset, std::span<const std::uint8_t> bytes) noexcept;

    Installer& installer_;
    link::Step step_;
    std::uint32_t position_{0};  ///< image bytes taken
    std::size_t unit_{0};
    std::uint32_t final_units_{0};  ///< bit n: unit n was finished by this writer
    std::uint32_t fill_{0};
    /// Why the present unit would not erase: it is compared with what comes instead of written. ok: it is
    /// blank.
    Status kept_for_{Status::ok};
    alignas(16) std::array<std::uint8_t, 512> buffer_{};
};

}  // namespace mcuota::device
