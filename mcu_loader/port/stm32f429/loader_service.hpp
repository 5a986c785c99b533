#pragma once
// The loader's voice: PROGRESS events while it installs, the short listening before a start, and the link
// server when it stays. The memory of the server is the decoders' memory: the two are never at work at the
// same time.

#include <array>
#include <cstdint>
#include <span>

#include "mcu_loader/core/device/device_target.hpp"
#include "mcu_loader/core/device/loader_flow.hpp"
#include "mcu_loader/core/link/link_server.hpp"
#include "mcu_loader/port/stm32f429/uart_line.hpp"

namespace mcuota::stm32f429 {

class LoaderService final : public device::LoaderHooks {
  public:
    /// `memory` is aligned to 8 and at least kMemoryBytes; it is used by stay_asked() and serve() only.
    LoaderService(UartLine& line, std::span<std::uint8_t> memory) noexcept : line_{line}, memory_{memory} {}
    /// Before anything else: what the server will stand on.
    void connect(const device::LoaderParts& parts, device::LoaderFlow& flow) noexcept;

    void progress(std::uint64_t token, link::Step step, std::uint8_t percent) noexcept override;
    [[nodiscard]] bool stay_asked() noexcept override;

    /// Serves until a request resets the chip. A loader that only waits because it was asked to, or because
    /// memory failed it, starts again after a minute without a word from the gateway.
    [[noreturn]] void serve(const device::LoaderEnd& end) noexcept;
    /// Lets queued bytes leave; bounded.
    void drain() noexcept;

  private:
    struct Serving;
    Serving& serving() noexcept;

    UartLine& line_;
    std::span<std::uint8_t> memory_;
    const device::LoaderParts* parts_{nullptr};
    device::LoaderFlow* flow_{nullptr};
    Serving* serving_{nullptr};
};

}  // namespace mcuota::stm32f429
