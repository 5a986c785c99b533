// Bodies of the messages, all but the identity (identity.cpp).
#include "mcu_loader/core/link/messages.hpp"

#include "mcu_loader/core/link/wire_io.hpp"

namespace mcuota::link {

namespace {
constexpr std::uint8_t kOfferRestart = 1U << 0;

[[nodiscard]] bool valid_role(std::uint8_t value) noexcept {
    return value == static_cast<std::uint8_t>(Role::loader) ||
           value == static_cast<std::uint8_t>(Role::agent);
}
}  // namespace

std::size_t encode(const Hello& message, BodyOut out) noexcept {
    FieldWriter w{out};
    w.number(message.version_low, 1);
    w.number(message.version_high, 1);
    w.number(message.flags, 1);
    w.number(message.nonce, 4);
    return w.size();
}

bool decode(Body body, Hello& out) noexcept {
    FieldReader r{body};
    out.version_low = r.u8();
    out.version_high = r.u8();
    out.flags = r.u8();
    out.nonce = r.u32();
    return r.ok();  // later versions may append
}

std::size_t encode(const HelloAnswer& message, BodyOut out) noexcept {
    FieldWriter w{out};
    w.number(message.version, 1);
    w.number(static_cast<std::uint8_t>(message.role), 1);
    w.number(message.session, 2);
    w.number(message.window_frames, 2);
    w.number(message.chunk_bytes, 2);
    w.number(message.nonce, 4);
    return w.size();
}

bool decode(Body body, HelloAnswer& out) noexcept {
    FieldReader r{body};
    out.version = r.u8();
    const std::uint8_t role = r.u8();
    out.role = static_cast<Role>(role);
    out.session = r.u16();
    out.window_frames = r.u16();
    out.chunk_bytes = r.u16();
    out.nonce = r.u32();
    return r.ok() && valid_role(role) && out.session != 0 && out.window_frames != 0 && out.chunk_bytes != 0;
}

std::size_t encode(const Offer& message, BodyOut out) noexcept {
    FieldWriter w{out};
    w.number(message.envelope_bytes, 4);
    w.bytes(message.package_id);
    w.bytes(message.head);
    w.number(message.restart ? kOfferRestart : 0, 1);
    return w.size();
}

bool decode(Body body, Offer& out) noexcept {
    FieldReader r{body};
    out.envelope_bytes = r.u32();
    r.copy(out.package_id);
    r.copy(out.head);
    out.restart = (r.u8() & kOfferRestart) != 0;
    return r.done();
}

std::size_t encode(const Held& message, BodyOut out) noexcept {
    FieldWriter w{out};
    w.number(message.held_bytes, 4);
    w.number(message.unit_bytes, 4);
    w.bytes(message.held_sha256);
    return w.size();
}

bool decode(Body body, Held& out) noexcept {
    FieldReader r{body};
    out.held_bytes = r.u32();
    out.unit_bytes = r.u32();
    r.copy(out.held_sha256);
    return r.done();
}

std::size_t encode(const Outcome& message, BodyOut out) noexcept {
    FieldWriter w{out};
    w.number(static_cast<std::uint16_t>(message.status), 2);
    w.number(static_cast<std::uint8_t>(message.step), 1);
    w.number(message.percent, 1);
    w.bytes(message.image_sha256);
    return w.size();
}

bool decode(Body body, Outcome& out) noexcept {
    FieldReader r{body};
    out.status = static_cast<Status>(r.u16());
    out.step = static_cast<Step>(r.u8());
    out.percent = r.u8();
    r.copy(out.image_sha256);
    return r.done();
}

std::size_t encode(const Ack& message, BodyOut out) noexcept {
    FieldWriter w{out};
    w.number(message.next, 4);
    w.number(message.limit, 4);
    w.number(message.bitmap, 4);
    return w.size();
}

bool decode(Body body, Ack& out) noexcept {
    FieldReader r{body};
    out.next = r.u32();
    out.limit = r.u32();
    out.bitmap = r.u32();
    return r.done();
}

std::size_t encode(const ProgressEvent& message, BodyOut out) noexcept {
    FieldWriter w{out};
    w.number(message.token, 8);
    w.number(static_cast<std::uint8_t>(message.step), 1);
    w.number(message.percent, 1);
    return w.size();
}

bool decode(Body body, ProgressEvent& out) noexcept {
    FieldReader r{body};
    out.token = r.u64();
    out.step = static_cast<Step>(r.u8());
    out.percent = r.u8();
    return r.done();
}

std::size_t encode(const BootEvent& message, BodyOut out) noexcept {
    FieldWriter w{out};
    w.number(static_cast<std::uint16_t>(message.status), 2);
    w.number(static_cast<std::uint8_t>(message.role), 1);
    return w.size();
}

bool decode(Body body, BootEvent& out) noexcept {
    FieldReader r{body};
    out.status = static_cast<Status>(r.u16());
    const std::uint8_t role = r.u8();
    out.role = static_cast<Role>(role);
    return r.done() && valid_role(role);
}

std::size_t encode(const Refusal& message, BodyOut out) noexcept {
    FieldWriter w{out};
    w.number(static_cast<std::uint16_t>(message.status), 2);
    w.number(message.type, 1);
    w.text(message.detail.substr(0, kRefusalDetailBytesMax));
    return w.size();
}

bool decode(Body body, Refusal& out) noexcept {
    FieldReader r{body};
    out.status = static_cast<Status>(r.u16());
    out.type = r.u8();
    const Body detail = r.rest();
    if (!r.ok() || detail.size() > kRefusalDetailBytesMax || out.status == Status::ok) return false;
    out.detail = {reinterpret_cast<const char*>(detail.data()), detail.size()};
    return true;
}

std::size_t encode_u64(std::uint64_t value, BodyOut out) noexcept {
    FieldWriter w{out};
    w.number(value, 8);
    return w.size();
}

std::size_t encode_u32(std::uint32_t value, BodyOut out) noexcept {
    FieldWriter w{out};
    w.number(value, 4);
    return w.size();
}

std::size_t encode_u16(std::uint16_t value, BodyOut out) noexcept {
    FieldWriter w{out};
    w.number(value, 2);
    return w.size();
}

bool decode_u64(Body body, std::uint64_t& out) noexcept {
    FieldReader r{body};
    out = r.u64();
    return r.done();
}

bool decode_u32(Body body, std::uint32_t& out) noexcept {
    FieldReader r{body};
    out = r.u32();
    return r.done();
}

bool decode_u16(Body body, std::uint16_t& out) noexcept {
    FieldReader r{body};
    out = r.u16();
    return r.done();
}

}  // namespace mcuota::link
