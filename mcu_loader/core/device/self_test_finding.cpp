// The self test's patterns, and what a difference from them means.
#include <algorithm>
#include <functional>
#include <numeric>

#include "mcu_loader/core/device/self_test.hpp"
#include "mcu_loader/core/little_endian.hpp"

namespace mcuota::device {
namespace {

/// What the other checks stand on at both ends of a region.
constexpr std::uint32_t kHalfBytesMin = 16 * 1024;
constexpr std::uint32_t kPagesMin = 16, kPagesMax = 512;

/// Fewer bytes in a row that differ are no page's worth.
constexpr std::size_t kWrappedBytesMin = 4;

/// Every bit of the answer hangs on every bit of the question (the finalizer of MurmurHash3).
constexpr std::uint32_t mix(std::uint32_t value) noexcept {
    value = (value ^ (value >> 16)) * 0x85EB'CA6BU;
    value = (value ^ (value >> 13)) * 0xC2B2'AE35U;
    return value ^ (value >> 16);
}

}  // namespace

/// No two words of all regions are alike, but by chance.
std::uint32_t SelfTest::word_at(Region region, std::uint32_t index) const noexcept {
    return mix(index ^ mix(seed_ + (static_cast<std::uint32_t>(region) << 28)));
}

void SelfTest::pattern(Region region, std::uint32_t offset, Pass pass,
                       std::span<std::uint8_t> out) const noexcept {
    const std::uint32_t flip = pass == Pass::first ? 0 : ~std::uint32_t{0};
    std::uint32_t word = word_at(region, offset / 4) ^ flip;
    for (std::uint8_t& byte : out) {
        byte = static_cast<std::uint8_t>(word >> (8 * (offset % 4)));
        if (++offset % 4 == 0) {
            word = word_at(region, offset / 4) ^ flip;
        }
    }
}

/// Xorshift.
std::uint32_t SelfTest::random() noexcept {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 17;
    random_ ^= random_ << 5;
    return random_;
}

/// Length of the next piece: mostly short ones beside long ones, whole granules, at most `most`.
std::uint32_t SelfTest::piece(Region region, std::uint32_t most) noexcept {
    static constexpr std::array<std::uint32_t, 4> kLongest{16, 256, kPieceMax, kPieceMax};
    const std::uint32_t granule = storage_.program_unit_bytes(region);
    const std::uint32_t wanted = 1 + random() % kLongest[random() % kLongest.size()];
    return std::min((wanted + granule - 1) / granule * granule, most);
}

std::uint32_t SelfTest::border(Region region, std::uint32_t from, std::uint32_t at_least) const noexcept {
    while (from < at_least) {
        from += storage_.erase_unit_bytes(region, from);
    }
    return from;
}

std::uint32_t SelfTest::last_unit(Region region) const noexcept {
    const std::uint32_t end = size(region);
    return end - storage_.erase_unit_bytes(region, end - 1);
}

std::uint32_t SelfTest::head_end(Region region) const noexcept {
    const std::uint32_t half = std::max(bytes_ / 2, kHalfBytesMin);
    const bool all = bytes_ == 0 || region == Region::flag_a || region == Region::flag_b ||
                     2 * std::uint64_t{half} >= size(region);
    return all ? size(region) : border(region, 0, half);
}

std::uint32_t SelfTest::tail_begin(Region region) const noexcept {
    const std::uint32_t head = head_end(region);
    if (head >= size(region)) {
        return size(region);
    }
    const std::uint32_t half = std::max(bytes_ / 2, kHalfBytesMin);
    return std::max(head, std::min(border(region, head, size(region) - half), last_unit(region)));
}

bool SelfTest::fail(Finding finding, Region region, std::uint32_t offset, Status status) noexcept {
    report_.finding = finding;
    report_.region = static_cast<std::uint8_t>(region);
    report_.offset = offset;
    report_.status = status;
    return false;
}

bool SelfTest::fail_difference(Region region, std::uint32_t offset, std::uint8_t expected, std::uint8_t found,
                               Finding finding) noexcept {
    report_.expected = expected;
    report_.found = found;
    return fail(finding, region, offset);
}

bool SelfTest::differs(const Span& span, Pass pass) noexcept {
    std::array<std::uint8_t, kLookBytes> found_bytes, wanted_bytes;
    const std::size_t length = span.end - span.begin;
    const auto found = std::span{found_bytes}.first(length), wanted = std::span{wanted_bytes}.first(length);
    if (!look(span.region, span.begin, found)) {
        return true;
    }
    pattern(span.region, span.begin, pass, wanted);
    const auto different = std::mismatch(found.begin(), found.end(), wanted.begin());
    const auto at = static_cast<std::size_t>(different.first - found.begin());
    if (at == length) {
        return false;
    }
    fail_difference(span.region, span.begin + static_cast<std::uint32_t>(at), wanted[at], found[at],
                    Finding::wrong_bytes);
    name_difference(span, pass, found, wanted);
    return true;
}

/// For a place that was just read wrong. Always false: when it reads right now, that is a finding, too.
bool SelfTest::diagnose(Region region, std::uint32_t offset, Pass pass) noexcept {
    const std::uint32_t length = std::min(kLookBytes, size(region) - offset);
    return !differs({region, offset, offset + length}, pass) &&
           fail(Finding::wrong_bytes, region, offset);  // expected and found are alike: unsteady
}

/// Makes of wrong_bytes what it is a case of.
void SelfTest::name_difference(const Span& span, Pass pass, std::span<const std::uint8_t> found,
                               std::span<const std::uint8_t> wanted) noexcept {
    std::array<std::uint8_t, kLookBytes> other_bytes;
    const auto other = std::span{other_bytes}.first(found.size());
    if (std::all_of(found.begin(), found.end(), [](std::uint8_t byte) { return byte == 0xFF; })) {
        report_.finding = Finding::write_ignored;
        find_arrival(span, wanted);
        return;
    }
    const auto is_other = [&] { return std::equal(found.begin(), found.end(), other.begin()); };
    pattern(span.region, span.begin, pass == Pass::first ? Pass::second : Pass::first, other);
    if (is_other()) {
        report_.finding = Finding::old_content;
        return;
    }
    for (std::uint32_t page = kPagesMin; page <= kPagesMax; page *= 2) {
        if (wrapped(span, pass, page, found, wanted)) {
            report_.finding = Finding::page_wrap;
            report_.other_offset = page;
            return;
        }
    }
    unsigned bits = 0, high = 0, low = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
        const unsigned wrong = found[i] ^ wanted[i];
        bits |= wrong;
        high |= wrong & found[i];
        low |= wrong & wanted[i];
    }
    if ((bits & (bits - 1)) == 0 && (high & low) == 0) {
        report_.finding = Finding::stuck_bit;
        while ((bits >>= 1) != 0) {
            ++report_.other_offset;
        }
        return;
    }
    Region home{};
    std::uint32_t home_offset = 0;
    if (find_home(found, wanted, home, home_offset)) {
        report_.finding = Finding::displaced;
        report_.other_region = static_cast<std::uint8_t>(home);
        report_.other_offset = home_offset;
    }
}

