// Bodies of SELFTEST and its answer.
#include "mcu_loader/core/link/self_test.hpp"

#include "mcu_loader/core/link/wire_io.hpp"

namespace mcuota::link {

std::size_t encode(const SelfTestRequest& message, std::span<std::uint8_t> out) noexcept {
    FieldWriter writer{out};
    writer.number(kSelfTestConsent, 4);
    writer.number(message.step, 4);
    writer.number(message.seed, 4);
    writer.number(message.bytes, 4);
    return writer.size();
}

bool decode(std::span<const std::uint8_t> body, SelfTestRequest& out) noexcept {
    FieldReader reader{body};
    const bool consent = reader.u32() == kSelfTestConsent;
    out.step = reader.u32();
    out.seed = reader.u32();
    out.bytes = reader.u32();
    return consent && reader.done();
}

std::size_t encode(const SelfTestReport& message, std::span<std::uint8_t> out) noexcept {
    FieldWriter writer{out};
    writer.number(static_cast<std::uint8_t>(message.state), 1);
    writer.number(static_cast<std::uint8_t>(message.check), 1);
    writer.number(message.region, 1);
    writer.number(message.percent, 1);
    writer.number(static_cast<std::uint8_t>(message.finding), 1);
    writer.number(static_cast<std::uint16_t>(message.status), 2);
    writer.number(message.offset, 4);
    writer.number(message.expected, 1);
    writer.number(message.found, 1);
    writer.number(message.other_region, 1);
    writer.number(message.other_offset, 4);
    return writer.size();
}

bool decode(std::span<const std::uint8_t> body, SelfTestReport& out) noexcept {
    FieldReader reader{body};
    const std::uint8_t state = reader.u8();
    out.state = static_cast<SelfTestReport::State>(state);
    out.check = static_cast<SelfTestCheck>(reader.u8());
    out.region = reader.u8();
    out.percent = reader.u8();
    out.finding = static_cast<SelfTestFinding>(reader.u8());
    out.status = static_cast<Status>(reader.u16());
    out.offset = reader.u32();
    out.expected = reader.u8();
    out.found = reader.u8();
    out.other_region = reader.u8();
    out.other_offset = reader.u32();
    return reader.ok() && state <= 2;
}

}  // namespace mcuota::link
