// The device, its applications and the gateway's side of a job.
#include "test_device.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace mcuota::test {
namespace {

constexpr std::size_t kWorkBytes = 64 * 1024;
constexpr std::size_t kObjectBytes = 64 * 1024;

}  // namespace

void PoisonedRam::power_up() noexcept {
    constexpr std::array<std::uint8_t, 4> kPatterns{0xA5, 0xFF, 0x00, 0x69};
    std::fill(bytes_.begin(), bytes_.end(), kPatterns[starts_++ % kPatterns.size()]);
    used_ = 0;
}

void* PoisonedRam::take(std::size_t bytes, std::size_t alignment) {
    used_ = (used_ + alignment - 1) / alignment * alignment;
    if (bytes > bytes_.size() - used_) {
        throw std::length_error{"the RAM of the test device is used up"};
    }
    void* const place = bytes_.data() + used_;
    used_ += bytes;
    return place;
}

TestDevice::TestDevice(const Geometry& geometry) : flash{geometry}, ram_{kWorkBytes + kObjectBytes} {
    flash.attach(power);
    power_up();
    product = {"test-board", "1.2.3", "",       kLoadAddress, 0x20000000, 0x20030000, 3, 3,
               kWorkBytes,   0x0E,    2'000'000};
}

TestDevice::TestDevice(const TestDevice& other)
    : flash{other.flash},
      product{other.product},
      applications{other.applications},
      authentic{other.authentic},
      agent_has_keys{other.agent_has_keys},
      ahead_steps_max{other.ahead_steps_max},
      asked_to_stay{other.asked_to_stay},
      starts_max{other.starts_max},
      ram_{kWorkBytes + kObjectBytes} {
    flash.attach(power);
    board.cause = other.board.cause;
    board.stay = other.board.stay;
    power_up();
}

void TestDevice::power_up() {
    flash.power_cycle();
    ram_.power_up();
}

void TestDevice::cut(const Operation& operation, const Cut& cut) {
    flash.tear(operation, cut);
    lose(cut.cause);
}

void TestDevice::lose(CutCause cause) noexcept {
    board.cause = cause == CutCause::supply     ? kCausePowerOn
                  : cause == CutCause::watchdog ? kCauseWatchdog
                                                : kCauseSoftware;
    board.stay = board.stay && cause != CutCause::supply;
}

void TestDevice::Hooks::progress(std::uint64_t, link::Step step, std::uint8_t percent) noexcept {
    device.progress_.emplace_back(step, percent);
}

device::LoaderParts TestDevice::parts() {
    return {flash, board, product, built_in_keys(), ram_.span(kWorkBytes), hooks_};
}

std::optional<device::LoaderEnd> TestDevice::start_loader(std::uint8_t cause) {
    board.cause = cause;
    power_up();
    std::optional<device::LoaderEnd> answer;
    static_cast<void>(power.run([&] { answer = ram_.make<device::LoaderFlow>(parts()).run(); }));
    return answer;
}

Bytes TestDevice::running_bytes(std::size_t size) {
    Bytes bytes(size);
    static_cast<void>(flash.read(Region::running, 0, bytes));
    return bytes;
}

device::State TestDevice::journal() {
    const std::uint32_t reads = flash.reads();
    device::Journal reader{flash};
    static_cast<void>(reader.mount());
    flash.set_reads(reads);  // looking must not change what a restless cell reads next
    return reader.state();
}

device::KeyChain& TestDevice::mounted_keys(const device::Journal& journal) {
    const std::span<const PublicKey> built_in =
        agent_has_keys ? built_in_keys() : std::span<const PublicKey>{};
    device::KeyChain& keys = ram_.make<device::KeyChain>(flash, board, built_in);
    static_cast<void>(keys.mount(journal.state()));
    return keys;
}

void TestDevice::check_start(const device::LoaderEnd&, JobEnd& job_end, Application& behaviour) {
    device::SignedManifest manifest;
    const device::State state = journal();
    const std::uint32_t reads = flash.reads();
    device::KeyChain keys{flash, board, built_in_keys()};
    const bool authentic_manifest = keys.mount(state) == Status::ok &&
                                    load_slot(flash, state.running_slot, &keys, manifest) == Status::ok;
    flash.set_reads(reads);
    if (!authentic_manifest) {
        job_end.trouble = "an application was started without an authentic manifest";
        return;
    }
    const Sha256Digest digest = sha256(running_bytes(manifest.manifest.image_size_bytes));
    if (digest != manifest.manifest.image_sha256) {
        job_end.trouble = "an application was started that is not the signed image";
    }
    if (!authentic.empty() && std::find(authentic.begin(), authentic.end(), digest) == authentic.end()) {
        job_end.trouble = "an image was started that is neither old nor new";
    }
    if (!state.running_confirmed && state.trial_boots_used > product.trial_boots_allowed) {
        job_end.trouble = "an unconfirmed image was started too often";
    }
    const auto known = std::find_if(applications.begin(), applications.end(),
                                    [&](const auto& row) { return row.first == digest; });
    behaviour = known == applications.end() ? Application::confirms : known->second;
}