/// A write that did not arrive: did it arrive in another region?
void SelfTest::find_arrival(const Span& span, std::span<const std::uint8_t> wanted) noexcept {
    std::array<std::uint8_t, kLookBytes> found_bytes;
    const auto found = std::span{found_bytes}.first(wanted.size());
    for (std::uint8_t i = 0; i < kRegionCount; ++i) {
        const auto other = static_cast<Region>(i);
        if (other != span.region && span.end <= size(other) &&
            storage_.read(other, span.begin, found) == Status::ok &&
            std::equal(found.begin(), found.end(), wanted.begin())) {
            report_.finding = Finding::arrived_elsewhere;
            report_.other_region = i;
            report_.other_offset = span.begin;
        }
    }
}

/// Whether bytes from behind the end of a page were written over its beginning: in place of what belongs
/// there, or, as flash is, only its zeros. A long piece may come around more than once.
bool SelfTest::wrapped(const Span& span, Pass pass, std::uint32_t page, std::span<const std::uint8_t> found,
                       std::span<const std::uint8_t> wanted) const noexcept {
    std::array<std::uint8_t, kLookBytes> other_bytes, over_bytes;
    const auto other = std::span{other_bytes}.first(found.size());
    const auto over = std::span{over_bytes}.first(found.size());
    std::copy(wanted.begin(), wanted.end(), over.begin());
    const auto alike = std::inner_product(found.begin(), found.end(), wanted.begin(), 0U, std::plus<>{},
                                          [](std::uint8_t a, std::uint8_t b) { return a == b ? 1U : 0U; });
    if (alike + kWrappedBytesMin > found.size()) {
        return false;
    }
    std::uint32_t explained = 0;
    for (std::uint32_t ahead = page; ahead <= kPieceMax && span.end + ahead <= size(span.region);
         ahead += page) {
        pattern(span.region, span.begin + ahead, pass, other);
        for (std::size_t i = 0; i < found.size(); ++i) {
            over[i] &= other[i];
            if (found[i] == wanted[i] || found[i] == over[i] || found[i] == other[i]) {
                explained |= 1U << i;
            }
        }
        // Small pages come around so often that anything would be explained.
        if (ahead >= 4 * page) {
            break;
        }
    }
    return explained == (1U << found.size()) - 1;
}

