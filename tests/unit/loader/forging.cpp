// Forged records, slots and installations.
#include "forging.hpp"

#include <algorithm>
#include <stdexcept>

namespace mcuota::test {
namespace {

void must(Status status) {
    if (status != Status::ok) {
        throw std::runtime_error{"the forgery failed with status " +
                                 std::to_string(static_cast<unsigned>(status))};
    }
}

}  // namespace

void forge_record(TestDevice& device, const std::function<void(device::State&)>& change) {
    device::Journal journal{device.flash};
    must(journal.mount());
    device::State next = journal.state();
    change(next);
    must(journal.append(next));
}

device::SignedManifest signed_manifest_of(const TestPackage& package) {
    device::EnvelopeHead head;
    const auto size = static_cast<std::uint32_t>(package.envelope.size());
    const std::span<const std::uint8_t> bytes{package.envelope};
    must(device::parse_envelope_head(bytes.first<link::kEnvelopeHeadBytes>(), size, head));
    device::SignedManifest out;
    out.manifest_bytes = head.manifest_bytes;
    out.signature_bytes = head.signature_bytes;
    const auto content = bytes.subspan(link::kEnvelopeHeadBytes, out.all_bytes().size());
    std::copy(content.begin(), content.end(), out.bytes.begin());
    must(parse_manifest(out.signed_bytes(), out.manifest));
    return out;
}

void forge_slot(TestDevice& device, device::Slot slot, const TestPackage& package) {
    must(store_slot(device.flash, slot, signed_manifest_of(package)));
}

void forge_installation(TestDevice& device, const TestPackage& package, std::uint64_t token) {
    Status status = Status::in_progress;
    static_cast<void>(device.as_agent([&](device::AgentTarget& target) {
        link::Held held;
        status = target.offer(package.offer(), held);
        if (status == Status::ok) {
            status = target.write(0, package.envelope);
        }
        target.abort_staging();
    }));
    must(status);
    forge_record(device, [&](device::State& state) {
        state.phase = device::Phase::install_requested;
        state.token = token;
        state.outcome = Status::in_progress;
        state.job = device::Job::install;
        state.attempts_used = state.trial_boots_used = 0;
        state.image_sha256 = package.image_sha256;
    });
}

}  // namespace mcuota::test
