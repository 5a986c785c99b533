// Sentences of the self test.
#include "mcu_flasher/self_test_text.hpp"

#include <array>
#include <cstdio>

#include "mcu_flasher/link/device_error.hpp"

namespace mcuota::flasher {
namespace {

using link::SelfTestCheck;
using link::SelfTestFinding;
using link::SelfTestReport;

struct CheckWords {
    std::string_view name, text;
};
constexpr std::array<CheckWords, link::kSelfTestChecks> kChecks{{
    {"geometry", "looking at the region tables"},
    {"write", "erasing and writing in pieces of random length"},
    {"read_back", "reading back in pieces of random length"},
    {"rewrite", "erasing random ranges, writing them backwards"},
    {"read_again", "reading everything again"},
    {"program_rules", "single granules, and zeros over anything"},
    {"limits", "accesses outside the regions"},
    {"journal", "saving and loading the boot journal"},
    {"slots", "saving and loading manifests and key areas"},
    {"back_up", "backing up the application area"},
    {"recover", "writing the application area from the backup"},
    {"patch", "writing the application area from backup and download"},
    {"clean_up", "erasing the flags"},
}};
constexpr std::array<std::string_view, 5> kRegions{"running", "flag_a", "flag_b", "backup", "download"};

std::string hex(std::uint32_t value, int digits = 1) {
    char text[16];
    (void)std::snprintf(text, sizeof text, "0x%0*x", digits, value);
    return text;
}

std::string byte_text(const SelfTestReport& report) {
    if (report.expected == report.found) return "the same bytes read differently from one moment to the next";
    return "reads " + hex(report.found, 2) + " where " + hex(report.expected, 2) + " should be";
}

std::string answer_text(const SelfTestReport& report) {
    return "answers: " + status_text(report.status);
}

std::string displaced_text(const SelfTestReport& report) {
    const std::string home = std::string(region_name(report.other_region));
    std::string text = "holds what was written to " + home + " at " + hex(report.other_offset);
    if (report.other_region != report.region)
        text += ": " + std::string(region_name(report.region)) + " and " + home + " overlap or are swapped";
    return text;
}

/// What is wrong, without where.
std::string what(const SelfTestReport& report) {
    const std::string other{region_name(report.other_region)};
    switch (report.finding) {
        case SelfTestFinding::nothing:
            return "nothing was found";
        case SelfTestFinding::units_do_not_fit:
            return "the erase units do not add up to the region's size";
        case SelfTestFinding::granule_unusable:
            return "program_unit_bytes() answers " + std::to_string(report.other_offset) +
                   ", which the loader cannot use";
        case SelfTestFinding::geometry_unusable:
            return "regions_usable() refuses the region tables";
        case SelfTestFinding::erase_failed:
            return "erase() " + answer_text(report);
        case SelfTestFinding::erase_left_bytes:
            return "after erase() it " + byte_text(report);
        case SelfTestFinding::erase_took_neighbour:
            return "an erase of other units changed it: " + byte_text(report);
        case SelfTestFinding::program_failed:
            return "program() " + answer_text(report);
        case SelfTestFinding::write_ignored:
            return "reads erased where something was written: the write did not arrive";
        case SelfTestFinding::old_content:
            return "reads what was there before: neither erase nor write arrived";
        case SelfTestFinding::wrong_bytes:
            return byte_text(report);
        case SelfTestFinding::stuck_bit:
            return "bit " + std::to_string(report.other_offset) + " is stuck at " +
                   std::to_string(report.found >> (report.other_offset & 7U) & 1U);
        case SelfTestFinding::page_wrap:
            return "bytes that belong behind it wrapped inside a page of " +
                   std::to_string(report.other_offset) + " bytes";
        case SelfTestFinding::displaced:
            return displaced_text(report);
        case SelfTestFinding::read_failed:
            return "read() " + answer_text(report);
        case SelfTestFinding::read_overran:
            return "read() wrote outside the memory it was given";
        case SelfTestFinding::not_at_load_address:
            return "the processor sees other bytes at the load address";
        case SelfTestFinding::other_region_changed:
            return "work on " + other + " changed it: " + byte_text(report);
        case SelfTestFinding::granule_spoils_beside:
            return "programming one granule changed another one: " + byte_text(report);
        case SelfTestFinding::zeros_failed:
            return report.status == Status::ok
                       ? "zeros programmed over what was there did not arrive: " + byte_text(report)
                       : "program() of zeros over what was there " + answer_text(report);
        case SelfTestFinding::read_not_refused:
            return "a read outside the region is not refused as out_of_range; read() " + answer_text(report);
        case SelfTestFinding::program_not_refused:
            return "a write outside the region or its granules is not refused as out_of_range; program() " +
                   answer_text(report);
        case SelfTestFinding::erase_not_refused:
            return "an erase outside the region or of part of a unit is not refused as out_of_range; "
                   "erase() " +
                   answer_text(report);
        case SelfTestFinding::journal_failed:
            return "the boot journal " + answer_text(report);
        case SelfTestFinding::journal_lost:
            return "a fresh mount of the boot journal does not find the record written last";
        case SelfTestFinding::slot_failed:
            return "a manifest slot " + answer_text(report);
        case SelfTestFinding::slot_differs:
            return "a manifest slot gives back another manifest than was stored";
        case SelfTestFinding::beside_flags_changed:
            return "work on another part of the flag regions changed it: " + byte_text(report);
        case SelfTestFinding::arrived_elsewhere:
            return "what was written to it arrived in " + other + " at " + hex(report.other_offset) + ": " +
                   std::string(region_name(report.region)) + " and " + other + " overlap or are swapped";
        case SelfTestFinding::copy_differs:
            return "after the move it " + byte_text(report);
    }
    return "finding " + std::to_string(static_cast<unsigned>(report.finding)) + ", unknown to this program";
}

}  // namespace

std::string_view check_name(SelfTestCheck check) {
    const auto number = static_cast<std::size_t>(check);
    return number >= 1 && number <= kChecks.size() ? kChecks[number - 1].name : "unknown";
}

std::string_view check_text(SelfTestCheck check) {
    const auto number = static_cast<std::size_t>(check);
    return number >= 1 && number <= kChecks.size() ? kChecks[number - 1].text
                                                   : "a check unknown to this program";
}

std::string_view region_name(std::uint8_t region) {
    return region < kRegions.size() ? kRegions[region] : "none";
}

std::string_view finding_name(SelfTestFinding finding) {
    static constexpr std::array<std::string_view, 30> kNames{"nothing",
                                                             "units_do_not_fit",
                                                             "granule_unusable",
                                                             "geometry_unusable",
                                                             "erase_failed",
                                                             "erase_left_bytes",
                                                             "erase_took_neighbour",
                                                             "program_failed",
                                                             "write_ignored",
                                                             "old_content",
                                                             "wrong_bytes",
                                                             "stuck_bit",
                                                             "page_wrap",
                                                             "displaced",
                                                             "read_failed",
                                                             "read_overran",
                                                             "not_at_load_address",
                                                             "other_region_changed",
                                                             "granule_spoils_beside",
                                                             "zeros_failed",
                                                             "read_not_refused",
                                                             "program_not_refused",
                                                             "erase_not_refused",
                                                             "journal_failed",
                                                             "journal_lost",
                                                             "slot_failed",
                                                             "slot_differs",
                                                             "beside_flags_changed",
                                                             "copy_differs",
                                                             "arrived_elsewhere"};
    const auto number = static_cast<std::size_t>(finding);
    return number < kNames.size() ? kNames[number] : "unknown";
}

std::string finding_text(const SelfTestReport& report) {
    std::string text{check_text(report.check)};
    text += ": ";
    if (report.region != link::kSelfTestNoRegion)
        text += std::string(region_name(report.region)) + " at " + hex(report.offset) + " ";
    return text + what(report);
}

std::string_view finding_hint(SelfTestFinding finding) {
    switch (finding) {
        case SelfTestFinding::units_do_not_fit:
            return "correct size_bytes() or erase_unit_bytes(): every unit is whole, the last one ends the "
                   "region";
        case SelfTestFinding::granule_unusable:
            return "1, 2, 4, 8 or 16 in running, 1 elsewhere";
        case SelfTestFinding::geometry_unusable:
            return "the rules stand in storage.hpp and docs/porting.md, step 2";
        case SelfTestFinding::erase_failed:
        case SelfTestFinding::erase_left_bytes:
            return "look at the erase command, the unlock sequence, write protection and how the end is "
                   "awaited";
        case SelfTestFinding::erase_took_neighbour:
            return "the erase command takes more than erase_unit_bytes() says, or one unit too many is "
                   "erased";
        case SelfTestFinding::program_failed:
        case SelfTestFinding::write_ignored:
            return "look at the program command, write enable before each, write protection and page borders";
        case SelfTestFinding::old_content:
            return "look at the address sent with erase and program: they may reach another chip or half of "
                   "it";
        case SelfTestFinding::wrong_bytes:
            return "look at the bus: speed, sampling edge, wait states, and the order of bytes in a word";
        case SelfTestFinding::stuck_bit:
            return "look at the data line of that bit, or exchange the chip";
        case SelfTestFinding::page_wrap:
            return "split writes at the page borders of the chip";
        case SelfTestFinding::displaced:
        case SelfTestFinding::arrived_elsewhere:
        case SelfTestFinding::other_region_changed:
            return "look at the table of region beginnings and at the number of address bytes";
        case SelfTestFinding::read_failed:
            return "look at the bounds check of read(): the last byte belongs to the region";
        case SelfTestFinding::read_overran:
            return "look at lengths that are odd or shorter than a burst, and at DMA transfer sizes";
        case SelfTestFinding::not_at_load_address:
            return "running must be the flash at Product::load_address; invalidate caches after erase and "
                   "program";
        case SelfTestFinding::granule_spoils_beside:
            return "program_unit_bytes() must be what the flash can program without touching its neighbours";
        case SelfTestFinding::zeros_failed:
            return "flash with an error code per word takes no second write: it cannot carry the flag "
                   "regions";
        case SelfTestFinding::read_not_refused:
        case SelfTestFinding::program_not_refused:
        case SelfTestFinding::erase_not_refused:
            return "check offset and length against size_bytes() and the units first, without overflow";
        case SelfTestFinding::journal_failed:
        case SelfTestFinding::journal_lost:
        case SelfTestFinding::slot_failed:
        case SelfTestFinding::slot_differs:
        case SelfTestFinding::beside_flags_changed:
            return "the first erase units of flag_a and flag_b do not hold what is written to them";
        case SelfTestFinding::copy_differs:
            return "look at long sequences of reads from one region and writes to another: shared buffers or "
                   "buses";
        case SelfTestFinding::nothing:
            break;
    }
    return "see docs/porting.md";
}

}  // namespace mcuota::flasher
