#pragma once
// A device behind a simulated serial line, in virtual time: byte-rate accurate in both directions, with a
// receive ring of bounded size, damaged frames by seed, a device that is deaf while its memory is busy, and
// speeds that must match.

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mcu_flasher/link/machine.hpp"
#include "mcu_loader/core/link/link_server.hpp"

namespace mcuota::sim {

using flasher::Micros;
using Bytes = std::vector<std::uint8_t>;

inline Bytes random_bytes(std::size_t size, std::uint32_t seed) {
    std::mt19937 rng{seed};
    Bytes out(size);
    for (auto& byte : out)
        byte = static_cast<std::uint8_t>(rng());
    return out;
}

/// Storage and decisions of a device, kept over resets. Counts every call, refuses what a test asks it to
/// refuse.
class FakeTarget final : public link::Target {
  public:
    static constexpr std::uint32_t kUnit = 4096;

    void identity(link::Identity& out) noexcept override {
        ++calls["identity"];
        out = identity_now;
    }
    Status offer(const link::Offer& offer, link::Held& held) noexcept override {
        ++calls["offer"];
        if (refusals.contains("offer")) return refusals["offer"];
        if (offer.restart || offer.package_id != package) stored.clear();
        package = offer.package_id;
        total = offer.envelope_bytes;
        if (stored.size() != total) stored.resize(stored.size() / kUnit * kUnit);
        held.held_bytes = static_cast<std::uint32_t>(stored.size());
        held.unit_bytes = kUnit;
        held.held_sha256 = sha256(stored);
        return Status::ok;
    }
    Status write(std::uint32_t offset, std::span<const std::uint8_t> bytes) noexcept override {
        ++calls["write"];
        if (offset != stored.size()) return Status::out_of_order;
        if (fail_write_at != 0 && offset + bytes.size() >= fail_write_at) return Status::nor_verify_failed;
        stored.insert(stored.end(), bytes.begin(), bytes.end());
        if (erase_us != 0 && stored.size() / 65'536 != (stored.size() - bytes.size()) / 65'536)
            busy_us += erase_us;
        if (program_us != 0 && stored.size() / kUnit != (stored.size() - bytes.size()) / kUnit)
            busy_us += program_us;
        return Status::ok;
    }
    Status finish() noexcept override { return named("finish"); }
    Status install(std::uint64_t t) noexcept override {
        token = t;
        return named("install");
    }
    Status outcome(std::uint64_t t, link::Outcome& out) noexcept override {
        ++calls["outcome"];
        if (t != token) return Status::unknown_token;
        if (outcomes.empty()) return Status::unknown_token;
        out = outcomes.front();
        if (outcomes.size() > 1) outcomes.pop_front();
        return Status::ok;
    }
    Status confirm() noexcept override { return named("confirm"); }
    Status rollback(std::uint64_t t) noexcept override {
        token = t;
        return named("rollback");
    }
    Status rotate(std::span<const std::uint8_t> record, std::uint16_t& generation) noexcept override {
        rotation.assign(record.begin(), record.end());
        const Status status = named("rotate");
        if (status == Status::ok) generation = ++identity_now.key_generation;
        return status;
    }
    Status reboot(bool stay) noexcept override {
        stayed = stay;
        return named("reboot");
    }
    void abort_staging() noexcept override { ++calls["abort"]; }
    std::size_t log(std::uint32_t first, std::span<char> out) noexcept override {
        ++calls["log"];
        const std::string_view text = first > 2    ? ""
                                      : first == 2 ? "2 confirmed"
                                                   : "1 installed\n2 confirmed";
        std::copy(text.begin(), text.end(), out.begin());
        return text.size();
    }
    bool speed_supported(std::uint32_t baud) noexcept override { return baud <= 2'000'000; }
    void reset_now() noexcept override {
        ++calls["reset"];
        reset_wanted = true;
    }

    std::map<std::string, int> calls;
    std::map<std::string, Status> refusals;
    link::Identity identity_now;
    Sha256Digest package{};
    std::uint32_t total{0};
    Bytes stored;
    Bytes rotation;  ///< the record of the last ROTATE
    std::uint64_t token{0};
    std::deque<link::Outcome> outcomes;
    std::size_t fail_write_at{0};
    Micros erase_us{0}, program_us{0}, busy_us{0};
    bool stayed{false}, reset_wanted{false};

  private:
    Status named(const char* name) {
        ++calls[name];
        return refusals.contains(name) ? refusals[name] : Status::ok;
    }
};

/// One direction of a wire: bytes leave `queue` at the sender's speed.
struct Direction {
    std::deque<std::uint8_t> queue;
    double credit{0};
    std::uint64_t carried{0};
    double damage_rate{0};  ///< share of frames that get one bit flipped
    bool dead{false};       ///< everything is lost
    std::mt19937 rng{1};
    std::size_t flip_in{0};  ///< bytes until the flip; 0: this frame stays whole

