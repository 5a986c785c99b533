#pragma once
// What the old image's bytes become when its code moves: the prediction of the relocated delta
// (docs/deltas.md). Walks a cover in blocks and predicts each from the cover map; what the prediction misses
// is the codec's business.

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "mcu_loader/core/delta/cover.hpp"
#include "mcu_loader/core/delta/thumb.hpp"

namespace mcuota::delta {

/// A piece of a cover that is predicted as a whole.
struct Unit {
    enum class Kind : std::uint8_t {
        byte,      ///< 1 byte; prediction = old value
        halfword,  ///< 2 bytes; `predicted` is their value
        call,      ///< 4 bytes, BL or B.W; `old_target` and `predicted` are targets (image offsets)
        pointer,   ///< 4 bytes; `old_value` and `predicted` are words
    } kind{Kind::byte};
    std::uint8_t at{0};  ///< first byte in its block
    std::uint32_t new_pos{0};
    std::uint32_t old_value{0};
    std::uint32_t predicted{0};
    std::uint32_t old_target{0};

    [[nodiscard]] std::uint32_t bytes() const noexcept {
        return kind == Kind::byte ? 1 : kind == Kind::halfword ? 2 : 4;
    }
};

/// Fewest bytes of a block that is not a cover's last; a unit that begins in them may reach 3 bytes further.
constexpr std::uint32_t kBlockBytes = 32;
constexpr std::uint32_t kBlockSlackBytes = 4;

/// A piece of a cover as predicted. `units` are those of its parts that are more than plain halfwords.
struct Block {
    std::uint32_t size{0};
    std::uint32_t unit_count{0};
    std::uint8_t* bytes{nullptr};  ///< expected new bytes: kBlockBytes + kBlockSlackBytes of the caller's
    std::array<Unit, kBlockBytes> units;

    /// The bytes at `at` as a little-endian value.
    [[nodiscard]] std::uint32_t halfword(std::uint32_t at) const noexcept {
        return static_cast<std::uint32_t>(bytes[at]) | static_cast<std::uint32_t>(bytes[at + 1]) << 8;
    }
};

/// Walks covers. `Old` gives old bytes: run(offset, wanted) as OldWindow does, cheap when ascending.
template <class Old>
class Predictor {
  public:
    Predictor(Old& old, std::uint32_t old_bytes, std::uint32_t load_address, const CoverMap& map) noexcept
        : old_(old), old_bytes_(old_bytes), load_address_(load_address), map_(map) {}

    void start(const Cover& cover) noexcept {
        cover_ = cover;
        done_ = 0;
        second_known_ = false;
        // Code lies at even places: a cover that moves by an odd distance holds data, where only pointers
        // matter.
        places_ = ((cover.old_pos ^ cover.new_pos) & 1U) == 0 ? kHoldsPlace : 0;
    }
    [[nodiscard]] bool at_end() const noexcept { return done_ >= cover_.length; }

    /// The next block, with `expected(unit)` telling the bytes of calls and pointers as a word. Only while
    /// not at_end(); empty (and the walk at its end) when old bytes cannot be read.
    template <class Expected>
    void next_block(Block& out, Expected&& expected) noexcept {
        const std::uint32_t begin = done_, left = cover_.length - begin;
        const auto old_run = old_.run(cover_.old_pos + begin, kBlockBytes + kBlockSlackBytes);
        const auto have = static_cast<std::uint32_t>(old_run.size() < left ? old_run.size() : left);
        if (old_run.size() == kBlockBytes + kBlockSlackBytes)  // a length the compiler knows
            std::memcpy(out.bytes, old_run.data(), kBlockBytes + kBlockSlackBytes);
        else
            std::memcpy(out.bytes, old_run.data(), old_run.size());
        out.unit_count = 0;
        std::uint32_t filled = 0;
        while (filled < kBlockBytes && filled < have) {
            std::uint8_t* const p = out.bytes + filled;
            done_ = begin + filled;
            if (const std::uint32_t plain = plain_bytes(p, have - filled, kBlockBytes - filled); plain != 0) {
                filled += plain;
                continue;
            }
            Unit& unit = out.units[out.unit_count++];
            look(p, have - filled, unit);
            unit.at = static_cast<std::uint8_t>(filled);
            const std::uint32_t size = unit.bytes();
            const std::uint32_t value = size == 4 ? expected(unit) : unit.predicted;
            for (std::uint32_t i = 0; i < size; ++i)
                p[i] = static_cast<std::uint8_t>(value >> (8 * i));
            filled += size;
        }
        out.size = filled;
        done_ = filled == 0 ? cover_.length : begin + filled;
    }

  private:
    // Bit n: halfwords whose upper five bits are n may hold a place (thumb::classify).
    static constexpr std::uint32_t kHoldsPlace =
        1U << 0x1E | 1U << 0x1F | 1U << 0x1C | 1U << 0x09 | 1U << 0x1A | 1U << 0x1B | 1U << 0x16 | 1U << 0x17;

    static std::uint32_t word(const std::uint8_t* p) noexcept {
        static_assert(std::endian::native == std::endian::little);
        std::uint32_t value = 0;
        std::memcpy(&value, p, sizeof value);
        return value;
    }
    bool points_into_old(std::uint32_t value) const noexcept {
        return (value & ~1U) - load_address_ < old_bytes_;
    }

