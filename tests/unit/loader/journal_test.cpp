// The boot journal: nothing sealed is lost, nothing torn is believed or written over.
#include <catch2/catch.hpp>
#include <sstream>

#include "flash_model.hpp"
#include "mcu_loader/core/device/journal.hpp"

using namespace mcuota;
using namespace mcuota::device;
using namespace mcuota::test;

namespace {

// The last slot of a sector of the small geometry, and where the mark stands in it that gives the sector up.
constexpr std::uint32_t kSlots = 7;
constexpr std::size_t kMarks = kSlots * kJournalRecordBytes, kVoidAt = 64;

State numbered(std::uint32_t number) {
    State state;
    state.phase = number % 2 == 0 ? Phase::idle : Phase::trial;
    state.token = 0x123456789ABC0000U + number;
    state.security_counter_floor = number;
    state.image_sha256.fill(static_cast<std::uint8_t>(number));
    return state;
}

std::uint32_t number_of(const State& state) {
    return state.security_counter_floor;
}

Journal mounted(FlashModel& flash) {
    Journal journal{flash};
    REQUIRE(journal.mount() == Status::ok);
    return journal;
}

// A sector full of records in doubt: number 8 stands in flag_b, its firm mark torn off, and no slot is left.
void fill_with_doubt(FlashModel& flash) {
    Journal journal = mounted(flash);
    for (std::uint32_t number = 1; number <= 8; ++number) {
        REQUIRE(journal.append(numbered(number)) == Status::ok);
    }
    const std::span<std::uint8_t> sector = flash.raw(Region::flag_b);
    std::fill_n(sector.begin() + kJournalRecordBytes - 4, 4, std::uint8_t{0xFF});
    std::fill(sector.begin() + kJournalRecordBytes, sector.begin() + kMarks, std::uint8_t{0});
    REQUIRE(number_of(mounted(flash).state()) == 8);
    REQUIRE(mounted(flash).doubtful());
}

}  // namespace

TEST_CASE("a blank journal is idle and knows no application", "[loader][journal]") {
    FlashModel flash{Geometry::small()};
    const Journal journal = mounted(flash);
    CHECK(journal.sequence() == 0);
    CHECK(journal.state() == State{});
    CHECK_FALSE(journal.doubtful());
    CHECK(flash.operations() == 0);
}

TEST_CASE("a record keeps every field", "[loader][journal]") {
    FlashModel flash{Geometry::small()};
    Journal journal = mounted(flash);
    journal.set_reset_cause(0x24);
    State state;
    state.phase = Phase::applying;
    state.token = 0xFEDCBA9876543210U;
    state.outcome = Status::in_progress;
    state.cause = Status::flash_program_failed;
    state.job = Job::recovery;
    state.running_slot = Slot::a;
    state.running_confirmed = true;
    state.backup_slot = Slot::b;
    state.target_slot = Slot::a;
    state.dirty_units = 0x81;
    state.security_counter_floor = 7;
    state.trial_boots_used = 2;
    state.attempts_used = 1;
    state.reset_cause = 0x24;
    state.units_done = 3;
    state.units_total = 7;
    state.image_sha256.fill(0xA1);
    state.failed_sha256.fill(0xB2);
    REQUIRE(journal.append(state) == Status::ok);
    CHECK(mounted(flash).state() == state);
    CHECK(flash.violation() == "");
}

TEST_CASE("the newest record wins over any number of roll-overs", "[loader][journal]") {
    FlashModel flash{Geometry::small()};
    Journal journal = mounted(flash);
    for (std::uint32_t number = 1; number <= 200; ++number) {
        REQUIRE(journal.append(numbered(number)) == Status::ok);
        if (number % 7 == 0) {
            REQUIRE(journal.mount() == Status::ok);
        }
        REQUIRE(number_of(mounted(flash).state()) == number);
        REQUIRE_FALSE(mounted(flash).doubtful());
    }
    CHECK(flash.violation() == "");
    const std::uint32_t a = flash.wear(Region::flag_a, 0);
    const std::uint32_t b = flash.wear(Region::flag_b, 0);
    CHECK(a + b <= 200 / 8 + 200 / 7 / 8 + 2);  // eight slots a sector, one more spoiled after each mount
    CHECK((a > b ? a - b : b - a) <= 1);
    CHECK(flash.wear(Region::flag_a, 1024) == 0);  // the manifest slot is not touched
}

