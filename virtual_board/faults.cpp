// SPDX-License-Identifier: GPL-2.0-or-later
// Specifications of faults, and what they answer the models.

#include "virtual_board/faults.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

namespace mcuota::board {
namespace {

constexpr std::uint32_t kNorSectorBytes = 4096;

constexpr std::array<std::pair<std::string_view, Fault::Kind>, 6> kKinds{{
    {"flash-program", Fault::Kind::flash_program},
    {"flash-erase", Fault::Kind::flash_erase},
    {"nor-id", Fault::Kind::nor_id},
    {"nor-busy", Fault::Kind::nor_busy},
    {"nor-read", Fault::Kind::nor_read},
    {"nor-worn", Fault::Kind::nor_worn},
}};

/// The whole of `text` as a number: decimal, or hexadecimal behind 0x.
bool number(std::string_view text, std::uint32_t& out) {
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    if (hex) text.remove_prefix(2);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, hex ? 16 : 10);
    return !text.empty() && error == std::errc{} && end == text.data() + text.size();
}

/// The text up to the next colon; `rest` becomes what follows it.
std::string_view field(std::string_view& rest) {
    const std::size_t colon = rest.find(':');
    const std::string_view first = rest.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
    return first;
}

/// [:MASK][:once|always] of nor-read.
bool read_options(std::string_view rest, Fault& fault) {
    std::string_view word = field(rest);
    std::uint32_t mask = 0;
    if (number(word, mask)) {
        if (mask == 0 || mask > 0xFF) return false;
        fault.mask = static_cast<std::uint8_t>(mask);
        word = field(rest);
    }
    fault.once = word == "once";
    return rest.empty() && (word.empty() || word == "once" || word == "always");
}

/// [:after-reset] of nor-busy.
bool busy_options(std::string_view rest, Fault& fault) {
    fault.asleep = rest == "after-reset";
    return rest.empty() || fault.asleep;
}

bool options(std::string_view rest, Fault& fault) {
    switch (fault.kind) {
        case Fault::Kind::nor_read:
            return read_options(rest, fault);
        case Fault::Kind::nor_busy:
            return busy_options(rest, fault);
        default:
            return rest.empty();
    }
}

Failure out_of_place(const std::string& text, const std::string& limits) {
    return {"fault \"" + text + "\" is not on this board", limits};
}

}  // namespace

Outcome<Fault> parse_fault(const std::string& text, const FlashGeometry& geometry, std::uint32_t nor_bytes) {
    const Failure unclear{
        "\"" + text + "\" is no fault",
        "use flash-program:ADDRESS, flash-erase:SECTOR, nor-id:HEX, nor-busy:N[:after-reset], "
        "nor-read:ADDRESS[:MASK][:once|always] or nor-worn:ADDRESS"};
    std::string_view rest = text;
    const std::string_view name = field(rest);
    const auto* kind =
        std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& known) { return known.first == name; });
    if (kind == kKinds.end()) return unclear;
    Fault fault;
    fault.kind = kind->second;
    fault.text = text;
    const std::string_view where = field(rest);
    const std::string id = "0x" + std::string(where);
    const bool good = fault.kind == Fault::Kind::nor_id ? where.size() == 6 && number(id, fault.at)
                                                        : number(where, fault.at);
    if (!good || !options(rest, fault)) return unclear;
    switch (fault.kind) {
        case Fault::Kind::flash_program:
            if (geometry.at(fault.at) == nullptr)
                return out_of_place(text, "its flash begins at 0x08000000 and has " +
                                              std::to_string(geometry.size_bytes() / 1024) + " KiB");
            break;
        case Fault::Kind::flash_erase: {
            const bool exists = std::any_of(geometry.sectors().begin(), geometry.sectors().end(),
                                            [&](const Sector& sector) { return sector.number == fault.at; });
            if (!exists)
                return out_of_place(text,
                                    "the sectors of each part stand in its reference manual (RM0090, "
                                    "chapter 3): 0 to 11, and from 12 on in bank 2");
            break;
        }
        case Fault::Kind::nor_read:
        case Fault::Kind::nor_worn:
            if (fault.at >= nor_bytes)
                return out_of_place(text, "its NOR has " + std::to_string(nor_bytes >> 20) +
                                              " MiB; NOR addresses begin at 0");
            break;
        case Fault::Kind::nor_id:
        case Fault::Kind::nor_busy:
            break;
    }
    return fault;
}

void Faults::chip_reset() {
    for (Fault& fault : faults_)
        fault.asleep = false;
}

bool Faults::flash_program_fails(std::uint32_t address) {
    for (const Fault& fault : faults_)
        if (fault.kind == Fault::Kind::flash_program && fault.at / 4 == address / 4) return ++hits_, true;
    return false;
}

bool Faults::flash_erase_fails(unsigned sector) {
    for (const Fault& fault : faults_)
        if (fault.kind == Fault::Kind::flash_erase && fault.at == sector) return ++hits_, true;
    return false;
}

std::optional<std::uint32_t> Faults::nor_id() {
    for (const Fault& fault : faults_)
        if (fault.kind == Fault::Kind::nor_id) return ++hits_, fault.at;
    return std::nullopt;
}

bool Faults::nor_hangs() {
    for (Fault& fault : faults_) {
        if (fault.kind != Fault::Kind::nor_busy || fault.asleep) continue;
        if (fault.at > 0) {
            --fault.at;
        } else {
            ++hits_;
            nor_hung_ = true;
        }
    }
    return nor_hung_;
}

std::uint8_t Faults::nor_read(std::uint32_t address, std::uint8_t value) {
    for (Fault& fault : faults_) {
        if (fault.kind != Fault::Kind::nor_read || fault.at != address) continue;
        value = static_cast<std::uint8_t>(value ^ fault.mask);
        if (fault.mask != 0) ++hits_;
        if (fault.once) fault.mask = 0;
    }
    return value;
}

bool Faults::nor_worn(std::uint32_t address) {
    for (const Fault& fault : faults_) {
        if (fault.kind == Fault::Kind::nor_worn && fault.at / kNorSectorBytes == address / kNorSectorBytes)
            return ++hits_, true;
    }
    return false;
}

}  // namespace mcuota::board
