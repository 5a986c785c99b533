// SHA-256 on BearSSL's implementation; the context lives in the object, so nothing is allocated.

#include "mcu_loader/core/sha256.hpp"

#include <bearssl_hash.h>

#include <new>

namespace mcuota {
namespace {

br_sha256_context* context(std::array<std::uint8_t, 128>& bytes) noexcept {
    return std::launder(reinterpret_cast<br_sha256_context*>(bytes.data()));
}
const br_sha256_context* context(const std::array<std::uint8_t, 128>& bytes) noexcept {
    return std::launder(reinterpret_cast<const br_sha256_context*>(bytes.data()));
}

}  // namespace

static_assert(sizeof(br_sha256_context) <= 128 && alignof(br_sha256_context) <= 8);

Sha256::Sha256() noexcept {
    context_ = {};
    br_sha256_init(new (context_.data()) br_sha256_context);
}

void Sha256::update(std::span<const std::uint8_t> bytes) noexcept {
    br_sha256_update(context(context_), bytes.data(), bytes.size());
}

Sha256Digest Sha256::digest() const noexcept {
    Sha256Digest out{};
    br_sha256_out(context(context_), out.data());
    return out;
}

Sha256Digest sha256(std::span<const std::uint8_t> bytes) noexcept {
    Sha256 hash;
    hash.update(bytes);
    return hash.digest();
}

}  // namespace mcuota