TEST_CASE("a cut in any write of the journal leaves the old or the new record, for good",
          "[loader][journal][powercut]") {
    constexpr std::uint32_t kWrites = 30;
    FlashModel quiet{Geometry::small()};
    Journal counter = mounted(quiet);
    for (std::uint32_t number = 1; number <= kWrites; ++number) {
        REQUIRE(counter.append(numbered(number)) == Status::ok);
    }
    REQUIRE(quiet.operations() > 2 * kWrites);
    for (std::uint64_t operation = 0; operation < quiet.operations(); ++operation) {
        for (const Tear tear : kTears) {
            CAPTURE(operation, static_cast<int>(tear));
            FlashModel flash{Geometry::small()};
            Power power;
            flash.attach(power);
            flash.arm({operation, tear, 3, 0});
            std::uint32_t begun = 0;
            std::uint32_t done = 0;
            REQUIRE(power.run([&] {
                Journal journal{flash};
                static_cast<void>(journal.mount());
                for (std::uint32_t number = 1; number <= kWrites; ++number) {
                    begun = number;
                    static_cast<void>(journal.append(numbered(number)));
                    done = number;
                }
            }) == Power::End::cut);
            flash.power_cycle();
            Journal journal = mounted(flash);
            const std::uint32_t read = number_of(journal.state());
            REQUIRE((read == done || read == begun));
            REQUIRE(journal.settle() == Status::ok);
            // Whatever was acted on after settling stays true at every later start.
            for (unsigned start = 0; start < 3; ++start) {
                flash.power_cycle();
                REQUIRE(number_of(mounted(flash).state()) == read);
            }
            for (std::uint32_t number = 100; number < 120; ++number) {
                flash.power_cycle();
                Journal later = mounted(flash);
                REQUIRE(later.append(numbered(number)) == Status::ok);
                REQUIRE(number_of(mounted(flash).state()) == number);
            }
            REQUIRE(flash.violation() == "");
        }
    }
}

TEST_CASE("a record with any bit changed is not believed", "[loader][journal]") {
    FlashModel flash{Geometry::small()};
    Journal journal = mounted(flash);
    REQUIRE(journal.append(numbered(1)) == Status::ok);
    REQUIRE(journal.append(numbered(2)) == Status::ok);
    for (std::size_t bit = 0; bit < 124 * 8; ++bit) {
        FlashModel damaged = flash;
        damaged.raw(Region::flag_a)[kJournalRecordBytes + bit / 8] ^=
            static_cast<std::uint8_t>(1U << bit % 8);
        REQUIRE(number_of(mounted(damaged).state()) == 1);
    }
}

TEST_CASE("a slot that will not program is passed over", "[loader][journal]") {
    FlashModel flash{Geometry::small()};
    Journal journal = mounted(flash);
    REQUIRE(journal.append(numbered(1)) == Status::ok);
    unsigned faults = 2;
    flash.set_fault([&](Region, bool erase, std::uint32_t) {
        return !erase && faults > 0 ? (--faults, Status::nor_verify_failed) : Status::ok;
    });
    REQUIRE(journal.append(numbered(2)) == Status::ok);
    CHECK(number_of(mounted(flash).state()) == 2);
}

TEST_CASE("a journal that cannot be written says so and keeps what it knew", "[loader][journal]") {
    FlashModel flash{Geometry::small()};
    Journal journal = mounted(flash);
    REQUIRE(journal.append(numbered(1)) == Status::ok);
    flash.set_fault([](Region, bool, std::uint32_t) { return Status::nor_timeout; });
    for (unsigned tries = 0; tries < 20; ++tries) {
        REQUIRE(journal.append(numbered(2)) == Status::journal_failed);
    }
    CHECK(number_of(journal.state()) == 1);
    CHECK(number_of(mounted(flash).state()) == 1);
    flash.set_fault({});
    REQUIRE(journal.append(numbered(3)) == Status::ok);
    CHECK(number_of(mounted(flash).state()) == 3);
}

