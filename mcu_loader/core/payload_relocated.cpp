// The relocated delta (docs/deltas.md): decoding with all memory from the caller.

#include <array>

#include "mcu_loader/core/delta/image_io.hpp"
#include "mcu_loader/core/delta/range_decoder.hpp"
#include "mcu_loader/core/delta/relocated_codec.hpp"
#include "mcu_loader/core/payload_kinds.hpp"

namespace mcuota::payload {
namespace {

using delta::kRelocatedHeaderBytes;

/// The new image as the codec wants it: a decoder does not know what is to come.
class Output : public delta::NewBuffer {
  public:
    Output(ByteSink& sink, const delta::OldWindow& old) noexcept : NewBuffer(sink), old_(old) {}
    static std::uint32_t actual(unsigned /*size*/) noexcept { return 0; }
    static bool holds(const std::uint8_t* /*bytes*/, std::uint32_t /*size*/) noexcept { return true; }
    [[nodiscard]] bool failed() const noexcept {
        return status() != Status::ok || old_.status() != Status::ok;
    }

  private:
    const delta::OldWindow& old_;
};

Status read_header(ByteSource& payload, delta::RelocatedHeader& header) noexcept {
    std::array<std::uint8_t, kRelocatedHeaderBytes> bytes{};
    if (payload.size_bytes() < bytes.size()) return Status::payload_malformed;
    if (const Status status = payload.read(0, bytes); status != Status::ok) return status;
    return delta::parse_header(bytes, header) ? Status::ok : Status::payload_malformed;
}

}  // namespace

std::uint32_t relocated_memory_bytes(ByteSource& payload) noexcept {
    delta::RelocatedHeader header;
    return read_header(payload, header) == Status::ok ? header.memory_bytes() : 0;
}

Status decode_relocated(const Job& job) noexcept {
    delta::RelocatedHeader header;
    if (const Status status = read_header(job.payload, header); status != Status::ok) return status;
    if (job.base == nullptr || header.old_bytes != job.base->size_bytes()) return Status::base_mismatch;
    if (header.new_bytes != job.image_size_bytes) return Status::payload_malformed;
    delta::RelocatedMemory memory;
    if (!memory.lay_out(header, job.work)) return Status::memory_budget;

    delta::RangeDecoder coder(job.payload, kRelocatedHeaderBytes);
    delta::OldWindow old(*job.base);
    Output out(job.sink, old);
    delta::RelocatedCodec codec(header, memory, coder, old, out);
    const bool sound = codec.run();
    out.flush();
    if (coder.status() != Status::ok) return coder.status();
    if (old.status() != Status::ok) return old.status();
    if (out.status() != Status::ok) return out.status();
    return sound && coder.finished() ? Status::ok : Status::payload_malformed;
}

}  // namespace mcuota::payload
