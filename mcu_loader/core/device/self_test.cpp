// The self test's sequence and its checks of erase, program and read.
#include "mcu_loader/core/device/self_test.hpp"

#include <algorithm>

namespace mcuota::device {
namespace {

/// Most bytes a step erases and writes, unless one erase unit is larger.
constexpr std::uint32_t kStepBytes = 64 * 1024;
/// Granules tried one by one.
constexpr std::uint32_t kGranules = 96;
/// Looked at of a unit that should not have changed.
constexpr std::uint32_t kEdgeBytes = 4096;

}  // namespace

Status SelfTest::step(const link::SelfTestRequest& request, link::SelfTestReport& out) noexcept {
    if (request.step == 0) {
        seed_ = request.seed;
        bytes_ = request.bytes;
        random_ = (request.seed * 2654435761U) | 1U;
        check_ = Check::geometry;
        region_ = 0;
        cursor_ = 0;
        next_ = 0;
        begun_ = active_ = true;
    } else if (!active_ || request.step != next_ || request.seed != seed_) {
        return Status::wrong_state;
    }
    ++next_;
    report_ = {};
    report_.check = check_;
    report_.region = region_;
    if (!perform()) {
        report_.state = link::SelfTestReport::State::failed;
        active_ = false;
    } else if (check_ > Check::clean_up) {
        report_.state = link::SelfTestReport::State::passed;
        active_ = false;
    } else {
        report_.check = check_;
        report_.region = region_;
    }
    report_.percent = percent();
    out = report_;
    return Status::ok;
}

bool SelfTest::perform() noexcept {
    board_.feed_watchdog();
    switch (check_) {
        case Check::geometry:
            return look_at_geometry();
        case Check::write:
            return in_each_region(&SelfTest::write);
        case Check::read_back:
            return in_each_region(&SelfTest::read_back);
        case Check::rewrite:
            return in_each_region(&SelfTest::rewrite);
        case Check::read_again:
            return in_each_region(&SelfTest::read_again);
        case Check::program_rules:
            return in_each_region(&SelfTest::try_program_rules);
        case Check::limits:
            return in_each_region(&SelfTest::try_limits);
        case Check::journal:
            return try_journal();
        case Check::slots:
            return try_slots();
        case Check::back_up:
            return back_up();
        case Check::recover:
            return recover();
        case Check::patch:
            return patch();
        case Check::clean_up:
            return clean_up();
    }
    return true;
}

/// The work moves cursor_ on; when it has reached the region's end the next region is due.
bool SelfTest::in_each_region(bool (SelfTest::*work)()) noexcept {
    if (!(this->*work)()) {
        return false;
    }
    if (cursor_ >= size(here())) {
        cursor_ = 0;
        if (++region_ == kRegionCount) {
            next_check();
        }
    }
    return true;
}

void SelfTest::next_check() noexcept {
    check_ = static_cast<Check>(static_cast<std::uint8_t>(check_) + 1);
    region_ = 0;
    cursor_ = 0;
}

std::uint64_t SelfTest::bytes_before() const noexcept {
    std::uint64_t bytes = cursor_;
    for (std::uint8_t i = 0; i < region_ && i < kRegionCount; ++i) {
        bytes += size(static_cast<Region>(i));
    }
    return bytes;
}

std::uint8_t SelfTest::percent() const noexcept {
    // Where each check begins, as shares of the time on an STM32F429 with a W25Q128.
    static constexpr std::array<std::uint8_t, link::kSelfTestChecks + 2> kBegins{
        0, 0, 1, 31, 38, 76, 83, 84, 85, 87, 88, 94, 97, 99, 100};
    const auto check = static_cast<std::uint8_t>(check_);
    std::uint64_t all = 0;
    for (std::uint8_t i = 0; i < kRegionCount; ++i) {
        all += size(static_cast<Region>(i));
    }
    const bool by_bytes = check_ >= Check::write && check_ <= Check::read_again && all != 0;
    if (!by_bytes) {
        return kBegins[check];
    }
    const auto width = static_cast<std::uint64_t>(kBegins[check + 1U] - kBegins[check]);
    return static_cast<std::uint8_t>(kBegins[check] + width * std::min(bytes_before(), all) / all);
}

// --- geometry ---------------------------------------------------------------------------------------------

bool SelfTest::geometry_of(Region region) noexcept {
    const std::uint32_t granule = storage_.program_unit_bytes(region);
    if (granule == 0 || granule > 16 || (granule & (granule - 1)) != 0 ||
        (region != Region::running && granule != 1)) {
        report_.other_offset = granule;
        return fail(Finding::granule_unusable, region, 0);
    }
    std::uint32_t offset = 0;
    while (offset < size(region)) {
        const std::uint32_t unit = storage_.erase_unit_bytes(region, offset);
        const bool whole = unit != 0 && unit % granule == 0 && unit <= size(region) - offset;
        if (!whole || storage_.erase_unit_bytes(region, offset + unit - 1) != unit) {
            return fail(Finding::units_do_not_fit, region, offset);
        }
        offset += unit;
    }
    return offset != 0 || fail(Finding::units_do_not_fit, region, 0);
}

bool SelfTest::look_at_geometry() noexcept {
    for (std::uint8_t i = 0; i < kRegionCount; ++i) {
        if (!geometry_of(static_cast<Region>(i))) {
            return false;
        }
    }
    if (!regions_usable(storage_)) {
        report_.region = link::kSelfTestNoRegion;
        report_.finding = Finding::geometry_unusable;
        return false;
    }
    next_check();
    return true;
}

// --- the two contents -------------------------------------------------------------------------------------

bool SelfTest::write() noexcept {
    const std::uint32_t most = std::min(cursor_ + kStepBytes, part_end(here(), cursor_));
    const Span span{here(), cursor_, border(here(), cursor_, most)};
    if (!erase(span) || !write_forward(span, Pass::first) || !compare(span, Pass::first, Finding::nothing)) {
        return false;
    }
    go_on(span.region, span.end);
    return true;
}

bool SelfTest::read_back() noexcept {
    const std::uint32_t end = std::min(cursor_ + 2 * kStepBytes, part_end(here(), cursor_));
    if (!compare({here(), cursor_, end}, Pass::first, Finding::nothing)) {
        return false;
    }
    go_on(here(), end);
    return true;
}

bool SelfTest::rewrite() noexcept {
    const Region region = here();
    const std::uint32_t unit = storage_.erase_unit_bytes(region, cursor_);
    const std::uint32_t units_most =
        std::max<std::uint32_t>(1, std::min(2 * kStepBytes, size(region) / 4) / unit);
    const std::uint32_t wanted = cursor_ + (1 + random() % units_most) * unit;
    const Span span{region, cursor_, border(region, cursor_, std::min(wanted, part_end(region, cursor_)))};
    if (!erase(span)) {
        return false;
    }
    if (!neighbours(span, Pass::second, Pass::first)) {
        return false;
    }
    if (!write_backward(span, Pass::second) || !compare(span, Pass::second, Finding::nothing)) {
        return false;
    }
    go_on(region, span.end);
    return cursor_ < size(region) || compare_edges(region, Pass::second, Pass::first);
}

/// The units on both sides of what was erased.
bool SelfTest::neighbours(const Span& erased, Pass before, Pass behind) noexcept {
    const Region region = erased.region;
    const std::uint32_t part_begin = erased.begin >= tail_begin(region) ? tail_begin(region) : 0;
    const std::uint32_t from = std::max(part_begin, erased.begin - std::min(erased.begin, 2 * kEdgeBytes));
    if (!compare({region, from, erased.begin}, before, Finding::erase_took_neighbour)) {
        return false;
    }
    if (erased.end >= part_end(region, erased.begin)) {
        return true;
    }
    const std::uint32_t next = storage_.erase_unit_bytes(region, erased.end);
    return compare({region, erased.end, erased.end + next}, behind, Finding::erase_took_neighbour);
}

bool SelfTest::read_again() noexcept {
    const std::uint32_t end = std::min(cursor_ + 2 * kStepBytes, part_end(here(), cursor_));
    if (!compare({here(), cursor_, end}, Pass::second, Finding::nothing)) {
        return false;
    }
    go_on(here(), end);
    return true;
}

/// Regions before `worked_on` hold `behind`, those after it `ahead`.
bool SelfTest::compare_edges(Region worked_on, Pass behind, Pass ahead) noexcept {
    for (std::uint8_t i = 0; i < kRegionCount; ++i) {
        const auto region = static_cast<Region>(i);
        if (region == worked_on) {
            continue;
        }
        const Pass pass = i < static_cast<std::uint8_t>(worked_on) ? behind : ahead;
        const std::uint32_t edge = std::min(kEdgeBytes, size(region));
        report_.other_region = static_cast<std::uint8_t>(worked_on);
        if (!compare({region, 0, edge}, pass, Finding::other_region_changed) ||
            !compare({region, size(region) - edge, size(region)}, pass, Finding::other_region_changed)) {
            return false;
        }
    }
    report_.other_region = link::kSelfTestNoRegion;
    return true;
}

// --- rules of programming ---------------------------------------------------------------------------------

/// In the first and in the last unit of the region; both hold the second content afterwards.
bool SelfTest::try_program_rules() noexcept {
    const Region region = here();
    const bool first = cursor_ == 0;
    const std::uint32_t begin = first ? 0 : last_unit(region);
    const Span unit{region, begin, begin + storage_.erase_unit_bytes(region, begin)};
    const std::uint32_t granule = storage_.program_unit_bytes(region);
    const std::uint32_t tried = std::min({unit.end - unit.begin, kGranules * granule, kPieceMax});
    if (!erase(unit) || !neighbours(unit, Pass::second, Pass::second) ||
        !single_granules({region, unit.begin, unit.begin + tried}) ||
        !zeros_over({region, unit.begin, unit.begin + tried}) ||
        !blank({region, unit.begin + tried, unit.end}, Finding::granule_spoils_beside) || !erase(unit) ||
        !write_forward(unit, Pass::second) || !compare(unit, Pass::second, Finding::nothing)) {
        return false;
    }
    const bool done = !first || last_unit(region) == 0;
    cursor_ = done ? size(region) : last_unit(region);
    return !done || compare_edges(region, Pass::second, Pass::second);
}

/// Every second granule, from the end; then the others. A granule leaves those beside it alone.
bool SelfTest::single_granules(const Span& unit) noexcept {
    const std::uint32_t granule = storage_.program_unit_bytes(unit.region);
    const std::uint32_t count = (unit.end - unit.begin) / granule;
    for (const std::uint32_t odd : {1U, 0U}) {
        for (std::uint32_t i = count; i-- > 0;) {
            if (i % 2 != odd) {
                continue;
            }
            const std::uint32_t offset = unit.begin + i * granule;
            const std::span<std::uint8_t> bytes = std::span{content_}.subspan(i % 4, granule);
            pattern(unit.region, offset, Pass::second, bytes);
            if (!program(unit.region, offset, bytes, Pass::second)) {
                return false;
            }
        }
        for (std::uint32_t i = 0; odd == 1 && i < count; i += 2) {
            const std::uint32_t offset = unit.begin + i * granule;
            if (!blank({unit.region, offset, offset + granule}, Finding::granule_spoils_beside)) {
                return false;
            }
        }
    }
    return compare(unit, Pass::second, Finding::granule_spoils_beside);
}

bool SelfTest::zeros_over(const Span& span) noexcept {
    const auto zeros = std::span{content_}.first(span.end - span.begin);
    std::fill(zeros.begin(), zeros.end(), std::uint8_t{0});
    if (const Status status = storage_.program(span.region, span.begin, zeros); status != Status::ok) {
        return fail(Finding::zeros_failed, span.region, span.begin, status);
    }
    const auto found = std::span{piece_}.first(zeros.size());
    if (!look(span.region, span.begin, found)) {
        return false;
    }
    for (std::uint32_t i = 0; i < found.size(); ++i) {
        if (found[i] != 0) {
            return fail_difference(span.region, span.begin + i, 0, found[i], Finding::zeros_failed);
        }
    }
    return true;
}

// --- limits -----------------------------------------------------------------------------------------------

bool SelfTest::try_limits() noexcept {
    const Region region = here();
    if (!refused(region)) {
        return false;
    }
    const std::uint32_t last = last_unit(region);
    if (!compare({region, last, size(region)}, Pass::second, Finding::nothing) ||
        !compare_edges(region, Pass::second, Pass::second)) {
        return false;
    }
    cursor_ = size(region);
    return true;
}

bool SelfTest::refused(Region region) noexcept {
    const std::uint32_t end = size(region), last = last_unit(region), unit = end - last;
    const std::uint32_t granule = storage_.program_unit_bytes(region);
    const auto bytes = std::span{content_}.first(2 * granule);
    std::fill(bytes.begin(), bytes.end(), std::uint8_t{0xFF});  // spoils nothing where it is taken
    const std::uint32_t outside[] = {end, end - granule, 0U - 4 * unit, 0U - granule};
    for (const std::uint32_t offset : outside) {
        const auto out = std::span{piece_}.first(2 * granule);
        if (const Status status = storage_.read(region, offset, out); status != Status::out_of_range) {
            return fail(Finding::read_not_refused, region, offset, status);
        }
        if (const Status status = storage_.program(region, offset, bytes); status != Status::out_of_range) {
            return fail(Finding::program_not_refused, region, offset, status);
        }
    }
    if (granule > 1) {
        const Status status = storage_.program(region, last + 1, bytes.first(granule));
        if (status != Status::out_of_range) {
            return fail(Finding::program_not_refused, region, last + 1, status);
        }
    }
    const Span ranges[] = {{region, end, end + unit},
                           {region, last, end + unit},
                           {region, last + unit / 2, end},
                           {region, last, end - unit / 2},
                           {region, 0U - 4 * unit, 0U - 3 * unit},
                           {region, 0U - unit, unit}};
    for (const Span& range : ranges) {
        const Status status = storage_.erase(region, range.begin, range.end - range.begin);
        if (status != Status::out_of_range) {
            return fail(Finding::erase_not_refused, region, range.begin, status);
        }
    }
    return true;
}

// --- operations with their checks -------------------------------------------------------------------------

bool SelfTest::erase(const Span& span) noexcept {
    board_.feed_watchdog();
    const Status status = storage_.erase(span.region, span.begin, span.end - span.begin);
    board_.feed_watchdog();
    if (status != Status::ok) {
        return fail(Finding::erase_failed, span.region, span.begin, status);
    }
    return blank(span, Finding::erase_left_bytes);
}

bool SelfTest::blank(const Span& span, Finding otherwise) noexcept {
    for (std::uint32_t offset = span.begin; offset < span.end;) {
        const auto found = std::span{piece_}.first(std::min(span.end - offset, kPieceMax));
        if (!look(span.region, offset, found)) {
            return false;
        }
        for (std::uint32_t i = 0; i < found.size(); ++i) {
            if (found[i] != 0xFF) {
                (void)fail_difference(span.region, offset + i, 0xFF, found[i], otherwise);
                name_remains(span.region, offset + i);
                return false;
            }
        }
        offset += static_cast<std::uint32_t>(found.size());
    }
    return true;
}

bool SelfTest::program(Region region, std::uint32_t offset, std::span<const std::uint8_t> bytes,
                       Pass pass) noexcept {
    const Status status = storage_.program(region, offset, bytes);
    if (status == Status::ok) {
        return true;
    }
    // The driver has read back by itself: what is there tells more than that it differs.
    (void)fail(Finding::program_failed, region, offset);
    for (std::uint32_t done = 0; done < bytes.size(); done += kLookBytes) {
        const std::uint32_t rest = static_cast<std::uint32_t>(bytes.size()) - done;
        if (differs({region, offset + done, offset + done + std::min(rest, kLookBytes)}, pass)) {
            break;
        }
    }
    if (report_.finding == Finding::wrong_bytes || report_.finding == Finding::write_ignored) {
        report_.finding = Finding::program_failed;
    }
    report_.status = status;
    return false;
}

bool SelfTest::write_forward(const Span& span, Pass pass) noexcept {
    for (std::uint32_t offset = span.begin; offset < span.end;) {
        const std::uint32_t length = piece(span.region, span.end - offset);
        // Sources at odd addresses: a driver with DMA has to live with them.
        const auto bytes = std::span{content_}.subspan(random() % 4, length);
        pattern(span.region, offset, pass, bytes);
        if (!program(span.region, offset, bytes, pass)) {
            return false;
        }
        offset += length;
        board_.feed_watchdog();
    }
    return true;
}

bool SelfTest::write_backward(const Span& span, Pass pass) noexcept {
    for (std::uint32_t end = span.end; end > span.begin;) {
        const std::uint32_t length = piece(span.region, end - span.begin);
        const auto bytes = std::span{content_}.subspan(random() % 4, length);
        pattern(span.region, end - length, pass, bytes);
        if (!program(span.region, end - length, bytes, pass)) {
            return false;
        }
        end -= length;
        board_.feed_watchdog();
    }
    return true;
}

/// Into piece_ between two guards, at any alignment.
bool SelfTest::read(Region region, std::uint32_t offset, std::span<std::uint8_t> out) noexcept {
    constexpr std::uint8_t kGuardByte = 0xA7;
    const auto begin = static_cast<std::size_t>(out.data() - piece_.data());
    std::fill(piece_.begin(), piece_.end(), kGuardByte);
    if (const Status status = storage_.read(region, offset, out); status != Status::ok) {
        return fail(Finding::read_failed, region, offset, status);
    }
    for (std::size_t i = 0; i < piece_.size(); ++i) {
        if ((i < begin || i >= begin + out.size()) && piece_[i] != kGuardByte) {
            return fail(Finding::read_overran, region, offset);
        }
    }
    return true;
}

/// Without guards: where many small reads would cost too much.
bool SelfTest::look(Region region, std::uint32_t offset, std::span<std::uint8_t> out) noexcept {
    const Status status = storage_.read(region, offset, out);
    return status == Status::ok || fail(Finding::read_failed, region, offset, status);
}

bool SelfTest::compare(const Span& span, Pass pass, Finding otherwise) noexcept {
    for (std::uint32_t offset = span.begin; offset < span.end;) {
        const std::uint32_t length = std::min(1 + random() % kPieceMax, span.end - offset);
        const auto found = std::span{piece_}.subspan(kGuard - random() % 4, length);
        const auto wanted = std::span{content_}.first(length);
        if (!read(span.region, offset, found)) {
            return false;
        }
        pattern(span.region, offset, pass, wanted);
        for (std::uint32_t i = 0; i < length; ++i) {
            if (found[i] != wanted[i]) {
                (void)diagnose(span.region, offset + i, pass);
                // A cell that cannot hold its bit was not changed by anything.
                const bool told = otherwise == Finding::nothing || report_.finding == Finding::stuck_bit;
                return !told ? fail_difference(span.region, offset + i, wanted[i], found[i], otherwise)
                             : false;
            }
        }
        const bool mapped = span.region == Region::running && offset + length <= mapped_.size();
        if (mapped && !std::equal(wanted.begin(), wanted.end(), mapped_.begin() + offset)) {
            return fail(Finding::not_at_load_address, span.region, offset);
        }
        offset += length;
        board_.feed_watchdog();
    }
    return true;
}

}  // namespace mcuota::device
