#pragma once
// The loader's target with the self test of its port: for the loader a porter runs, not for the field.

#include "mcu_loader/core/device/device_target.hpp"
#include "mcu_loader/core/device/self_test.hpp"

namespace mcuota::device {

/// From the first step of the test on it takes no request that stands on what the regions held: they are
/// gone. A reset ends that.
class SelfTestTarget final : public LoaderTarget {
  public:
    template <class... Parts>
    explicit SelfTestTarget(Storage& storage, Board& board, const Product& product, Parts&&... parts) noexcept
        : LoaderTarget{storage, board, product, parts...},
          test_{storage,
                board,
                // The port's own loader may look at the running region through the CPU.
                {reinterpret_cast<const std::uint8_t*>(static_cast<std::uintptr_t>(product.load_address)),
                 storage.size_bytes(Region::running)}} {}

    [[nodiscard]] Status self_test(std::span<const std::uint8_t> request, std::span<std::uint8_t> answer,
                                   std::size_t& answer_bytes) noexcept override {
        link::SelfTestRequest wanted;
        if (!link::decode(request, wanted)) {
            return Status::malformed_request;
        }
        link::SelfTestReport report;
        const Status status = test_.step(wanted, report);
        answer_bytes = status == Status::ok ? link::encode(report, answer) : 0;
        return status;
    }
    [[nodiscard]] Status offer(const link::Offer& offer, link::Held& held) noexcept override {
        return test_.begun() ? Status::wrong_state : LoaderTarget::offer(offer, held);
    }
    [[nodiscard]] Status write(std::uint32_t offset, std::span<const std::uint8_t> bytes) noexcept override {
        return test_.begun() ? Status::wrong_state : LoaderTarget::write(offset, bytes);
    }
    [[nodiscard]] Status finish() noexcept override {
        return test_.begun() ? Status::wrong_state : LoaderTarget::finish();
    }
    [[nodiscard]] Status install(std::uint64_t token) noexcept override {
        return test_.begun() ? Status::wrong_state : LoaderTarget::install(token);
    }
    [[nodiscard]] Status rollback(std::uint64_t token) noexcept override {
        return test_.begun() ? Status::wrong_state : LoaderTarget::rollback(token);
    }
    [[nodiscard]] Status rotate(std::span<const std::uint8_t> record,
                                std::uint16_t& generation) noexcept override {
        return test_.begun() ? Status::wrong_state : LoaderTarget::rotate(record, generation);
    }

  private:
    SelfTest test_;
};

}  // namespace mcuota::device
