// Journal records as text: one line a record, for LOG answers and for people.
#include <iterator>
#include <string_view>

#include "mcu_loader/core/device/journal.hpp"

namespace mcuota::device {
namespace {

/// Puts text into a fixed span; remembers whether everything fitted.
class LineWriter {
  public:
    explicit LineWriter(std::span<char> out) noexcept : out_{out} {}

    LineWriter& text(std::string_view value) noexcept {
        for (const char letter : value) {
            put(letter);
        }
        return *this;
    }
    LineWriter& number(std::uint32_t value) noexcept {
        std::array<char, 10> digits;
        std::size_t count = 0;
        do {
            digits[count++] = static_cast<char>('0' + value % 10);
            value /= 10;
        } while (value != 0);
        while (count > 0) {
            put(digits[--count]);
        }
        return *this;
    }
    LineWriter& hex(std::uint64_t value, unsigned digits) noexcept {
        while (digits > 0) {
            put("0123456789abcdef"[(value >> (4 * --digits)) & 0xF]);
        }
        return *this;
    }
    [[nodiscard]] std::size_t length() const noexcept { return overflow_ ? 0 : used_; }

  private:
    void put(char letter) noexcept {
        if (used_ < out_.size()) {
            out_[used_++] = letter;
        } else {
            overflow_ = true;
        }
    }

    std::span<char> out_;
    std::size_t used_{0};
    bool overflow_{false};
};

// Numbers and names side by side, the names in one text: a third of what a switch would take.
constexpr std::uint16_t kStatusNumbers[] = {
#define MCUOTA_STATUS(id, number, cls, text) number,
#include "mcu_loader/core/status.def"
#undef MCUOTA_STATUS
};
constexpr char kStatusNames[] =
#define MCUOTA_STATUS(id, number, cls, text) #id "\0"
#include "mcu_loader/core/status.def"
#undef MCUOTA_STATUS
    "unknown_status";

/// The `index`th of the words in `text`, each ended by a zero.
const char* nth_word(const char* text, std::size_t index) noexcept {
    for (; index > 0; --index)
        while (*text++ != '\0') {
        }
    return text;
}

std::string_view name(Status status) noexcept {
    std::size_t index = 0;
    while (index < std::size(kStatusNumbers) && kStatusNumbers[index] != static_cast<std::uint16_t>(status))
        ++index;
    return nth_word(kStatusNames, index);
}

std::string_view name(Phase phase) noexcept {
    switch (phase) {
        case Phase::idle:
            return "idle";
        case Phase::install_requested:
            return "install_requested";
        case Phase::backing_up:
            return "backing_up";
        case Phase::applying:
            return "applying";
        case Phase::trial:
            return "trial";
        case Phase::rollback_requested:
            return "rollback_requested";
        case Phase::restoring:
            return "restoring";
        case Phase::halted:
            return "halted";
    }
    return "unknown_phase";
}

std::string_view name(Slot slot) noexcept {
    return slot == Slot::a ? "a" : slot == Slot::b ? "b" : "none";
}

std::uint64_t leading_word(const Sha256Digest& digest) noexcept {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        word = word << 8U | digest[i];
    }
    return word;
}

}  // namespace

std::size_t describe(std::uint32_t sequence, const State& state, std::span<char> out) noexcept {
    LineWriter line{out};
    line.text("#").number(sequence).text(" ").text(name(state.phase));
    line.text(" token ").hex(state.token, 16).text(" outcome ").text(name(state.outcome));
    if (state.cause != Status::ok) {
        line.text(" cause ").text(name(state.cause));
    }
    line.text(" image ").hex(leading_word(state.image_sha256), 8);
    line.text(" running ").text(name(state.running_slot)).text(state.running_confirmed ? " confirmed" : "");
    line.text(" backup ").text(name(state.backup_slot));
    if (state.units_total != 0) {
        line.text(" units ").number(state.units_done).text("/").number(state.units_total);
    }
    line.text(" boots ").number(state.trial_boots_used).text(" tries ").number(state.attempts_used);
    if (state.key_generation != 0) {
        line.text(" keys ").number(state.key_generation);
    }
    line.text(" floor ").number(state.security_counter_floor).text(" reset ").hex(state.reset_cause, 2);
    return line.length();
}

}  // namespace mcuota::device
