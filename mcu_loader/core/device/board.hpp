#pragma once
// What the loader's decisions need of a board besides storage: time, the watchdog, resets, identity.

#include <array>
#include <cstdint>
#include <string_view>

namespace mcuota::device {

/// RCC_CSR bits 31:24 as read at start (stm32f429.md §4): the port clears the register after reading it.
struct ResetCause {
    std::uint8_t flags{0};
    [[nodiscard]] bool watchdog() const noexcept { return (flags & 0x60U) != 0; }  ///< IWDG or WWDG
    [[nodiscard]] bool software() const noexcept { return (flags & 0x10U) != 0; }
    /// Power-on or brown-out: the supply was gone, nobody's fault but the supply's.
    [[nodiscard]] bool power_loss() const noexcept { return (flags & 0x0AU) != 0; }
};

/// Fixed facts of a product, compiled into loader and agent (mcu_loader/port/…/product.hpp).
struct Product {
    std::string_view hardware;         ///< for example "stm32f429-demo"
    std::string_view loader_version;   ///< of the loader itself; the agent passes what it knows, may be empty
    std::string_view agent_version;    ///< of the agent library; empty in the loader
    std::uint32_t load_address;        ///< where the application's first byte lies
    std::uint32_t ram_begin, ram_end;  ///< where an initial stack pointer may point
    std::uint8_t trial_boots_allowed;
    std::uint8_t install_attempts_max;
    std::uint32_t
        decoder_memory_bytes;     ///< size of the loader's `work` span: what decoding a payload may use
    std::uint32_t payload_kinds;  ///< bit k = PayloadKind k can be decoded
    std::uint32_t baud_max;       ///< highest line speed
};

class Board {
  public:
    [[nodiscard]] virtual std::uint32_t now_ms() noexcept = 0;
    virtual void feed_watchdog() noexcept = 0;
    [[noreturn]] virtual void reset() noexcept = 0;
    [[nodiscard]] virtual ResetCause reset_cause() noexcept = 0;
    [[nodiscard]] virtual std::array<std::uint8_t, 12> unique_id() noexcept = 0;
    [[nodiscard]] virtual std::uint16_t flash_kib() noexcept = 0;
    [[nodiscard]] virtual std::uint32_t jedec_id() noexcept = 0;
    /// A word that survives a reset but not a power loss (no-init RAM or backup register, checked): the wish
    /// to stay in the loader.
    virtual void set_stay_request(bool stay) noexcept = 0;
    /// Reads and clears the wish.
    [[nodiscard]] virtual bool take_stay_request() noexcept = 0;
    /// Whether the line can run at `baud` within the tolerance of a UART.
    [[nodiscard]] virtual bool speed_supported(std::uint32_t baud) noexcept = 0;

  protected:
    ~Board() = default;
};

}  // namespace mcuota::device
