// Carrying an envelope into a device.
#include "mcu_flasher/link/transfer.hpp"

#include <algorithm>
#include <array>

#include "mcu_loader/core/sha256.hpp"

namespace mcuota::flasher {

namespace {
constexpr Micros kRetryWait =
    500 * kMicrosPerMs;  // above the longest pause of a busy device: an erase of 64 KiB
constexpr Micros kRetryWaitMax = 2'000 * kMicrosPerMs;
// How far the line may be filled ahead: two frames, or what hides a late wake-up of this process.
constexpr Micros kLead = 40 * kMicrosPerMs;
constexpr std::size_t kLeadFrames = 2;
constexpr std::uint32_t kFinishFirstWaitMs = 3'000;
}  // namespace

TransferMachine::TransferMachine(std::span<const std::uint8_t> envelope, const Sha256Digest& package_id,
                                 TransferOptions options)
    : envelope_(envelope), package_id_(package_id), options_(options) {
    stats_.bytes_total = envelope.size();
}

void TransferMachine::start(Channel& channel, Micros now) {
    chunk_bytes_ = channel.session().chunk_bytes;
    offer(channel, false, now);
}

void TransferMachine::offer(Channel& channel, bool restart, Micros now) {
    link::Offer offer;
    offer.envelope_bytes = static_cast<std::uint32_t>(envelope_.size());
    offer.package_id = package_id_;
    std::copy_n(envelope_.begin(), std::min(envelope_.size(), offer.head.size()), offer.head.begin());
    offer.restart = restart;
    std::array<std::uint8_t, 96> body{};
    const std::size_t size = link::encode(offer, body);
    stage_ = Stage::offering;
    restarted_ = restart;
    const Patience patience{options_.answer_timeout_ms, 4 * options_.answer_timeout_ms,
                            reading_patience_ms()};
    ask_.begin(channel, link::Type::offer, channel.session().number,
               {body.begin(), body.begin() + static_cast<std::ptrdiff_t>(size)}, patience, now);
}

std::uint32_t TransferMachine::reading_patience_ms() const noexcept {
    return options_.patience_ms + static_cast<std::uint32_t>(envelope_.size() / 1'024) * kReadingMsPerKib;
}

Micros TransferMachine::deadline() const {
    return stage_ == Stage::sending ? std::min(pace_at_, retry_at_) : ask_.deadline();
}

void TransferMachine::on_frame(Channel& channel, const link::Frame& frame, Micros now) {
    const link::FrameHeader& header = frame.header;
    if (header.type == link::wire(link::Type::boot)) {
        channel.drop_session();
        return fail({Failure::Kind::session_lost});
    }
    if (header.session != channel.session().number) return;
    quiet_ = 0;
    if (stage_ != Stage::sending) {
        if (ask_.on_frame(frame)) settle(channel, now);
        return;
    }
    if (header.type == link::wire(link::Type::ack)) {
        link::Ack ack;
        if (link::decode(frame.body, ack)) on_ack(channel, ack, now);
        return;
    }
    link::Refusal refusal;
    if (header.type != link::wire(link::Type::refused) || !link::decode(frame.body, refusal) ||
        refusal.type != link::wire(link::Type::data))
        return;
    // Without a session, or an offer of this session, a new hello and a new offer go on where the device
    // stands.
    if (refusal.status == Status::no_session || refusal.status == Status::wrong_state)
        return fail({Failure::Kind::session_lost});
    fail({Failure::Kind::refused, refusal.status, std::string(refusal.detail)});
}

void TransferMachine::on_time(Channel& channel, Micros now) {
    if (stage_ != Stage::sending) {
        ask_.on_time(channel, now);
        return settle(channel, now);
    }
    if (now >= retry_at_) {
        quiet_ += retry_wait_;
        if (quiet_ >= options_.lost_after_ms * kMicrosPerMs) return fail({Failure::Kind::session_lost});
        // Nothing tells what is missing: the oldest one again, and the answer will. With all acknowledged and
        // the window closed, the word of its opening got lost: the last one again for that.
        const std::uint32_t chunk = oldest_ < fresh_ || oldest_ == 0 ? oldest_ : oldest_ - 1;
        if (!chunks_[chunk].lost) {
            chunks_[chunk].lost = true;
            chunks_[chunk].probed = true;
            ++lost_count_;
        }
        retry_wait_ = std::min(2 * retry_wait_, kRetryWaitMax);
        retry_at_ = now + retry_wait_;
    }
    pump(channel, now);
}

void TransferMachine::settle(Channel& channel, Micros now) {
    if (ask_.state() == Ask::State::asking) return;
    if (ask_.state() != Ask::State::answered) return fail(ask_.failure());
    if (stage_ == Stage::finishing) return end_well();
    link::Held held;
    if (!link::decode(ask_.answer(), held)) return fail({Failure::Kind::nonsense});
    on_held(channel, held, now);
}

void TransferMachine::on_held(Channel& channel, const link::Held& held, Micros now) {
    const bool fits = held.held_bytes <= envelope_.size() &&
                      (held.held_bytes == 0 || sha256(envelope_.first(held.held_bytes)) == held.held_sha256);
    if (!fits) {
        if (restarted_) return fail({Failure::Kind::nonsense});
        return offer(channel, true, now);  // the device holds other bytes under this name
    }
    const std::size_t total = (envelope_.size() + chunk_bytes_ - 1) / chunk_bytes_;
    const bool all = held.held_bytes == envelope_.size();
    chunks_.assign(total, Chunk{});
    oldest_ = static_cast<std::uint32_t>(all ? total : held.held_bytes / chunk_bytes_);
    fresh_ = oldest_;
    for (std::uint32_t i = 0; i < oldest_; ++i)
        chunks_[i].acknowledged = true;
    limit_ =
        static_cast<std::uint32_t>(std::min<std::size_t>(total, oldest_ + channel.session().window_frames));
    stats_.resumed_from = held.held_bytes;
    stats_.bytes_acknowledged = held.held_bytes;
    if (oldest_ == total) return finish(channel, now);
    stage_ = Stage::sending;
    retry_wait_ = retry_wait_least_ = kRetryWait;
    pump(channel, now);
}

void TransferMachine::finish(Channel& channel, Micros now) {
    stage_ = Stage::finishing;
    const Patience patience{std::max(kFinishFirstWaitMs, options_.answer_timeout_ms), 2 * kFinishFirstWaitMs,
                            std::max(reading_patience_ms(), 2 * kFinishFirstWaitMs)};
    ask_.begin(channel, link::Type::finish, channel.session().number, {}, patience, now);
}

void TransferMachine::mark(std::uint32_t chunk, News& news) {
    if (chunk >= fresh_) return;  // nobody can have what was never sent
    Chunk& c = chunks_[chunk];
    if (c.acknowledged) return;
    c.acknowledged = true;
    if (c.lost) --lost_count_;
    c.lost = false;
    news.newest = std::max(news.newest, c.order);
    (c.probed ? news.probed : news.others) = true;
    stats_.bytes_acknowledged += bytes_of(chunk).size();
}

void TransferMachine::on_ack(Channel& channel, const link::Ack& ack, Micros now) {
    if (ack.next > fresh_ || ack.limit > chunks_.size()) return;  // no answer to what was sent
    News news;
    for (std::uint32_t chunk = oldest_; chunk < ack.next; ++chunk)
        mark(chunk, news);
    for (std::uint32_t bit = 0; bit < 32; ++bit)
        if ((ack.bitmap >> bit & 1U) != 0) mark(ack.next + 1 + bit, news);
    while (oldest_ < chunks_.size() && chunks_[oldest_].acknowledged)
        ++oldest_;
    limit_ = std::max(limit_, ack.limit);

    find_lost(news);
    channel.line_has_at_most(in_flight() * link::kWireBytesMax, now);
    retry_wait_ = retry_wait_least_;
    if (oldest_ == chunks_.size()) return finish(channel, now);
    pump(channel, now);
}

void TransferMachine::find_lost(const News& news) {
    // A wire keeps the order: whatever was sent before something that arrived, and did not arrive, is lost. A
    // probe keeps the place of its first sending, for which of its two sendings arrived nobody knows. When
    // more than the probe is acknowledged, the device was only slow; when it alone is, the line was idle and
    // the rest in flight is gone.
    std::uint64_t before = news.newest;
    if (news.probed && news.others) retry_wait_least_ = std::min(2 * retry_wait_least_, kRetryWaitMax);
    if (news.probed && !news.others) before = probed_at_;
    for (std::uint32_t chunk = oldest_; chunk < fresh_; ++chunk) {
        Chunk& c = chunks_[chunk];
        if (c.acknowledged || c.lost || c.order >= before) continue;
        c.lost = true;
        c.probed = false;
        ++lost_count_;
    }
}

std::uint32_t TransferMachine::in_flight() const noexcept {
    std::uint32_t count = 0;
    for (std::uint32_t chunk = oldest_; chunk < fresh_; ++chunk)
        if (!chunks_[chunk].acknowledged && !chunks_[chunk].lost) ++count;
    return count;
}

void TransferMachine::pump(Channel& channel, Micros now) {
    const Micros lead = std::max(kLead, channel.time_of(kLeadFrames * link::kWireBytesMax));
    pace_at_ = kNever;
    while (lost_count_ != 0 || fresh_ < limit_) {
        if (channel.line_free_at() > now + lead) {
            pace_at_ = channel.line_free_at() - lead;
            break;
        }
        std::uint32_t chunk = fresh_;
        if (lost_count_ != 0) {
            chunk = oldest_ == 0 ? 0 : oldest_ - 1;  // on_time() may repeat the last acknowledged one
            while (!chunks_[chunk].lost)
                ++chunk;
        }
        send_chunk(channel, chunk, now);
    }
    retry_at_ = std::max(channel.line_free_at(), now) + retry_wait_;
}

void TransferMachine::send_chunk(Channel& channel, std::uint32_t chunk, Micros now) {
    Chunk& c = chunks_[chunk];
    if (c.order != 0) ++stats_.frames_resent;
    if (c.lost) --lost_count_;
    c.lost = false;
    if (c.probed) {
        probed_at_ = ++order_;
    } else {
        c.order = ++order_;
    }
    if (chunk == fresh_) ++fresh_;
    ++stats_.frames_sent;
    channel.send(link::Type::data, channel.session().number, chunk, bytes_of(chunk), now);
}

std::span<const std::uint8_t> TransferMachine::bytes_of(std::uint32_t chunk) const noexcept {
    const std::size_t begin = static_cast<std::size_t>(chunk) * chunk_bytes_;
    return envelope_.subspan(begin, std::min<std::size_t>(chunk_bytes_, envelope_.size() - begin));
}

}  // namespace mcuota::flasher
