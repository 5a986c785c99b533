// Tank simulation and both generations of the controller.
#include "mcu_loader/demo_app/pump.hpp"

#include <algorithm>

#include "mcu_loader/demo_app/demand_table.hpp"
#include "mcu_loader/demo_app/demo.hpp"

namespace mcuota::demo {
namespace {

constexpr std::int32_t kTarget = 50'000, kCapacity = 100'000, kPumpRate = 120;
constexpr std::int32_t kSwitchOn = kTarget - 2'000, kSwitchOff = kTarget + 2'000;
constexpr std::int32_t kGain = 40, kIntegralGain = 3, kIntegralMax = 40'000;

// The demand of a day, one entry each quarter of a minute; newer versions know it better.
constexpr auto kDemand = make_demand_table<kGeneration>();

}  // namespace

std::int32_t Pump::drawn() noexcept {
    phase_ = (phase_ + 1) % kDemand.size();
    return kDemand[phase_];
}

std::int32_t Pump::decide(std::int32_t measured) noexcept {
    if constexpr (kGeneration < 2) {
        if (measured < kSwitchOn) running_ = true;
        if (measured > kSwitchOff) running_ = false;
        return running_ ? kPumpRate : 0;
    } else {
        filter_[filter_next_] = measured;
        filter_next_ = (filter_next_ + 1) % filter_.size();
        if (filter_next_ == 0) filter_filled_ = true;
        const std::size_t count = filter_filled_ ? filter_.size() : filter_next_;
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < count; ++i)
            sum += filter_[i];
        const std::int32_t error = kTarget - sum / static_cast<std::int32_t>(count);
        integral_ = std::clamp<std::int32_t>(integral_ + error, -kIntegralMax, kIntegralMax);
        return std::clamp<std::int32_t>((error * kGain + integral_ * kIntegralGain) / 1'000, 0, kPumpRate);
    }
}

void Pump::step() noexcept {
    level_ = std::clamp<std::int32_t>(level_ + decide(level_) - drawn(), 0, kCapacity);
    lowest_ = std::min(lowest_, level_);
    highest_ = std::max(highest_, level_);
}

bool Pump::plausible() const noexcept {
    return lowest_ > kTarget / 2 && highest_ < kTarget * 3 / 2;
}

}  // namespace mcuota::demo
