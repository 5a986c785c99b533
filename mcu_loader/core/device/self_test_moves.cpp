// The self test's moves between regions, as an installation makes them: back up, recover, patch.
#include <algorithm>

#include "mcu_loader/core/device/self_test.hpp"

namespace mcuota::device {
namespace {

constexpr std::uint32_t kStepBytes = 64 * 1024;
/// What the installer moves at a time.
constexpr std::uint32_t kMoveBytes = 512;

}  // namespace

/// The running region, which holds the second content, to each bank. region_ counts banks.
bool SelfTest::back_up() noexcept {
    const std::uint32_t bank = bank_offset(storage_, region_ == 0 ? Bank::first : Bank::second);
    const std::uint32_t image = size(Region::running);
    const std::uint32_t begin = bank + cursor_;
    const std::uint32_t most = std::min(cursor_ + kStepBytes, part_end(Region::running, cursor_));
    const std::uint32_t end = border(Region::backup, begin, bank + most);
    const std::uint32_t last = std::min(end - bank, part_end(Region::running, cursor_));
    if (!erase({Region::backup, begin, end})) {
        return false;
    }
    for (std::uint32_t offset = cursor_; offset < last;) {
        const auto bytes = std::span{piece_}.first(std::min(kMoveBytes, last - offset));
        if (!look(Region::running, offset, bytes)) {
            return false;
        }
        if (const Status status = storage_.program(Region::backup, bank + offset, bytes);
            status != Status::ok) {
            return fail(Finding::program_failed, Region::backup, bank + offset, status);
        }
        offset += static_cast<std::uint32_t>(bytes.size());
        board_.feed_watchdog();
    }
    for (std::uint32_t offset = cursor_; offset < last;) {
        const auto found = std::span{piece_}.first(piece(Region::backup, last - offset));
        const auto wanted = std::span{content_}.first(found.size());
        pattern(Region::running, offset, Pass::second, wanted);
        if (!look(Region::backup, bank + offset, found)) {
            return false;
        }
        const auto different = std::mismatch(found.begin(), found.end(), wanted.begin());
        if (different.first != found.end()) {
            const auto at = static_cast<std::uint32_t>(different.first - found.begin());
            return fail_difference(Region::backup, bank + offset + at, *different.second, *different.first,
                                   Finding::copy_differs);
        }
        offset += static_cast<std::uint32_t>(found.size());
    }
    go_on(Region::running, last);
    if (cursor_ >= image) {
        cursor_ = 0;
        if (++region_ == (has_two_banks(storage_) ? 2 : 1)) {
            next_check();
        }
    }
    return true;
}

/// Unit by unit from the first bank.
bool SelfTest::recover() noexcept {
    const Span unit{Region::running, cursor_, border(Region::running, cursor_, cursor_ + 1)};
    if (!erase(unit)) {
        return false;
    }
    for (std::uint32_t offset = unit.begin; offset < unit.end;) {
        const auto bytes = std::span{piece_}.first(std::min(kMoveBytes, unit.end - offset));
        if (!look(Region::backup, offset, bytes)) {
            return false;
        }
        if (const Status status = storage_.program(Region::running, offset, bytes); status != Status::ok) {
            return fail(Finding::program_failed, Region::running, offset, status);
        }
        offset += static_cast<std::uint32_t>(bytes.size());
        board_.feed_watchdog();
    }
    if (!compare(unit, Pass::second, Finding::copy_differs)) {
        return false;
    }
    go_on(Region::running, unit.end);
    if (cursor_ >= size(Region::running)) {
        next_check();
    }
    return true;
}

/// Where the bytes of the patched image at `offset` come from: the backup three bytes on, as when code was
/// inserted, or the download.
SelfTest::Span SelfTest::patch_source(const Span& unit, std::uint32_t offset) const noexcept {
    const std::uint32_t length = std::min(kMoveBytes, unit.end - offset);
    const bool old = (word_at(Region::download, offset / kMoveBytes) & 1U) != 0;
    const std::uint32_t from =
        old ? std::min(offset + 3, unit.end - length) : offset % (head_end(Region::download) - length + 1);
    return {old ? Region::backup : Region::download, from, from + length};
}

bool SelfTest::patch_unit(const Span& unit) noexcept {
    if (!erase(unit)) {
        return false;
    }
    for (std::uint32_t offset = unit.begin; offset < unit.end; offset += kMoveBytes) {
        const Span source = patch_source(unit, offset);
        const auto bytes = std::span{piece_}.first(source.end - source.begin);
        if (!look(source.region, source.begin, bytes)) {
            return false;
        }
        if (const Status status = storage_.program(Region::running, offset, bytes); status != Status::ok) {
            return fail(Finding::program_failed, Region::running, offset, status);
        }
        board_.feed_watchdog();
    }
    for (std::uint32_t offset = unit.begin; offset < unit.end; offset += kMoveBytes) {
        const Span source = patch_source(unit, offset);
        const auto wanted = std::span{content_}.first(source.end - source.begin);
        const auto found = std::span{piece_}.first(wanted.size());
        // The backup holds what the running region held.
        pattern(source.region == Region::backup ? Region::running : source.region, source.begin, Pass::second,
                wanted);
        if (!look(Region::running, offset, found)) {
            return false;
        }
        const auto different = std::mismatch(found.begin(), found.end(), wanted.begin());
        if (different.first != found.end()) {
            const auto at = static_cast<std::uint32_t>(different.first - found.begin());
            return fail_difference(Region::running, offset + at, *different.second, *different.first,
                                   Finding::copy_differs);
        }
    }
    return true;
}

/// The first and the last unit.
bool SelfTest::patch() noexcept {
    const Span unit{Region::running, cursor_, border(Region::running, cursor_, cursor_ + 1)};
    if (!patch_unit(unit)) {
        return false;
    }
    const std::uint32_t last = last_unit(Region::running);
    if (unit.begin == last) {
        next_check();
    } else {
        cursor_ = last;
    }
    return true;
}

}  // namespace mcuota::device