TEST_CASE("room that was reserved is there without a need of the other sector", "[loader][journal]") {
    const std::uint32_t wanted = GENERATE(1U, 3U, 6U, 7U);
    const bool fresh_start = GENERATE(false, true);
    for (std::uint32_t records = 1; records <= kSlots; ++records) {
        CAPTURE(wanted, fresh_start, records);
        FlashModel flash{Geometry::small()};
        Journal writer = mounted(flash);
        for (std::uint32_t number = 1; number <= records; ++number) {
            REQUIRE(writer.append(numbered(number)) == Status::ok);
        }
        Journal journal = fresh_start ? mounted(flash) : writer;
        const std::uint32_t spoiled = fresh_start ? 1 : 0;
        const bool fits = records + spoiled + wanted <= kSlots;
        const std::uint64_t operations = flash.operations();
        REQUIRE(journal.reserve(wanted) == Status::ok);
        CHECK(number_of(mounted(flash).state()) == records);
        CHECK(flash.wear(Region::flag_b, 0) == (fits ? 0 : 1));
        CHECK((!fits || fresh_start || flash.operations() == operations));
        flash.set_fault([](Region, bool erase, std::uint32_t) {  // from now on no sector is erased
            return erase ? Status::nor_timeout : Status::ok;
        });
        // A whole sector is less the copy that began it.
        for (std::uint32_t number = 100; number < 100 + std::min(wanted, kSlots - 1); ++number) {
            REQUIRE(journal.append(numbered(number)) == Status::ok);
            REQUIRE(number_of(mounted(flash).state()) == number);
        }
        CHECK(flash.violation() == "");
    }
}

TEST_CASE("where no room can be reserved the journal goes on in the sector it has", "[loader][journal]") {
    const bool erases = GENERATE(false, true);  // but takes no records
    const bool fresh_start = GENERATE(false, true);
    CAPTURE(erases, fresh_start);
    FlashModel flash{Geometry::small()};
    Journal writer = mounted(flash);
    for (std::uint32_t number = 1; number <= 4; ++number) {
        REQUIRE(writer.append(numbered(number)) == Status::ok);
    }
    flash.set_fault([=](Region region, bool erase, std::uint32_t) {
        return region == Region::flag_b && !(erase && erases) ? Status::nor_timeout : Status::ok;
    });
    Journal journal = fresh_start ? mounted(flash) : writer;
    CHECK(journal.reserve(5) == Status::journal_failed);
    CHECK(number_of(mounted(flash).state()) == 4);
    for (std::uint32_t number = 5; number <= (fresh_start ? 6U : 7U); ++number) {
        REQUIRE(journal.append(numbered(number)) == Status::ok);
        REQUIRE(number_of(mounted(flash).state()) == number);
    }
    const std::uint32_t last = number_of(journal.state());
    CHECK(journal.append(numbered(9)) == Status::journal_failed);
    CHECK(journal.reserve(1) == Status::journal_failed);
    CHECK(number_of(mounted(flash).state()) == last);
    flash.set_fault({});
    Journal later = mounted(flash);
    REQUIRE(later.settle() == Status::ok);
    CHECK(number_of(later.state()) == last);
    CHECK(later.append(numbered(9)) == Status::ok);
    CHECK(number_of(mounted(flash).state()) == 9);
    CHECK(flash.violation() == "");
}

TEST_CASE("the journal reads as text, oldest first, whole lines only", "[loader][journal]") {
    FlashModel flash{Geometry::small()};
    Journal journal = mounted(flash);
    for (std::uint32_t number = 1; number <= 12; ++number) {
        REQUIRE(journal.append(numbered(number)) == Status::ok);
    }
    std::string text(4096, '\0');
    text.resize(journal.text(3, text));
    std::istringstream lines{text};
    std::vector<std::string> read;
    for (std::string line; std::getline(lines, line);) {
        read.push_back(line);
    }
    REQUIRE(read.size() == 10);
    CHECK(read.front().starts_with("#3 trial token 123456789abc0003"));
    CHECK(read.back().starts_with("#12 idle token 123456789abc000c outcome unknown_token"));

    for (std::size_t room = 0; room <= text.size(); ++room) {
        std::string some(room, '\0');
        some.resize(journal.text(3, some));
        REQUIRE(text.starts_with(some));
        REQUIRE((some.empty() || some.size() == text.size() || text[some.size()] == '\n'));
    }
}

