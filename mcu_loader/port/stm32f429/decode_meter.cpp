// Not shipped: decodes one payload on the bare chip, so that the virtual board can count the instructions
// (scripts/bench delta). What to do lies behind the program in flash; success is going to sleep.
#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "mcu_loader/core/payload_decoder.hpp"
#include "mcu_loader/port/stm32f429/cpu.hpp"

namespace mcuota::stm32f429 {
namespace {

/// At the start of the application's flash: this, the payload, and the base at the next multiple of 4.
struct MeterJob {
    std::uint32_t rounds;  ///< how often to decode: 0 shows what everything else costs
    std::uint32_t kind, image_bytes, payload_bytes, base_bytes;
};
constexpr std::uintptr_t kJobAddress = 0x0802'0000;

/// Flash, read as the loader reads it.
class FlashSource final : public ByteSource {
  public:
    FlashSource(std::uintptr_t address, std::uint32_t size) noexcept : address_(address), size_(size) {}
    Status read(std::uint32_t offset, std::span<std::uint8_t> out) noexcept override {
        std::memcpy(out.data(), reinterpret_cast<const void*>(address_ + offset), out.size());
        return Status::ok;
    }
    [[nodiscard]] std::uint32_t size_bytes() const noexcept override { return size_; }

  private:
    std::uintptr_t address_;
    std::uint32_t size_;
};

/// Counts the image's bytes and lets them go.
class Sink final : public ByteSink {
  public:
    Status write(std::span<const std::uint8_t> bytes) noexcept override {
        taken += bytes.size();
        return Status::ok;
    }
    std::size_t taken{0};
};

alignas(8) std::array<std::uint8_t, 96 * 1024> work;

bool decoded() noexcept {
    MeterJob job;
    std::memcpy(&job, reinterpret_cast<const void*>(kJobAddress), sizeof job);
    const std::uintptr_t payload_address = kJobAddress + sizeof job;
    FlashSource payload(payload_address, job.payload_bytes);
    FlashSource base((payload_address + job.payload_bytes + 3) & ~std::uintptr_t{3}, job.base_bytes);
    for (; job.rounds > 0; --job.rounds) {
        Sink sink;
        const Status status =
            decode_payload(static_cast<PayloadKind>(job.kind), payload, job.base_bytes != 0 ? &base : nullptr,
                           job.image_bytes, work, sink);
        if (status != Status::ok || sink.taken != job.image_bytes) return false;
    }
    return true;
}

}  // namespace
}  // namespace mcuota::stm32f429

extern "C" void firmware_main();
extern "C" void firmware_main() {
    if (!mcuota::stm32f429::decoded()) return;  // start-up resets the chip: the bench sees that
    for (;;)
        asm volatile("wfi");
}
