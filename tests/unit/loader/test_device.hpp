#pragma once
// One device on the host: the real loader flow over the flash model, applications that behave as told, and a
// gateway that follows one job through resets and power cuts until the device says how it ended.

#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "flash_model.hpp"
#include "mcu_loader/core/device/backup_ahead.hpp"
#include "mcu_loader/core/device/device_target.hpp"
#include "mcu_loader/core/device/loader_flow.hpp"
#include "test_package.hpp"

namespace mcuota::test {

constexpr std::uint8_t kCausePowerOn = 0x0E;
constexpr std::uint8_t kCauseSoftware = 0x14;
constexpr std::uint8_t kCauseWatchdog = 0x24;

class TestBoard final : public device::Board {
  public:
    explicit TestBoard(Power& power) : power_{power} {}
    [[nodiscard]] std::uint32_t now_ms() noexcept override { return ++now_; }
    void feed_watchdog() noexcept override { ++feeds; }
    [[noreturn]] void reset() noexcept override { reset_by(kCauseSoftware); }
    [[noreturn]] void reset_by(std::uint8_t new_cause) noexcept {
        cause = new_cause;
        power_.reset();
    }
    [[nodiscard]] device::ResetCause reset_cause() noexcept override { return {cause}; }
    [[nodiscard]] std::array<std::uint8_t, 12> unique_id() noexcept override { return {1, 2, 3}; }
    [[nodiscard]] std::uint16_t flash_kib() noexcept override { return 1024; }
    [[nodiscard]] std::uint32_t jedec_id() noexcept override { return 0xEF4018; }
    void set_stay_request(bool wanted) noexcept override { stay = wanted; }
    [[nodiscard]] bool take_stay_request() noexcept override { return std::exchange(stay, false); }
    [[nodiscard]] bool speed_supported(std::uint32_t baud) noexcept override { return baud >= 9600; }

    std::uint8_t cause{kCausePowerOn};
    bool stay{false};
    std::uint64_t feeds{0};

  private:
    Power& power_;
    std::uint32_t now_{0};
};

/// The RAM of a device: poison at each power-up. Objects are made in it and left there, as power leaves them.
class PoisonedRam {
  public:
    explicit PoisonedRam(std::size_t bytes) : bytes_(bytes) {}
    /// Forgets everything; what was RAM holds a pattern that differs from start to start.
    void power_up() noexcept;
    template <class T, class... Arguments>
    [[nodiscard]] T& make(Arguments&&... arguments) {
        static_assert(std::is_trivially_destructible_v<T>, "it is left by longjmp");
        return *new (take(sizeof(T), alignof(T))) T(std::forward<Arguments>(arguments)...);
    }
    [[nodiscard]] std::span<std::uint8_t> span(std::size_t bytes) {
        return {static_cast<std::uint8_t*>(take(bytes, 8)), bytes};
    }

  private:
    [[nodiscard]] void* take(std::size_t bytes, std::size_t alignment);

    std::vector<std::uint8_t> bytes_;
    std::size_t used_{0};
    std::uint32_t starts_{0};
};

/// What an application does after it was started.
enum class Application : std::uint8_t { confirms, never_confirms, hangs };

/// One job of the gateway.
struct GatewayJob {
    const TestPackage* package{nullptr};  ///< null: roll back
    std::uint64_t token{1};
    std::size_t chunk_bytes{300};
    std::vector<Bytes> rotations{};  ///< records the gateway sends before, those the device does not have
};

/// How a job ended in the device's own words, and what was seen on the way.
struct JobEnd {
    Status status{Status::unknown_token};  ///< outcome, or the refusal of offer/finish/install/rollback
    bool refused{false};                   ///< before anything was journalled
    bool ended{false};                     ///< false: the device kept on without an answer
    unsigned starts{0};
    std::string trouble;  ///< a promise broken on the way; empty in a sound loader
};

class TestDevice {
  public:
    explicit TestDevice(const Geometry& geometry);
    TestDevice(const TestDevice& other);
    TestDevice& operator=(const TestDevice&) = delete;

