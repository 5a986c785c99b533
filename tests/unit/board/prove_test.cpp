// Parts of the prover: its digests, its view of the journal, ids of cuts.

#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "virtual_board/prove/digest.hpp"
#include "virtual_board/prove/journal_view.hpp"
#include "virtual_board/prove/memory_digest.hpp"
#include "virtual_board/prove/sweep.hpp"

using namespace mcuota::board;

namespace {

std::vector<std::uint8_t> bytes_of(const std::string& text) {
    return {text.begin(), text.end()};
}

/// Performs steps as the NOR would.
void perform(std::vector<std::uint8_t>& nor, const std::vector<JournalStep>& steps) {
    for (const JournalStep& step : steps) {
        if (step.erase) std::fill_n(nor.begin() + step.address, 4096, std::uint8_t{0xFF});
        for (std::size_t i = 0; i < step.bytes.size(); ++i)
            nor[step.address + i] &= step.bytes[i];
    }
}

/// A sealed record of a trial in slot 0 of sector A.
std::vector<std::uint8_t> nor_on_trial() {
    std::vector<std::uint8_t> nor(0x10000, 0xFF);
    std::array<std::uint8_t, kRecordBytes> record{};
    const auto put = [&record](std::size_t at, std::uint64_t value, unsigned size) {
        for (unsigned i = 0; i < size; ++i)
            record[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
    };
    std::memcpy(record.data(), "MJ01", 4);
    put(4, 7, 4);
    put(8, 99, 8);
    put(16, static_cast<std::uint32_t>(JournalPhase::trial), 4);
    put(20, 0x040B, 2);
    record[24] = 0x2D;
    record[25] = 0xA6;  // running in slot A,
    record[26] = 0x5A;  // no backup
    record[39] = 0x69;
    put(120, crc32(std::span{record}.first(120)), 4);
    std::copy(record.begin(), record.end(), nor.begin());
    return nor;
}

}  // namespace

TEST_CASE("the prover's digests are SHA-256 and CRC-32", "[board][prove]") {
    const Digest abc = sha256(bytes_of("abc"));
    CHECK(abc[0] == 0xBA);
    CHECK(abc[1] == 0x78);
    CHECK(abc[31] == 0xAD);
    const Digest long_one = sha256(std::vector<std::uint8_t>(1'000'000, 'a'));
    CHECK(long_one[0] == 0xCD);
    CHECK(long_one[31] == 0xD0);
    CHECK(crc32(bytes_of("123456789")) == 0xCBF4'3926);
}

TEST_CASE("a confirmation is the newest record, confirmed, behind a spoiled slot", "[board][prove]") {
    std::vector<std::uint8_t> nor = nor_on_trial();
    const JournalLayout layout;
    const auto trial = newest_record(nor, layout);
    REQUIRE(trial);
    CHECK(trial->phase == JournalPhase::trial);
    CHECK(trial->token == 99);
    const std::vector<JournalStep> steps = confirmation(nor, layout, *trial, 5);
    REQUIRE(steps.size() == 3);
    perform(nor, steps);
    const auto confirmed = newest_record(nor, layout);
    REQUIRE(confirmed);
    CHECK(confirmed->sequence == 9);
    CHECK(confirmed->address == 2 * kRecordBytes);
    CHECK(confirmed->phase == JournalPhase::idle);
    CHECK(confirmed->outcome == 0);
    CHECK(confirmed->confirmed);
    CHECK(confirmed->firm);
}

TEST_CASE("the journal rolls over into the other sector", "[board][prove]") {
    std::vector<std::uint8_t> nor = nor_on_trial();
    const JournalLayout layout;
    std::uint32_t sequence = 7;
    for (unsigned i = 0; i < 40; ++i) {
        const auto record = newest_record(nor, layout);
        REQUIRE(record);
        perform(nor, repetition(nor, layout, *record));
        const auto next = newest_record(nor, layout);
        REQUIRE(next);
        CHECK(next->sequence > sequence);
        sequence = next->sequence;
        CHECK(next->token == 99);
    }
    CHECK(newest_record(nor, layout)->address < layout.sector_b + layout.sector_bytes);
}

TEST_CASE("a backup made ahead fills the spare bank and is told in the journal last", "[board][prove]") {
    constexpr std::array<std::uint32_t, 2> kBanks{0x1'0000, 0x2'0000};
    std::vector<std::uint8_t> nor = nor_on_trial();
    nor.resize(0x3'0000, 0x00);  // what lay in the banks before
    const JournalLayout layout;
    CHECK_FALSE(newest_record(nor, layout)->wants_backup_ahead());  // not confirmed yet
    perform(nor, confirmation(nor, layout, *newest_record(nor, layout), 5));
    const auto confirmed = newest_record(nor, layout);
    REQUIRE(confirmed->wants_backup_ahead());

    std::vector<std::uint8_t> image(4096 + 300);
    for (std::size_t i = 0; i < image.size(); ++i)
        image[i] = static_cast<std::uint8_t>(i * 7);
    std::vector<JournalStep> steps = backup_ahead(nor, layout, *confirmed, kBanks, image);
    const std::vector<JournalStep> word(steps.end() - 3, steps.end());
    steps.resize(steps.size() - word.size());
    perform(nor, steps);
    CHECK(std::equal(image.begin(), image.end(), nor.begin() + kBanks[1]));
    CHECK(nor[kBanks[0]] == 0);                               // the backup held so far is untouched
    CHECK(newest_record(nor, layout)->wants_backup_ahead());  // only the word in the journal makes it count
    perform(nor, word);
    const auto told = newest_record(nor, layout);
    CHECK(told->spare_whole);
    CHECK_FALSE(told->wants_backup_ahead());
    CHECK(told->confirmed);
    CHECK(told->token == 99);
}

TEST_CASE("ids of cuts are read as they are printed", "[board][prove]") {
    const std::vector<CutPoint> cuts{{12, Harm::looks_done}, {3, Harm::before}};
    const std::string id = cut_id("install", cuts);
    CHECK(id == "install:12.looks-done+3.before");
    std::string scenario;
    Outcome<std::vector<CutPoint>> parsed = parse_cut_id(id, scenario);
    REQUIRE(parsed);
    CHECK(scenario == "install");
    REQUIRE(parsed->size() == 2);
    CHECK((*parsed)[1].harm == Harm::before);
    for (const char* bad : {"", "install", "install:", "install:x.mixed", "install:1", "install:1.never"})
        CHECK_FALSE(parse_cut_id(bad, scenario));
}

TEST_CASE("a memory's digest follows what was touched, and only that", "[board][prove]") {
    std::vector<std::uint8_t> memory(3 * 4096 + 100, 0xFF);
    MemoryDigest digest(memory);
    const Fingerprint blank = digest.value();
    memory[5000] = 1;
    CHECK(digest.value() == blank);  // nobody said so
    digest.touch(5000, 1);
    const Fingerprint one = digest.value();
    CHECK(one != blank);
    memory[8191] = 2;  // the same page: what was touched may change later
    CHECK(digest.value() != one);
    memory[8191] = 0xFF;
    CHECK(digest.value() == one);
    digest.settle();
    memory[5000] = 0xFF;
    CHECK(digest.value() == one);
    digest.touch(4096, 4096);
    CHECK(digest.value() == blank);
    std::swap(memory[12288], memory[0] = 7);  // the same bytes in other places
    digest.touch(0, memory.size());
    CHECK(digest.value() == MemoryDigest(memory).value());
    CHECK(digest.value() != blank);
    const Fingerprint others = digest.value_without(4096, 8192);
    memory[4100] = memory[9000] = 3;  // whether told of it or not
    digest.touch(4100, 1);
    CHECK(digest.value_without(4096, 8192) == others);
    CHECK(digest.value_without(4096, 4096) == digest.value_without(4096, 4096));
    CHECK(digest.value() != digest.value_without(4096, 8192));
    memory[20] = 3;
    CHECK(digest.value_without(4096, 8192) != others);
    memory[4100] = memory[9000] = 0xFF;
    digest.touch(0, memory.size());
    digest.touch(memory.size() + 9999, 10);  // outside: ignored
    CHECK(digest.value() == MemoryDigest(memory).value());
}
