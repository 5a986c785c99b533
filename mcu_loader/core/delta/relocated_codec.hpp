#pragma once
// The one description of the relocated delta's stream: written by the encoder and read by the decoder from
// the same code, so that they cannot disagree. docs/deltas.md explains the format.
//
// `Coder` codes one binary decision: bool code(Chance chance_of_1, bool bit). A decoder ignores `bit` and
// answers the bit read. `Old` gives old bytes: run(offset, wanted), cheap when ascending. `Out` is the new
// image:
//   actual(size)       the true next bytes as a little-endian value (a decoder answers 0)
//   holds(bytes, size) whether these are the true next bytes (a decoder answers anything)
//   put(value, size)   takes the next bytes
//   room(size)         memory where the next `size` bytes may be put together; take(size) makes them so
//   position(), last() offset of the next byte; the last byte put (0 before the start)
// `failed()` of Coder or Out ends the run early.

#include <cstdint>

#include "mcu_loader/core/delta/prediction.hpp"
#include "mcu_loader/core/delta/relocated_layout.hpp"
#include "mcu_loader/core/delta/thumb.hpp"

namespace mcuota::delta {

template <class Coder, class Old, class Out>
class RelocatedCodec {
  public:
    /// `memory` is laid out for `header`; an encoder has filled memory.covers.
    RelocatedCodec(const RelocatedHeader& header, RelocatedMemory& memory, Coder& coder, Old& old,
                   Out& out) noexcept
        : header_(header),
          memory_(memory),
          m_(*memory.fixed),
          coder_(coder),
          out_(out),
          predictor_(old, header.old_bytes, header.load_address, map_) {}

    /// Codes the whole stream. False when it makes no sense (covers outside the images) or coder or output
    /// failed.
    [[nodiscard]] bool run() noexcept {
        if (!code_covers()) return false;
        map_ = CoverMap(memory_.covers, memory_.order, header_.old_bytes);
        for (const Cover& cover : memory_.covers) {
            if (!code_literals(cover.new_pos) || !code_cover(cover)) return false;
        }
        return code_literals(header_.new_bytes) && !failed();
    }

  private:
    // Functions are kept apart (noinline) where their callers would repeat them: flash is short on a device.
    [[nodiscard]] bool failed() const noexcept { return coder_.failed() || out_.failed(); }

    [[gnu::noinline]] bool code(Bit& context, bool bit) noexcept {
        const bool got = coder_.code(context.chance(), bit);
        context.learn(got);
        return got;
    }
    bool code(SmallBit& context, bool bit) noexcept {
        const bool got = coder_.code(context.chance(), bit);
        context.learn(got);
        return got;
    }

    /// Any number up to 2^32 - 2.
    [[gnu::noinline]] std::uint32_t code_number(Golomb& model, std::uint32_t value) noexcept {
        const std::uint64_t plus_one = std::uint64_t{value} + 1;
        unsigned digits = 0;
        while (digits < 32 && (plus_one >> (digits + 1)) != 0)
            ++digits;
        unsigned got = 0;
        while (got < 32 && code(model.magnitude[got], got < digits))
            ++got;
        std::uint64_t result = 1;
        for (unsigned i = got; i-- > 0;) {
            const bool bit = (plus_one >> i & 1U) != 0;
            const unsigned level = got - 1 - i;
            bool read = false;
            if (level < 2)
                read = code(model.digits[got][level == 0 ? 0 : 1 + (result & 1U)], bit);
            else
                read = coder_.code(32768, bit);
            result = result << 1 | (read ? 1U : 0U);
        }
        return static_cast<std::uint32_t>(result - 1);
    }

