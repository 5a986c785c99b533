#include "mcu_flasher/package/delta/alignment.hpp"

#include <algorithm>
#include <cstddef>

#include "mcu_flasher/package/delta/suffix_matcher.hpp"

namespace mcuota::delta {
namespace {

constexpr std::int32_t kNone = -1;
constexpr double kImpossible = 1e18;
/// Longer matches than this are not compared to their end: they are taken anyway.
constexpr std::size_t kSearchBytes = 4096;
constexpr std::size_t kNeighbourBytes = 256;
constexpr int kNeighbours = 12;
constexpr std::size_t kTracksMax = 256;
/// Images beyond a microcontroller's size are searched less thoroughly.
constexpr std::size_t kSearchedBytesMax = 2U << 20;
constexpr std::size_t kTracksMaxLarge = 8;

/// One stretch of a path: literals, or a copy along one offset (old position minus new position).
struct Stretch {
    std::uint32_t begin;
    std::int64_t offset;
    std::int32_t before;  ///< stretch that led here
    bool literal;
};

/// An offset worth following, and the cheapest path that is on it.
struct Track {
    std::int64_t offset;
    double cost;
    std::int32_t stretch;
    bool surprised;
    std::uint8_t difference;  ///< of the last surprise, 0 before the first
};

/// Shortest path, one new byte at a time. A track dearer than the best path plus a new cover can never win
/// again, so few are alive at any time.
class Aligner {
  public:
    Aligner(std::span<const std::uint8_t> old_image, std::span<const std::uint8_t> new_image,
            const AlignmentCosts& costs, std::span<const Cover> earlier)
        : old_(old_image),
          new_(new_image),
          costs_(costs),
          earlier_(earlier),
          matcher_(old_image),
          tracks_max_(std::max(old_image.size(), new_image.size()) > kSearchedBytesMax ? kTracksMaxLarge
                                                                                       : kTracksMax) {}

    std::vector<Cover> run() {
        stretches_.push_back({0, 0, kNone, true});
        for (std::uint32_t i = 0; i < new_.size(); ++i) {
            open_tracks(i);
            step(i);
        }
        return trimmed(collect());
    }

  private:
    void open_tracks(std::uint32_t i) {
        while (next_earlier_ < earlier_.size() && earlier_[next_earlier_].new_pos <= i) {
            const Cover& cover = earlier_[next_earlier_++];
            if (cover.new_pos == i) open(i, std::int64_t{cover.old_pos} - cover.new_pos);
        }
        if (i < quiet_until_) return;
        const auto rest = new_.subspan(i, std::min<std::size_t>(new_.size() - i, kSearchBytes));
        const SuffixMatcher::Match match = matcher_.longest(rest);
        if (match.length < costs_.match_bytes_min) return;
        open(i, std::int64_t{match.position} - i);
        open_neighbours(i, rest.first(std::min(rest.size(), kNeighbourBytes)), match);
        // Inside a long match nothing new is to be found for a while.
        if (match.length >= 64)
            quiet_until_ = i + (match.length > 1000 ? match.length - 8 : match.length / 2);
    }

    void open_neighbours(std::uint32_t i, std::span<const std::uint8_t> rest,
                         const SuffixMatcher::Match& match) {
        const std::uint32_t enough = std::max(costs_.match_bytes_min, std::min(match.length, 40U) * 3 / 4);
        for (const int direction : {-1, 1}) {
            std::int64_t rank = match.rank;
            for (int n = 0; n < kNeighbours; ++n) {
                rank += direction;
                if (rank < 0 || rank >= matcher_.size()) break;
                const std::uint32_t position = matcher_.at(static_cast<std::uint32_t>(rank));
                if (matcher_.common(position, rest) < enough) break;
                open(i, std::int64_t{position} - i);
            }
        }
    }

    void open(std::uint32_t i, std::int64_t offset) {
        const double cost = best_cost_ + costs_.new_cover;
        for (Track& track : tracks_) {
            if (track.offset != offset) continue;
            if (track.cost > cost) track = {offset, cost, begin_stretch(i, offset, false), false, 0};
            return;
        }
        tracks_.push_back({offset, cost, begin_stretch(i, offset, false), false, 0});
    }

    std::int32_t begin_stretch(std::uint32_t i, std::int64_t offset, bool literal) {
        stretches_.push_back({i, offset, best_stretch_, literal});
        return static_cast<std::int32_t>(stretches_.size() - 1);
    }

