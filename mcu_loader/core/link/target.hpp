#pragma once
// What the device-side link server asks of the device behind it. The loader and the agent each implement it;
// the link server owns frames, sessions and the window, the target owns storage and decisions. Freestanding.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "mcu_loader/core/manifest.hpp"
#include "mcu_loader/core/sha256.hpp"
#include "mcu_loader/core/status.hpp"

namespace mcuota::link {

enum class Role : std::uint8_t { loader = 1, agent = 2 };

/// Steps of an installation as told on the link. Wire value: append only.
enum class Step : std::uint8_t {
    check = 1,
    rehearse = 2,
    back_up = 3,
    apply = 4,
    verify = 5,
    trial = 6,
    restore = 7
};

/// Longest envelope head an OFFER carries (docs/package-format.md §4).
constexpr std::size_t kEnvelopeHeadBytes = 24;

/// OFFER, decoded.
struct Offer {
    std::uint32_t envelope_bytes{0};
    Sha256Digest package_id{};
    std::array<std::uint8_t, kEnvelopeHeadBytes> head{};
    bool restart{false};  ///< forget what is held of this package
};

/// What the device proves to hold of the offered package.
struct Held {
    std::uint32_t held_bytes{0};
    std::uint32_t unit_bytes{0};
    Sha256Digest held_sha256{};
};

/// OUTCOME's answer.
struct Outcome {
    Status status{Status::unknown_token};
    Step step{Step::check};
    std::uint8_t percent{0};
    Sha256Digest image_sha256{};
};

/// Identity of an image a device holds.
struct ImageInfo {
    std::uint8_t state{0};  ///< docs/link-protocol.md §4, tags 6 and 8
    std::uint32_t size_bytes{0};
    Sha256Digest sha256{};
    std::uint32_t security_counter{0};
    BoundedText<kVersionBytesMax> version;
};

/// Everything IDENTIFY answers.
struct Identity {
    Role role{Role::loader};
    BoundedText<kHardwareBytesMax> hardware;
    std::array<std::uint8_t, 12> unique_id{};
    BoundedText<kVersionBytesMax> loader_version;
    BoundedText<kVersionBytesMax> agent_version;
    ImageInfo running;
    ImageInfo backup;
    std::uint32_t security_counter_floor{0};
    std::uint32_t image_bytes_max{0};
    std::uint32_t load_address{0};
    std::uint32_t decoder_memory_bytes{0};
    std::uint64_t last_token{0};
    Status last_status{Status::ok};
    Sha256Digest last_image{};
    Sha256Digest staged_package{};
    std::uint32_t staged_held_bytes{0};
    std::uint32_t staged_envelope_bytes{0};
    Status stay_reason{Status::ok};
    std::uint8_t reset_cause{0};
    std::uint8_t trial_boots_used{0};
    std::uint8_t trial_boots_allowed{0};
    std::uint32_t payload_kinds{0};
    std::uint32_t baud_max{0};
    std::uint32_t download_bytes{0};
    std::uint32_t jedec_id{0};
    std::uint16_t flash_kib{0};
    Sha256Digest last_failed_image{};
    std::uint16_t key_generation{0};  ///< how often the loader's keys were rotated
    KeyId key_current{};              ///< what new packages must be signed with; zeros: not told
    KeyId key_next{};                 ///< signs nothing but the next rotation
};

/// The device behind the link server. Calls come from the server's poll(), never nested.
class Target {
  public:
    virtual void identity(Identity& out) noexcept = 0;
    /// Prepares staging of the offered package (erasing as needed) and says what of it is held already.
    [[nodiscard]] virtual Status offer(const Offer& offer, Held& held) noexcept = 0;
    /// Next bytes of the envelope; `offset` continues exactly where the last call (or Held) ended.
    [[nodiscard]] virtual Status write(std::uint32_t offset,
                                       std::span<const std::uint8_t> bytes) noexcept = 0;
    [[nodiscard]] virtual Status finish() noexcept = 0;
    /// Journals the request. The server answers, drains its transmitter, then calls reset_now().
    [[nodiscard]] virtual Status install(std::uint64_t token) noexcept = 0;
    [[nodiscard]] virtual Status outcome(std::uint64_t token, Outcome& out) noexcept = 0;
    [[nodiscard]] virtual Status confirm() noexcept = 0;
    [[nodiscard]] virtual Status rollback(std::uint64_t token) noexcept = 0;
    /// Takes one key rotation record (docs/package-format.md §6) and tells the generation then in force. A
    /// record that is in force already is ok again.
    [[nodiscard]] virtual Status rotate(std::span<const std::uint8_t> record,
                                        std::uint16_t& generation) noexcept = 0;
    /// One step of the port's self test (self_test.hpp): decodes the request's body, writes the answer's.
    /// Only a loader built with it knows it.
    [[nodiscard]] virtual Status self_test(std::span<const std::uint8_t>, std::span<std::uint8_t>,
                                           std::size_t&) noexcept {
        return Status::unknown_request;
    }
    /// Journals nothing; remembers across the reset whether to stay in the loader.
    [[nodiscard]] virtual Status reboot(bool stay_in_loader) noexcept = 0;
    virtual void abort_staging() noexcept = 0;
    /// Writes journal lines from `first_sequence` on into `out`; returns the bytes written.
    [[nodiscard]] virtual std::size_t log(std::uint32_t first_sequence, std::span<char> out) noexcept = 0;
    [[nodiscard]] virtual bool speed_supported(std::uint32_t baud) noexcept = 0;
    virtual void reset_now() noexcept = 0;

  protected:
    ~Target() = default;
};

/// The serial line under the link server.
class Line {
  public:
    /// Takes received bytes, at most out.size(); returns how many. Never waits.
    [[nodiscard]] virtual std::size_t receive(std::span<std::uint8_t> out) noexcept = 0;
    /// Queues bytes for sending; returns how many fitted. Never waits.
    [[nodiscard]] virtual std::size_t send(std::span<const std::uint8_t> bytes) noexcept = 0;
    /// Whether every queued byte has left the wire.
    [[nodiscard]] virtual bool sent() noexcept = 0;
    virtual void set_baud(std::uint32_t baud) noexcept = 0;

  protected:
    ~Line() = default;
};

}  // namespace mcuota::link