    [[gnu::noinline]] bool code_covers() noexcept {
        std::uint32_t old_end = 0, new_end = 0;
        for (Cover& cover : memory_.covers) {
            const std::uint32_t gap = code_number(m_.gap, cover.new_pos - new_end);
            const bool no_gap = gap == 0;
            const std::uint32_t length = code_number(m_.length, cover.length - 1) + 1;
            std::uint32_t old_pos = old_end;
            if (!code(m_.same_place[no_gap], cover.old_pos == old_end)) {
                const bool back = code(m_.jump_back[no_gap], cover.old_pos < old_end);
                const std::uint32_t jump =
                    code_number(m_.jump, (back ? old_end - cover.old_pos : cover.old_pos - old_end) - 1) + 1;
                old_pos = back ? old_end - jump : old_end + jump;
            }
            if (coder_.failed() || gap > header_.new_bytes - new_end) return false;
            const std::uint32_t new_pos = new_end + gap;
            if (length == 0 || length > header_.new_bytes - new_pos || old_pos > header_.old_bytes ||
                length > header_.old_bytes - old_pos)
                return false;
            cover = {old_pos, new_pos, length};
            old_end = old_pos + length;
            new_end = new_pos + length;
        }
        return true;
    }

    [[gnu::noinline]] bool code_literals(std::uint32_t end) noexcept {
        while (out_.position() < end) {
            out_.put(code_literal(static_cast<std::uint8_t>(out_.actual(1))), 1);
            if (failed()) return false;
        }
        return true;
    }

    /// One byte, bit by bit from the top. Contexts: its place in its halfword, without and with the last
    /// byte.
    std::uint32_t code_literal(std::uint8_t actual) noexcept {
        const std::uint32_t odd = out_.position() & 1U, key = out_.last() | odd << 8;
        SmallBit* const alone = &m_.literal[odd << 8];
        SmallBit* after_last = nullptr;
        std::uint32_t node = 1, slot = 1;
        for (unsigned i = 8; i-- > 0;) {
            // Both halves of the byte have 16 neighbouring slots of their own in the hashed table.
            if ((i & 3U) == 3U) {
                slot = 1;
                const std::uint32_t hash = ((key | node << 16) * 0x9E3779B1U ^ key >> 13) * 0x85EBCA6BU;
                after_last = &memory_.literals[(hash >> (32U - header_.literal_log2)) & ~15U];
            }
            const bool bit = coder_.code(blended(alone[node], after_last[slot]), (actual >> i & 1U) != 0);
            alone[node].learn(bit);
            after_last[slot].learn(bit);
            node = node << 1 | (bit ? 1U : 0U);
            slot = slot << 1 | (bit ? 1U : 0U);
        }
        return node & 255U;
    }

    /// Codes a cover in blocks: mostly a block is as predicted, and one decision says so.
    bool code_cover(const Cover& cover) noexcept {
        previous_ = 0;
        predictor_.start(cover);
        while (!predictor_.at_end()) {
            block_.bytes = out_.room(kBlockBytes + kBlockSlackBytes);
            predictor_.next_block(block_, [this](const Unit& unit) { return expected_value(unit); });
            const bool off = code(m_.block_flag[blocks_ & 15U], !out_.holds(block_.bytes, block_.size));
            blocks_ = blocks_ << 1 | (off ? 1U : 0U);
            if (off) {
                code_units(block_);
            } else {
                if (block_.size >= 2) previous_ = block_.halfword(block_.size - 2);
                out_.take(block_.size);
            }
            if (coder_.failed()) return false;
        }
        return !out_.failed();
    }

    void code_units(const Block& block) noexcept {
        std::uint32_t units = 0;
        for (std::uint32_t at = 0; at < block.size;) {
            if (units < block.unit_count && block.units[units].at == at) {
                const Unit& unit = block.units[units++];
                code_unit(unit);
                at += unit.bytes();
            } else {
                code_halfword(block.halfword(at), block.halfword(at));
                at += 2;
            }
        }
    }

    /// The bytes of a call or pointer if nothing surprises: prediction and what was learned of its target.
    [[gnu::noinline]] std::uint32_t expected_value(const Unit& unit) noexcept {
        const bool call = unit.kind == Unit::Kind::call;
        const auto change = static_cast<std::uint32_t>(
            find_target(call ? 0 : 1, call ? unit.old_target : unit.old_value).change);
        if (!call) return unit.predicted + change;
        std::uint32_t first = unit.old_value & 0xFFFFU, second = unit.old_value >> 16;
        (void)thumb::retarget(thumb::Form::call, unit.new_pos, unit.predicted + change * 2, first, second);
        return first | second << 16;
    }