    FlashModel flash;
    Power power;
    TestBoard board{power};
    device::Product product;
    /// Behaviour by image hash; images not named here confirm.
    std::vector<std::pair<Sha256Digest, Application>> applications;
    /// Images that may ever be started: hash → trouble when another one is.
    std::vector<Sha256Digest> authentic;
    /// The application carries keys and checks signatures itself; otherwise only the loader does.
    bool agent_has_keys{true};
    /// How much of the next backup the application makes after each start, before it hears the gateway.
    unsigned ahead_steps_max{0};

    /// Somebody on the line asks the loader to stay before it starts an application.
    bool asked_to_stay{false};
    /// Most starts perform() waits through.
    unsigned starts_max{40};
    /// Called by perform() after each cut, before power returns. Not copied.
    std::function<void()> after_cut;

    /// Power went (or the watchdog bit) inside `operation` of the flash: what is left is there at the next
    /// start.
    void cut(const Operation& operation, const Cut& cut);
    /// One start of the loader and nothing after it. The answer is empty when power went or the chip was
    /// reset.
    std::optional<device::LoaderEnd> start_loader(std::uint8_t cause = kCausePowerOn);
    /// Starts, gateway and applications until the job has ended. Power is given back whenever it goes.
    JobEnd perform(const GatewayJob& job);
    /// Hash of the first `size` bytes of the running region.
    [[nodiscard]] Bytes running_bytes(std::size_t size);
    /// Whether the running region begins with exactly these bytes.
    [[nodiscard]] bool holds(const Bytes& image) { return running_bytes(image.size()) == image; }
    /// The journal as a fresh start would read it.
    [[nodiscard]] device::State journal();
    /// Runs `body` with mounted parts as the application (agent) or the loader.
    template <class Body>
    Power::End as_agent(Body body);
    template <class Body>
    Power::End as_loader(Body body);
    /// The agent takes the whole package and the order to install it at the next start; false when it does
    /// not.
    [[nodiscard]] bool accepts(const TestPackage& package, std::uint64_t token);

    [[nodiscard]] std::vector<std::pair<link::Step, std::uint8_t>>& progress() { return progress_; }

  private:
    struct Hooks final : device::LoaderHooks {
        explicit Hooks(TestDevice& owner) : device{owner} {}
        void progress(std::uint64_t token, link::Step step, std::uint8_t percent) noexcept override;
        [[nodiscard]] bool stay_asked() noexcept override { return device.asked_to_stay; }
        TestDevice& device;
    };
    [[nodiscard]] device::LoaderParts parts();
    /// The keys of the application's agent, in the RAM of this start.
    [[nodiscard]] device::KeyChain& mounted_keys(const device::Journal& journal);
    void power_up();
    void lose(CutCause cause) noexcept;
    void one_start(const GatewayJob& job, JobEnd& end);
    void talk(device::DeviceTarget& target, const GatewayJob& job, JobEnd& end);
    void check_start(const device::LoaderEnd& end, JobEnd& job_end, Application& behaviour);

    PoisonedRam ram_;
    Hooks hooks_{*this};
    std::vector<std::pair<link::Step, std::uint8_t>> progress_;
};

template <class Body>
Power::End TestDevice::as_agent(Body body) {
    power_up();
    return power.run([&] {
        device::Journal& journal = ram_.make<device::Journal>(flash);
        device::Staging& staging = ram_.make<device::Staging>(flash, board);
        static_cast<void>(journal.mount());
        staging.mount();
        device::KeyChain& keys = mounted_keys(journal);
        body(ram_.make<device::AgentTarget>(flash, board, product, keys, journal, staging));
    });
}

template <class Body>
Power::End TestDevice::as_loader(Body body) {
    power_up();
    return power.run([&] {
        device::LoaderFlow& flow = ram_.make<device::LoaderFlow>(parts());
        const device::LoaderEnd end = flow.run();
        if (end.kind != device::LoaderEnd::Kind::serve) {
            return;
        }
        auto& target = ram_.make<device::LoaderTarget>(flash, board, product, flow.keys(), flow.journal(),
                                                       flow.staging());
        target.set_reason(end.reason, end.running);
        body(target);
    });
}

/// A device on which `package` was installed from blank and has confirmed itself.
TestDevice device_with(const Geometry& geometry, const TestPackage& package);

}  // namespace mcuota::test