    /// How many bytes at the walk's place are plain halfwords for sure, few more than `wanted`; 0: look()
    /// must say. Only a short cut: it never contradicts look().
    std::uint32_t plain_bytes(const std::uint8_t* p, std::uint32_t have,
                              std::uint32_t wanted) const noexcept {
        const std::uint32_t place = cover_.old_pos + done_;
        if (have < 4 || second_known_ || (place & 1U) != 0) return 0;
        std::uint32_t plain = 0, value = word(p);
        const std::uint32_t places = places_;
        const bool whole_word = (place & 3U) == 0;
        if (whole_word) {  // most words hold no place and are none
            while (((places >> (value >> 11 & 31U) | places >> (value >> 27)) & 1U) == 0 &&
                   !points_into_old(value)) {
                plain += 4;
                if (plain >= wanted || have - plain < 4) return plain;
                value = word(p + plain);
            }
            if (plain != 0) return plain;
        }
        if (whole_word && !thumb::is_call(value) && points_into_old(value)) return 0;
        if ((places >> (value >> 11 & 31U) & 1U) == 0) return 2;
        if (thumb::is_call(value)) return inside(thumb::call_target(place, value)) ? 4 : 0;
        return stays_inside(value) ? 2 : 0;
    }

    /// Whether the narrow branch or load `value` points into the cover, so that it does not change.
    bool stays_inside(std::uint32_t value) const noexcept {
        std::uint32_t offset = 4;
        switch (value >> 11 & 31U) {
            case 0x1A:
            case 0x1B:
                offset += static_cast<std::uint32_t>(static_cast<std::int8_t>(value)) * 2;
                break;
            case 0x1C:
                offset += static_cast<std::uint32_t>(static_cast<std::int32_t>(value << 21) >> 20);
                break;
            case 0x16:
            case 0x17:
                if ((value & 0xF500U) != 0xB100U) return true;
                offset += (value >> 3 & 0x3EU) | (value >> 3 & 0x40U);
                break;
            case 0x09:
                if (((cover_.old_pos ^ cover_.new_pos) & 3U) != 0) return false;
                offset = (value & 0xFFU) * 4;
                break;
            case 0x1F:
                return (value & 0xFFFFU) != 0xF8DFU;
            default:
                return false;
        }
        return done_ + offset < cover_.length;
    }

    /// The unit at the walk's place; `p` holds its old bytes, `have` of them within the cover.
    [[gnu::noinline]] void look(const std::uint8_t* p, std::uint32_t have, Unit& unit) noexcept {
        const std::uint32_t o = cover_.old_pos + done_, n = cover_.new_pos + done_;
        unit.new_pos = n;
        unit.kind = Unit::Kind::byte;
        unit.old_value = unit.predicted = p[0];
        if ((o & 1U) != 0 || have < 2) return;
        unit.kind = Unit::Kind::halfword;
        const std::uint32_t first = static_cast<std::uint32_t>(p[0] | p[1] << 8);
        unit.old_value = unit.predicted = first;
        if (second_known_) {
            second_known_ = false;
            unit.predicted = second_prediction_;
            return;
        }
        const bool wide = have >= 4;
        const std::uint32_t value = wide ? word(p) : first, second = value >> 16;
        const thumb::Form form = places_ != 0 ? thumb::classify(first, second, wide) : thumb::Form::none;
        if (form == thumb::Form::call) {
            const std::uint32_t old_target = thumb::call_target(o, value);
            unit.kind = Unit::Kind::call;
            unit.old_value = value;
            unit.old_target = old_target;
            unit.predicted = moved(old_target) & ~1U;
            return;
        }
        if (wide && (o & 3U) == 0 && points_into_old(value)) {
            unit.kind = Unit::Kind::pointer;
            unit.old_value = value;
            unit.predicted = load_address_ + map_.map((value & ~1U) - load_address_) + (value & 1U);
            return;
        }
        if (form == thumb::Form::none) return;
        const std::uint32_t target = thumb::target(form, o, first, second);
        // Within a cover that moves by whole words nothing changes.
        if (inside(target) && ((cover_.old_pos ^ cover_.new_pos) & 3U) == 0) return;
        std::uint32_t new_second = second;
        if (thumb::retarget(form, n, moved(target), unit.predicted, new_second) &&
            (form == thumb::Form::branch_wide || form == thumb::Form::load_wide)) {
            second_known_ = true;
            second_prediction_ = new_second;
        }
    }

    bool inside(std::uint32_t target) const noexcept { return target - cover_.old_pos < cover_.length; }

    /// Where `target` went: what points into the cover itself moves with it; so does what points outside the
    /// image.
    std::uint32_t moved(std::uint32_t target) const noexcept {
        if (inside(target) || target >= old_bytes_) return target + cover_.new_pos - cover_.old_pos;
        return map_.map(target);
    }

    Old& old_;
    std::uint32_t old_bytes_, load_address_;
    const CoverMap& map_;
    Cover cover_{};
    std::uint32_t done_{0};     ///< bytes of the cover walked so far
    std::uint32_t places_{0};   ///< kHoldsPlace in covers that may hold code
    bool second_known_{false};  ///< the next unit is the second half of an instruction predicted as a whole
    std::uint32_t second_prediction_{0};
};

}  // namespace mcuota::delta