void TestDevice::talk(device::DeviceTarget& target, const GatewayJob& job, JobEnd& end) {
    link::Outcome outcome;
    static_cast<void>(target.outcome(job.token, outcome));
    if (outcome.status == Status::in_progress) {
        static_cast<void>(target.reboot(false));
        target.reset_now();
    }
    if (outcome.status != Status::unknown_token) {
        end.status = outcome.status;
        end.ended = true;
        return;
    }
    const auto refuse = [&](Status status) {
        end.status = status;
        end.refused = end.ended = true;
    };
    link::Identity identity;
    target.identity(identity);
    for (std::size_t index = identity.key_generation; index < job.rotations.size(); ++index) {
        std::uint16_t generation = 0;
        if (const Status status = target.rotate(job.rotations[index], generation); status != Status::ok) {
            return refuse(status);
        }
        if (generation != index + 1) {
            end.trouble = "a rotation was accepted that did not take place";
        }
    }
    if (job.package == nullptr) {
        if (const Status status = target.rollback(job.token); status != Status::ok) {
            return refuse(status);
        }
        target.reset_now();
    }
    link::Held held;
    if (const Status status = target.offer(job.package->offer(), held); status != Status::ok) {
        return refuse(status);
    }
    const std::span<const std::uint8_t> envelope{job.package->envelope};
    if (held.held_sha256 != sha256(envelope.first(held.held_bytes))) {
        end.trouble = "the device claims to hold what was never sent";
    }
    for (std::size_t offset = held.held_bytes; offset < envelope.size();) {
        const std::size_t count = std::min(job.chunk_bytes, envelope.size() - offset);
        const Status status =
            target.write(static_cast<std::uint32_t>(offset), envelope.subspan(offset, count));
        if (status != Status::ok) {
            return refuse(status);
        }
        offset += count;
    }
    if (const Status status = target.finish(); status != Status::ok) {
        return refuse(status);
    }
    if (const Status status = target.install(job.token); status != Status::ok) {
        return refuse(status);
    }
    target.reset_now();
}

void TestDevice::one_start(const GatewayJob& job, JobEnd& end) {
    device::LoaderFlow& flow = ram_.make<device::LoaderFlow>(parts());
    const device::LoaderEnd loader_end = flow.run();
    if (loader_end.kind == device::LoaderEnd::Kind::serve) {
        auto& target = ram_.make<device::LoaderTarget>(flash, board, product, flow.keys(), flow.journal(),
                                                       flow.staging());
        target.set_reason(loader_end.reason, loader_end.running);
        talk(target, job, end);
        return;
    }
    Application behaviour = Application::confirms;
    flash.hold_read_faults(true);
    check_start(loader_end, end, behaviour);
    flash.hold_read_faults(false);
    if (behaviour == Application::hangs) {
        board.reset_by(kCauseWatchdog);
    }
    device::Journal& journal = ram_.make<device::Journal>(flash);
    device::Staging& staging = ram_.make<device::Staging>(flash, board);
    if (journal.mount() != Status::ok) {
        board.reset_by(kCauseSoftware);  // an application whose agent does not start begins again
    }
    staging.mount();
    device::KeyChain& keys = mounted_keys(journal);
    auto& target = ram_.make<device::AgentTarget>(flash, board, product, keys, journal, staging);
    if (behaviour == Application::confirms) {
        // An application whose confirmation fails tries again.
        const bool confirmed = target.confirm() == Status::ok;
        const Status again = confirmed ? Status::ok : target.confirm();
        if (again != Status::ok && !device::is_storage_error(again)) {
            end.trouble = "a confirmation was refused";
        }
    }
    device::BackupAhead& ahead = ram_.make<device::BackupAhead>(flash, board, journal, target.scratch());
    for (unsigned step = 0; step < ahead_steps_max && ahead.step(); ++step) {
    }
    talk(target, job, end);
}

bool TestDevice::accepts(const TestPackage& package, std::uint64_t token) {
    bool accepted = false;
    const Power::End end = as_agent([&](device::AgentTarget& target) {
        link::Held held;
        accepted = target.offer(package.offer(), held) == Status::ok &&
                   target.write(0, package.envelope) == Status::ok && target.install(token) == Status::ok;
    });
    return accepted && end == Power::End::finished;
}

JobEnd TestDevice::perform(const GatewayJob& job) {
    JobEnd end;
    while (!end.ended && end.starts < starts_max && end.trouble.empty()) {
        ++end.starts;
        power_up();
        if (power.run([&] { one_start(job, end); }) == Power::End::cut) {
            lose(power.cause());
            if (after_cut) {
                after_cut();
            }
        }
    }
    if (end.trouble.empty() && !flash.violation().empty()) {
        end.trouble = flash.violation();
    }
    return end;
}

TestDevice device_with(const Geometry& geometry, const TestPackage& package) {
    TestDevice device{geometry};
    const JobEnd end = device.perform({&package, 0x1000, 300});
    if (end.status != Status::ok || !end.ended || !end.trouble.empty()) {
        throw std::runtime_error{"the first installation failed: " + end.trouble};
    }
    return device;
}

}  // namespace mcuota::test