TEST_CASE("a sealed record that says something unknown is not believed", "[loader][journal]") {
    struct Row {
        const char* name;
        void (*change)(State& state);
    };
    const Row row = GENERATE(Row{"phase", [](State& s) { s.phase = static_cast<Phase>(0x12345678); }},
                             Row{"job", [](State& s) { s.job = static_cast<Job>(0x12); }},
                             Row{"running slot", [](State& s) { s.running_slot = static_cast<Slot>(0x01); }},
                             Row{"backup slot", [](State& s) { s.backup_slot = static_cast<Slot>(0xFF); }},
                             Row{"target slot", [](State& s) { s.target_slot = static_cast<Slot>(0x00); }},
                             Row{"key slot", [](State& s) { s.key_slot = static_cast<Slot>(0x5B); }},
                             Row{"backup bank", [](State& s) { s.backup_bank = static_cast<Bank>(0x01); }});
    INFO(row.name);
    FlashModel flash{Geometry::small()};
    Journal journal = mounted(flash);
    REQUIRE(journal.append(numbered(1)) == Status::ok);
    State odd = numbered(2);
    row.change(odd);
    REQUIRE(journal.append(odd) == Status::ok);
    Journal later = mounted(flash);
    CHECK(later.state() == numbered(1));
    // It takes its place as the remains of any torn record do, and harms nothing.
    REQUIRE(later.settle() == Status::ok);
    REQUIRE(later.append(numbered(3)) == Status::ok);
    CHECK(mounted(flash).state() == numbered(3));
    CHECK(flash.violation() == "");
}

TEST_CASE("the record with the highest number counts wherever it stands", "[loader][journal]") {
    FlashModel flash{Geometry::small()};
    Journal journal = mounted(flash);
    for (std::uint32_t number = 1; number <= 3; ++number) {
        REQUIRE(journal.append(numbered(number)) == Status::ok);
    }
    // An old record again behind the newest: nobody writes that, but somebody could.
    const std::span<std::uint8_t> slots = flash.raw(Region::flag_a);
    std::copy_n(slots.begin(), kJournalRecordBytes, slots.begin() + 3 * kJournalRecordBytes);
    Journal later = mounted(flash);
    CHECK(number_of(later.state()) == 3);
    CHECK(later.sequence() == 3);
    CHECK_FALSE(later.doubtful());
    REQUIRE(later.append(numbered(4)) == Status::ok);
    CHECK(number_of(mounted(flash).state()) == 4);
    CHECK(flash.violation() == "");
}

TEST_CASE("a sector that was given up counts no more, unless it was kept before", "[loader][journal]") {
    FlashModel flash{Geometry::small()};
    fill_with_doubt(flash);
    const std::span<std::uint8_t> sector = flash.raw(Region::flag_b);
    std::fill_n(sector.begin() + kMarks + kVoidAt, 3, std::uint8_t{0});
    CHECK(number_of(mounted(flash).state()) == 8);  // not yet
    std::fill_n(sector.begin() + kMarks + kVoidAt, 4, std::uint8_t{0});
    CHECK(number_of(mounted(flash).state()) == 7);
    std::fill_n(sector.begin() + kMarks, 4, std::uint8_t{0});
    CHECK(number_of(mounted(flash).state()) == 8);
}

TEST_CASE("records in doubt are given up by a mark before they are touched", "[loader][journal]") {
    FlashModel flash{Geometry::small()};
    fill_with_doubt(flash);
    flash.set_fault([](Region region, bool erase, std::uint32_t offset) {
        return region == Region::flag_b && (erase || offset < kMarks) ? Status::nor_timeout : Status::ok;
    });
    Journal journal = mounted(flash);
    CHECK(journal.append(numbered(9)) == Status::journal_failed);
    flash.set_fault({});
    CHECK(number_of(mounted(flash).state()) == 7);
    Journal later = mounted(flash);
    REQUIRE(later.append(numbered(10)) == Status::ok);
    CHECK(number_of(mounted(flash).state()) == 10);
    CHECK(flash.violation() == "");
}