    void maybe_damage(std::uint8_t& byte) {
        if (flip_in != 0 && --flip_in == 0) byte = static_cast<std::uint8_t>(byte ^ (1U << (rng() % 8)));
        if (byte == 0 && damage_rate > 0 && std::uniform_real_distribution<>{0, 1}(rng) < damage_rate)
            flip_in = 1 + rng() % 1'000;
    }
};

class World;

class DeviceLine final : public link::Line {
  public:
    explicit DeviceLine(World& world) : world_(world) {}
    std::size_t receive(std::span<std::uint8_t> out) noexcept override;
    std::size_t send(std::span<const std::uint8_t> bytes) noexcept override;
    bool sent() noexcept override;
    void set_baud(std::uint32_t baud) noexcept override;

  private:
    World& world_;
};

/// Device, wire and clock. Drives one machine at a time.
class World {
  public:
    static constexpr std::size_t kRingBytes = 32'768;
    static constexpr std::size_t kTransmitBytes = 256;
    static constexpr Micros kTick = 100;

    explicit World(std::size_t window_frames = 24) : window_(window_frames * link::kChunkBytes) { boot(); }

    void boot() {
        device_baud = 115'200;
        ring.clear();
        up.queue.clear();
        input_pending_.clear();
        link::LinkServerConfig config;
        config.receive_ring_bytes = kRingBytes;
        server = std::make_unique<link::LinkServer>(line, target, config, window_);
        target.reset_wanted = false;
        ++boots;
    }

    /// Runs `machine` until it is done or the time is over; true when done.
    bool run(flasher::Machine& machine, flasher::Channel& channel, Micros limit_us) {
        const Micros end = now + limit_us;
        machine.start(channel, now);
        take(channel);
        while (!machine.done() && now < end) {
            tick();
            if (!input_pending_.empty() || now >= machine.deadline()) {
                const Bytes in = std::exchange(input_pending_, {});
                advance(machine, channel, in, now);
                take(channel);
            }
            if (each_tick) each_tick();
        }
        return machine.done();
    }

    void tick() {
        now += kTick;
        carry(down, host_baud, [&](std::uint8_t byte) {
            if (host_baud != device_baud) byte = static_cast<std::uint8_t>(byte * 37U + 11U);
            if (ring.size() >= kRingBytes) {
                ++overruns;
            } else {
                ring.push_back(byte);
            }
        });
        carry(up, device_baud, [&](std::uint8_t byte) {
            if (host_baud != device_baud) byte = static_cast<std::uint8_t>(byte * 37U + 11U);
            input_pending_.push_back(byte);
        });
        if (!powered || now < busy_until_) return;
        for (int i = 0; i < 8; ++i) {
            const bool worked = server->poll(static_cast<std::uint32_t>(now / 1000));
            if (target.reset_wanted && auto_reset) {
                boot();
                busy_until_ = now + boot_us;
                return;
            }
            if (target.busy_us != 0) {
                busy_until_ = now + std::exchange(target.busy_us, 0);
                return;
            }
            if (!worked) break;
        }
    }

    Micros now{1'000'000};
    std::uint32_t host_baud{115'200}, device_baud{115'200};
    Direction down, up;
    std::deque<std::uint8_t> ring;
    std::uint64_t overruns{0};
    int boots{-1};
    bool powered{true}, auto_reset{true};
    Micros boot_us{20'000};
    FakeTarget target;
    DeviceLine line{*this};
    std::unique_ptr<link::LinkServer> server;
    std::function<void()> each_tick;

  private:
    void take(flasher::Channel& channel) {
        if (const auto baud = channel.take_baud()) {
            host_baud = *baud;
            down.queue.clear();
        }
        for (const std::uint8_t byte : channel.take_bytes())
            down.queue.push_back(byte);
    }
    template <class Deliver>
    void carry(Direction& direction, std::uint32_t baud, Deliver deliver) {
        if (direction.queue.empty()) {
            direction.credit = 0;
            return;
        }
        direction.credit += static_cast<double>(kTick) * baud / 10e6;
        while (direction.credit >= 1 && !direction.queue.empty()) {
            direction.credit -= 1;
            std::uint8_t byte = direction.queue.front();
            direction.queue.pop_front();
            ++direction.carried;
            direction.maybe_damage(byte);
            if (!direction.dead) deliver(byte);
        }
    }

    Bytes window_;
    Bytes input_pending_;
    Micros busy_until_{0};
};

inline std::size_t DeviceLine::receive(std::span<std::uint8_t> out) noexcept {
    const std::size_t count = std::min(out.size(), world_.ring.size());
    std::copy_n(world_.ring.begin(), count, out.begin());
    world_.ring.erase(world_.ring.begin(), world_.ring.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
}
inline std::size_t DeviceLine::send(std::span<const std::uint8_t> bytes) noexcept {
    const std::size_t count = std::min(bytes.size(), World::kTransmitBytes - world_.up.queue.size());
    world_.up.queue.insert(world_.up.queue.end(), bytes.begin(),
                           bytes.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
}
inline bool DeviceLine::sent() noexcept {
    return world_.up.queue.empty();
}
inline void DeviceLine::set_baud(std::uint32_t baud) noexcept {
    world_.device_baud = baud;
}

}  // namespace mcuota::sim
