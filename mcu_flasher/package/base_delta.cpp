// Tries the formats per base and keeps the smallest delta.

#include "mcu_flasher/package/base_delta.hpp"

#include <algorithm>

namespace mcuota::package {
namespace {

using View = std::span<const std::uint8_t>;

/// The smallest delta of the formats asked for; an empty one when none fits the memory.
Result<EncodedPayload> smallest(View base, View image, const DeltaRequest& request,
                                const std::function<void()>& before_each) {
    EncodedPayload best;
    for (const delta::Format format : request.formats) {
        before_each();
        const delta::EncodeOptions options{
            request.load_address, std::min(request.memory_bytes_max, delta::memory_bytes_default(format))};
        auto made = delta::encode(format, base, image, options);
        if (!made && made.error().code == ErrorCode::memory_budget_exceeded) continue;
        if (!made) return std::move(made).error();
        if (best.bytes.empty() || made->bytes.size() < best.bytes.size())
            best = {delta::payload_kind(format), std::move(made->bytes), made->memory_bytes};
    }
    return best;
}

std::string why_left_out(const BaseOutcome& outcome, const std::vector<BaseOutcome>& before,
                         const Sha256Digest& image_sha256) {
    if (outcome.base_sha256 == image_sha256) return "it is the new image itself";
    const auto same = std::find_if(before.begin(), before.end(), [&](const BaseOutcome& other) {
        return other.base_sha256 == outcome.base_sha256;
    });
    return same == before.end() ? "" : "it is the same image as " + same->name;
}

}  // namespace

Result<std::vector<BaseOutcome>> encode_bases(std::span<const Base> bases, View image,
                                              const DeltaRequest& request) {
    const Sha256Digest image_sha256 = sha256(image);
    const std::size_t total = bases.size() * request.formats.size();
    std::size_t done = 0;
    std::vector<BaseOutcome> out;
    for (const Base& base : bases) {
        if (base.image.empty())
            return Error{ErrorCode::usage, base.name + " is empty, nothing can be told by it",
                         "give the image devices run now", 0};
        BaseOutcome outcome;
        outcome.name = base.name;
        outcome.base_bytes = static_cast<std::uint32_t>(base.image.size());
        outcome.base_sha256 = sha256(base.image);
        outcome.left_out = why_left_out(outcome, out, image_sha256);
        if (outcome.left_out.empty()) {
            auto delta = smallest(base.image, image, request, [&] {
                if (request.progress) request.progress(done, total);
                ++done;
            });
            if (!delta) return std::move(delta).error().while_doing("making the delta from " + base.name);
            outcome.delta = std::move(*delta);
            if (outcome.delta.bytes.empty())
                outcome.left_out = "no delta fits the decoder memory of " +
                                   std::to_string(request.memory_bytes_max) + " bytes";
            else if (outcome.delta.bytes.size() >= request.worth_below_bytes)
                outcome.left_out = "the smallest delta takes " + std::to_string(outcome.delta.bytes.size()) +
                                   " bytes, the full image " + std::to_string(request.worth_below_bytes);
        } else {
            done += request.formats.size();
        }
        out.push_back(std::move(outcome));
    }
    if (request.progress) request.progress(total, total);
    return out;
}

}  // namespace mcuota::package