    void code_unit(const Unit& unit) noexcept {
        switch (unit.kind) {
            case Unit::Kind::byte:
                return code_byte(unit.old_value);
            case Unit::Kind::halfword:
                return code_halfword(unit.old_value, unit.predicted);
            case Unit::Kind::call:
                return code_call(unit);
            case Unit::Kind::pointer:
                return code_pointer(unit);
        }
    }

    void remember(bool surprise) noexcept { history_ = history_ << 1 | (surprise ? 1U : 0U); }

    static std::uint32_t hashed(std::uint32_t key) noexcept { return (key + 1U) * 0x9E3779B1U; }

    std::uint32_t target_history() const noexcept {
        return (history_ & 3U) != 0 ? 2U : (history_ & 15U) != 0 ? 1U : 0U;
    }

    /// What is known of a target: how far from its prediction it was when it was last met.
    LearnedTarget& find_target(unsigned which, std::uint32_t key) noexcept {
        const std::uint32_t hash = hashed(key), tag = hash << 2;
        LearnedTarget& learned = m_.targets[which][hash >> (32U - kTargetsLog2)];
        if ((learned.tag_state & ~3U) != tag) learned = {tag, 0};
        return learned;
    }

    /// Codes whether the target is off its prediction and learned change.
    bool code_target_off(unsigned which, LearnedTarget& learned, bool off) noexcept {
        const std::uint32_t state = learned.tag_state & 3U;
        const bool got = code(m_.target_flag[which][state * 3 + target_history()], off);
        learned.tag_state = (learned.tag_state & ~3U) | (got ? 1U : state < 3 ? state + 1 : 3U);
        remember(got);
        return got;
    }

    void code_target_change(unsigned which, LearnedTarget& learned, std::int32_t actual) noexcept {
        const std::uint32_t difference =
            static_cast<std::uint32_t>(actual) - static_cast<std::uint32_t>(learned.change);
        const bool negative = code(m_.target_sign[which], (difference >> 31) != 0);
        const std::uint32_t size =
            code_number(m_.target_change[which], (negative ? 0U - difference : difference) - 1) + 1;
        learned.change = static_cast<std::int32_t>(static_cast<std::uint32_t>(learned.change) +
                                                   (negative ? 0U - size : size));
    }

    [[gnu::noinline]] void code_call(const Unit& unit) noexcept {
        std::uint32_t first = unit.old_value & 0xFFFFU, second = unit.old_value >> 16;
        const std::uint32_t word = out_.actual(4);
        const bool kept = thumb::same_call(first, second, word & 0xFFFFU, word >> 16);
        const std::uint32_t true_target =
            thumb::target(thumb::Form::call, unit.new_pos, word & 0xFFFFU, word >> 16);
        const std::int32_t change = static_cast<std::int32_t>(true_target - unit.predicted) / 2;
        LearnedTarget& learned = find_target(0, unit.old_target);
        if (code_target_off(0, learned, !kept || change != learned.change)) {
            if (!code(m_.call_kept, kept)) {  // another instruction stands there now
                code_halfword(first, first);
                code_halfword(second, second);
                return;
            }
            code_target_change(0, learned, change);
        }
        const std::uint32_t new_target = unit.predicted + static_cast<std::uint32_t>(learned.change) * 2;
        (void)thumb::retarget(thumb::Form::call, unit.new_pos, new_target, first, second);
        out_.put(first | second << 16, 4);
        previous_ = second;
    }

    [[gnu::noinline]] void code_pointer(const Unit& unit) noexcept {
        const auto change = static_cast<std::int32_t>(out_.actual(4) - unit.predicted);
        LearnedTarget& learned = find_target(1, unit.old_value);
        if (code_target_off(1, learned, change != learned.change)) code_target_change(1, learned, change);
        out_.put(unit.predicted + static_cast<std::uint32_t>(learned.change), 4);
        previous_ = unit.old_value >> 16;
    }