/// Erased, but not blank: another region's content tells where the erase did not, or the read did, go.
void SelfTest::name_remains(Region region, std::uint32_t offset) noexcept {
    std::array<std::uint8_t, kLookBytes> found_bytes, blank_bytes;
    const auto found = std::span{found_bytes}.first(std::min(kLookBytes, size(region) - offset));
    const auto blank = std::span{blank_bytes}.first(found.size());
    std::fill(blank.begin(), blank.end(), std::uint8_t{0xFF});
    Region home{};
    std::uint32_t home_offset = 0;
    if (storage_.read(region, offset, found) == Status::ok && find_home(found, blank, home, home_offset) &&
        home != region) {
        report_.finding = Finding::displaced;
        report_.other_region = static_cast<std::uint8_t>(home);
        report_.other_offset = home_offset;
    }
}

/// Where in all regions two words of `found` belong, or what was programmed there over `wanted`. Takes about
/// a second.
bool SelfTest::find_home(std::span<const std::uint8_t> found, std::span<const std::uint8_t> wanted,
                         Region& region, std::uint32_t& offset) noexcept {
    for (std::uint32_t shift = 0; shift < 4 && shift + 8 <= found.size(); ++shift) {
        const std::uint32_t first = load_u32(found.data() + shift);
        const std::uint32_t second = load_u32(found.data() + shift + 4);
        const std::uint32_t first_wanted = load_u32(wanted.data() + shift);
        const std::uint32_t second_wanted = load_u32(wanted.data() + shift + 4);
        for (std::uint8_t i = 0; i < kRegionCount; ++i) {
            const auto candidate = static_cast<Region>(i);
            for (std::uint32_t index = shift == 0 ? 0 : 1; index < size(candidate) / 4; ++index) {
                if (index % 65'536 == 0) {
                    board_.feed_watchdog();
                }
                for (const std::uint32_t flip : {0U, ~0U}) {
                    const std::uint32_t word = word_at(candidate, index) ^ flip;
                    const std::uint32_t next = word_at(candidate, index + 1) ^ flip;
                    if ((word == first && next == second) ||
                        ((word & first_wanted) == first && (next & second_wanted) == second)) {
                        region = candidate;
                        offset = index * 4 - shift;
                        return true;
                    }
                }
            }
        }
    }
    return false;
}

}  // namespace mcuota::device