    void step(std::uint32_t i) {
        if (!best_is_literal_ && best_cost_ + costs_.begin_literals < literal_cost_) {
            literal_cost_ = best_cost_ + costs_.begin_literals;
            literal_stretch_ = begin_stretch(i, 0, true);
        }
        double best = kImpossible;
        std::int32_t best_stretch = kNone;
        for (Track& track : tracks_) {
            const std::int64_t o = i + track.offset;
            if (o < 0 || o >= static_cast<std::int64_t>(old_.size())) {
                track.cost = kImpossible;
                continue;
            }
            const auto difference = static_cast<std::uint8_t>(new_[i] - old_[static_cast<std::size_t>(o)]);
            const bool surprise = difference != 0;
            if (!surprise) {
                track.cost += costs_.as_expected;
            } else {
                const double fresh = track.surprised ? costs_.next_surprise : costs_.first_surprise;
                track.cost += difference == track.difference ? std::min(costs_.same_surprise, fresh) : fresh;
            }
            if (surprise) track.difference = difference;
            track.surprised = surprise;
            if (track.cost < best) {
                best = track.cost;
                best_stretch = track.stretch;
            }
        }
        literal_cost_ += costs_.literal;
        best_is_literal_ = literal_cost_ < best;
        best_cost_ = best_is_literal_ ? literal_cost_ : best;
        best_stretch_ = best_is_literal_ ? literal_stretch_ : best_stretch;
        std::erase_if(tracks_,
                      [&](const Track& track) { return track.cost > best_cost_ + costs_.new_cover; });
        // In uniform data every offset is as good as another: only so many are followed.
        if (tracks_.size() > 2 * tracks_max_) {
            std::stable_sort(tracks_.begin(), tracks_.end(),
                             [](const Track& a, const Track& b) { return a.cost < b.cost; });
            tracks_.resize(tracks_max_);
        }
    }

    std::vector<Cover> collect() const {
        std::vector<Cover> covers;
        auto end = static_cast<std::uint32_t>(new_.size());
        for (std::int32_t at = best_stretch_; at != kNone;
             at = stretches_[static_cast<std::size_t>(at)].before) {
            const Stretch& stretch = stretches_[static_cast<std::size_t>(at)];
            if (!stretch.literal && end > stretch.begin)
                covers.push_back({static_cast<std::uint32_t>(stretch.begin + stretch.offset), stretch.begin,
                                  end - stretch.begin});
            end = stretch.begin;
        }
        std::reverse(covers.begin(), covers.end());
        return covers;
    }

    /// Surprises at the ends of a cover are cheaper as literals; covers that then touch on one offset become
    /// one.
    std::vector<Cover> trimmed(const std::vector<Cover>& covers) const {
        std::vector<Cover> out;
        for (Cover cover : covers) {
            while (cover.length > 0 && old_[cover.old_pos] != new_[cover.new_pos])
                cover = {cover.old_pos + 1, cover.new_pos + 1, cover.length - 1};
            while (cover.length > 0 &&
                   old_[cover.old_pos + cover.length - 1] != new_[cover.new_pos + cover.length - 1])
                --cover.length;
            if (cover.length == 0) continue;
            if (!out.empty()) {
                Cover& last = out.back();
                if (last.new_pos + last.length == cover.new_pos &&
                    last.old_pos + last.length == cover.old_pos) {
                    last.length += cover.length;
                    continue;
                }
            }
            out.push_back(cover);
        }
        return out;
    }

    std::span<const std::uint8_t> old_, new_;
    const AlignmentCosts& costs_;
    std::span<const Cover> earlier_;
    std::size_t next_earlier_{0};
    SuffixMatcher matcher_;
    std::vector<Stretch> stretches_;
    std::vector<Track> tracks_;
    std::size_t tracks_max_;
    std::uint32_t quiet_until_{0};
    double literal_cost_{0}, best_cost_{0};
    std::int32_t literal_stretch_{0}, best_stretch_{0};
    bool best_is_literal_{true};
};

}  // namespace

std::vector<Cover> align(std::span<const std::uint8_t> old_image, std::span<const std::uint8_t> new_image,
                         const AlignmentCosts& costs, std::span<const Cover> earlier) {
    return Aligner(old_image, new_image, costs, earlier).run();
}

}  // namespace mcuota::delta
