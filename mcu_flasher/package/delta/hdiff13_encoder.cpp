// Writes `HDIFF13`: four LZMA sections for covers, two for differences, literals.

#include <array>
#include <optional>

#include "mcu_flasher/package/delta/hdiff_encoder.hpp"
#include "mcu_flasher/package/delta/hdiff_format.hpp"
#include "mcu_flasher/package/delta/lzma_section.hpp"

namespace mcuota::delta {
namespace {

using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

/// Kinds of runs a difference stream consists of.
enum RunKind : unsigned { kZeros = 0, kOnes = 1, kRepeated = 2, kAsTheyAre = 3 };
/// Shorter repetitions are cheaper as they are, in the middle of other values.
constexpr std::size_t kRepeatedMin = 4;

/// One difference for each byte of new; 0 for literals.
Bytes differences_of(View old_image, View new_image, std::span<const Cover> covers) {
    Bytes out(new_image.size());
    for (const Cover& cover : covers)
        for (std::uint32_t i = 0; i < cover.length; ++i)
            out[cover.new_pos + i] =
                static_cast<std::uint8_t>(new_image[cover.new_pos + i] - old_image[cover.old_pos + i]);
    return out;
}

class RunWriter {
  public:
    RunWriter(HdiffWriter& controls, HdiffWriter& codes) : controls_(controls), codes_(codes) {}

    void run(View differences) {
        std::size_t pending = 0;  // first byte not yet told
        for (std::size_t at = 0; at < differences.size();) {
            const std::uint8_t value = differences[at];
            std::size_t end = at + 1;
            while (end < differences.size() && differences[end] == value)
                ++end;
            const bool own_run = value == 0 || end - at >= (value == 255 ? std::size_t{2} : kRepeatedMin);
            if (own_run) {
                as_they_are(differences.subspan(pending, at - pending));
                put(value == 0 ? kZeros : value == 255 ? kOnes : kRepeated, end - at);
                if (value != 0 && value != 255) codes_.byte(value);
                pending = end;
            }
            at = end;
        }
        as_they_are(differences.subspan(pending));
    }

  private:
    void as_they_are(View values) {
        if (values.empty()) return;
        if (values.size() == 1) {  // a repetition of one: LZMA likes it no less, and decoders are done sooner
            put(values[0] == 255 ? kOnes : kRepeated, 1);
            if (values[0] != 255) codes_.byte(values[0]);
            return;
        }
        put(kAsTheyAre, values.size());
        codes_.bytes(values);
    }
    void put(RunKind kind, std::size_t length) {
        controls_.number(static_cast<std::uint32_t>(length - 1), 2, kind);
    }

    HdiffWriter& controls_;
    HdiffWriter& codes_;
};

Result<Bytes> encode(View old_image, View new_image, std::span<const Cover> covers,
                     std::uint32_t memory_bytes_max) {
    std::array<HdiffWriter, 4> parts;
    auto& [cover_part, controls, codes, literals] = parts;
    std::uint32_t old_end = 0, new_end = 0;
    for (const Cover& cover : covers) {
        cover_part.cover(cover, old_end, new_end);
        literals.bytes(new_image.subspan(new_end, cover.new_pos - new_end));
        old_end = cover.old_pos + cover.length;
        new_end = cover.new_pos + cover.length;
    }
    literals.bytes(new_image.subspan(new_end));
    RunWriter(controls, codes).run(differences_of(old_image, new_image, covers));

    HdiffWriter out, sections;
    out.head("HDIFF13");
    out.number(static_cast<std::uint32_t>(new_image.size()));
    out.number(static_cast<std::uint32_t>(old_image.size()));
    out.number(static_cast<std::uint32_t>(covers.size()));
    for (const HdiffWriter& part : parts) {
        auto section = pack_section(part.data(), memory_bytes_max / static_cast<std::uint32_t>(parts.size()));
        if (!section) return std::move(section).error();
        out.number(static_cast<std::uint32_t>(part.size()));
        out.number(section->packed ? static_cast<std::uint32_t>(section->stored.size()) : 0U);
        sections.bytes(section->stored);
    }
    out.bytes(sections.data());
    return out.take();
}

}  // namespace

Result<std::vector<std::uint8_t>> encode_hdiff13(View old_image, View new_image,
                                                 std::uint32_t memory_bytes_max) {
    std::optional<Bytes> best;
    for (const std::vector<Cover>& covers : hdiff_covers(old_image, new_image)) {
        auto delta = encode(old_image, new_image, covers, memory_bytes_max);
        if (!delta) return std::move(delta).error();
        if (!best || delta->size() < best->size()) best = std::move(*delta);
    }
    return std::move(*best);
}

}  // namespace mcuota::delta