    static Learned& find(std::span<Learned> table, unsigned log2, std::uint32_t key) noexcept {
        const std::uint32_t hash = hashed(key);
        Learned& entry = table[hash >> (32U - log2)];
        const auto tag = static_cast<std::uint16_t>(hash << 2 & 0xFFFCU);
        if ((entry.tag_state & 0xFFFCU) != tag) entry = {0, tag};
        return entry;
    }

    static void learn(Learned& entry, std::int16_t change) noexcept {
        const auto tag = static_cast<std::uint16_t>(entry.tag_state & 0xFFFCU);
        if (change == 0) {
            entry.tag_state =
                static_cast<std::uint16_t>(tag | 1U);  // the last change is kept: it may come again
        } else {
            entry.tag_state = static_cast<std::uint16_t>(tag | (entry.change == change ? 3U : 2U));
            entry.change = change;
        }
    }

    [[gnu::noinline]] void code_halfword(std::uint32_t old_value, std::uint32_t predicted) noexcept {
        const std::uint32_t actual = out_.actual(2);
        Learned& alone = find(memory_.halfwords, header_.halfword_log2, old_value);
        Learned& paired = find(memory_.pairs, header_.pair_log2, old_value | previous_ << 16);
        const std::uint32_t alone_state = alone.tag_state & 3U, paired_state = paired.tag_state & 3U;
        const std::uint32_t recent =
            ((history_ & 1U) << 2) | (history_ & 2U) | ((history_ & 0x3CU) != 0 ? 1U : 0U);
        const auto true_change = static_cast<std::int16_t>(actual - predicted);
        std::int16_t change = 0;
        const bool changed =
            code(m_.halfword_flag[alone_state << 5 | paired_state << 3 | recent], true_change != 0);
        if (changed) {
            change = code_change(alone, paired, true_change);
            last_change_ = change;
        }
        learn(alone, change);
        learn(paired, change);
        remember(changed);
        previous_ = old_value;
        out_.put((predicted + static_cast<std::uint16_t>(change)) & 0xFFFFU, 2);
    }

    [[gnu::noinline]] std::int16_t code_change(const Learned& alone, const Learned& paired,
                                               std::int16_t actual) noexcept {
        if (paired.change != 0 && code(m_.change_as_pair[paired.tag_state & 3U], actual == paired.change))
            return paired.change;
        if (alone.change != 0 && alone.change != paired.change &&
            code(m_.change_repeats[alone.tag_state & 3U], actual == alone.change))
            return alone.change;
        if (last_change_ != 0 && last_change_ != paired.change && last_change_ != alone.change &&
            code(m_.change_as_last, actual == last_change_))
            return last_change_;
        const bool negative = code(m_.change_sign, actual < 0);
        const std::uint32_t size =
            code_number(m_.halfword_change, static_cast<std::uint32_t>(negative ? -actual : actual) - 1) + 1;
        return static_cast<std::int16_t>(negative ? 0U - size : size);
    }

    [[gnu::cold, gnu::noinline]] void code_byte(std::uint32_t old_value) noexcept {
        const auto actual = static_cast<std::uint8_t>(out_.actual(1));
        std::uint32_t change = static_cast<std::uint8_t>(actual - old_value);
        const bool changed = code(m_.byte_flag[history_ & 7U], change != 0);
        if (changed) {
            std::uint32_t node = 1;
            for (unsigned i = 8; i-- > 0;)
                node = node << 1 | (code(m_.byte_change[node], (change >> i & 1U) != 0) ? 1U : 0U);
            change = node & 255U;
        } else {
            change = 0;
        }
        remember(changed);
        out_.put((old_value + change) & 255U, 1);
    }

    const RelocatedHeader& header_;
    RelocatedMemory& memory_;
    FixedModels& m_;
    Coder& coder_;
    Out& out_;
    CoverMap map_;
    Predictor<Old> predictor_;
    std::uint32_t previous_{0};  ///< old halfword before the present one, 0 at a cover's start
    std::uint32_t history_{0};   ///< one bit a unit, newest lowest: was it not as predicted
    std::uint32_t blocks_{0};    ///< one bit a block, newest lowest: was anything in it not as predicted
    std::int16_t last_change_{0};
    Block block_;
};

}  // namespace mcuota::delta