TEST_CASE("a full sector whose newest record is firm is kept before the other is erased",
          "[loader][journal]") {
    FlashModel flash{Geometry::small()};
    Journal journal = mounted(flash);
    for (std::uint32_t number = 1; number <= 7; ++number) {
        REQUIRE(journal.append(numbered(number)) == Status::ok);
    }
    Journal later = mounted(flash);
    REQUIRE(later.append(numbered(8)) == Status::ok);
    const std::span<std::uint8_t> marks = flash.raw(Region::flag_a).subspan(kMarks);
    CHECK(std::all_of(marks.begin(), marks.begin() + 4, [](std::uint8_t byte) { return byte == 0; }));
    CHECK(std::all_of(marks.begin() + 4, marks.begin() + kJournalRecordBytes,
                      [](std::uint8_t byte) { return byte == 0xFF; }));
    CHECK(number_of(mounted(flash).state()) == 8);
    CHECK(flash.violation() == "");
}

TEST_CASE("a start in the middle of a job makes the mark it relies on firm again; others write nothing",
          "[loader][journal]") {
    FlashModel flash{Geometry::small()};
    for (std::uint32_t number = 1; number <= 2; ++number) {
        Journal journal = mounted(flash);
        REQUIRE(journal.append(numbered(number)) == Status::ok);
        Journal later = mounted(flash);
        const std::uint64_t before = flash.operations();
        REQUIRE(later.settle() == Status::ok);
        const bool idle = later.state().phase == Phase::idle;
        CHECK(flash.operations() == before + (idle ? 0 : 1));
        REQUIRE(later.settle() == Status::ok);
        CHECK(flash.operations() == before + (idle ? 0 : 1));
    }
}

TEST_CASE("a journal that cannot be read says why and is not written over", "[loader][journal]") {
    const Region unreadable = GENERATE(Region::flag_a, Region::flag_b);
    FlashModel flash{Geometry::small()};
    Journal journal = mounted(flash);
    for (std::uint32_t number = 1; number <= 10; ++number) {  // records in both sectors
        REQUIRE(journal.append(numbered(number)) == Status::ok);
    }
    flash.set_read_fault([=](Region region, std::uint32_t, std::span<std::uint8_t>) {
        return region == unreadable ? Status::nor_timeout : Status::ok;
    });
    const std::uint64_t operations = flash.operations();
    Journal blind{flash};
    CHECK(blind.append(numbered(11)) == Status::journal_failed);  // never mounted
    CHECK(blind.mount() == Status::nor_timeout);
    CHECK(blind.append(numbered(11)) == Status::nor_timeout);
    CHECK(blind.reserve(1) == Status::nor_timeout);
    CHECK(flash.operations() == operations);
    flash.set_read_fault({});
    CHECK(blind.mount() == Status::ok);
    CHECK(number_of(blind.state()) == 10);
    CHECK(blind.append(numbered(11)) == Status::ok);
}

TEST_CASE("remains of a record that cannot be read again are spoiled all the same", "[loader][journal]") {
    FlashModel flash{Geometry::small()};
    Journal journal = mounted(flash);
    REQUIRE(journal.append(numbered(1)) == Status::ok);
    const std::span<std::uint8_t> torn = flash.raw(Region::flag_a).subspan(kJournalRecordBytes);
    torn[7] = 0x12;
    Journal later = mounted(flash);
    flash.set_read_fault([](Region, std::uint32_t, std::span<std::uint8_t>) { return Status::nor_timeout; });
    CHECK(later.settle() == Status::ok);
    flash.set_read_fault({});
    CHECK(std::all_of(torn.begin(), torn.begin() + kJournalRecordBytes,
                      [](std::uint8_t byte) { return byte == 0; }));
    CHECK(number_of(mounted(flash).state()) == 1);
}

TEST_CASE("a journal that stops being readable tells what it has told so far", "[loader][journal]") {
    FlashModel flash{Geometry::small()};
    Journal journal = mounted(flash);
    for (std::uint32_t number = 1; number <= 4; ++number) {
        REQUIRE(journal.append(numbered(number)) == Status::ok);
    }
    unsigned reads = 0;
    flash.set_read_fault([&](Region region, std::uint32_t offset, std::span<std::uint8_t>) {
        ++reads;
        return region == Region::flag_a && offset >= 2 * kJournalRecordBytes ? Status::nor_timeout
                                                                             : Status::ok;
    });
    std::string text(4096, '\0');
    text.resize(journal.text(1, text));
    CHECK(text.starts_with("#1 trial"));
    CHECK(text.find("\n#2 idle") != std::string::npos);
    CHECK(text.find("#3") == std::string::npos);
    CHECK(reads == 7 + 3);  // the records of the other sector, then up to the slot that would not be read
}
