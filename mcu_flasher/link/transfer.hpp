#pragma once
// Carrying an envelope into a device: the offer and the proof of what is held, the sliding window with
// selective retransmission, the final check.

#include <cstdint>
#include <span>
#include <vector>

#include "mcu_flasher/link/ask.hpp"

namespace mcuota::flasher {

struct TransferOptions {
    std::uint32_t answer_timeout_ms{1'000};
    /// For OFFER and FINISH, besides kReadingMsPerKib: devices read and hash what they hold then.
    std::uint32_t patience_ms{10'000};
    std::uint32_t lost_after_ms{4'000};  ///< DATA without any word of the device: say hello again
};

/// What a slow memory (or a virtual board on a busy machine) may take to read and hash a kibibyte.
constexpr std::uint32_t kReadingMsPerKib = 20;

struct TransferStats {
    std::uint64_t bytes_total{0};
    std::uint64_t bytes_acknowledged{0};  ///< held from before included
    std::uint64_t resumed_from{0};
    std::uint64_t frames_sent{0};
    std::uint64_t frames_resent{0};
};

/// `envelope` must outlive the machine. The session must be open.
class TransferMachine final : public Machine {
  public:
    enum class Stage : std::uint8_t { offering, sending, finishing };

    TransferMachine(std::span<const std::uint8_t> envelope, const Sha256Digest& package_id,
                    TransferOptions options);
    void start(Channel& channel, Micros now) override;
    void on_frame(Channel& channel, const link::Frame& frame, Micros now) override;
    void on_time(Channel& channel, Micros now) override;
    [[nodiscard]] Micros deadline() const override;
    [[nodiscard]] Stage stage() const noexcept { return stage_; }
    [[nodiscard]] const TransferStats& stats() const noexcept { return stats_; }

  private:
    struct Chunk {
        bool acknowledged{false};
        bool lost{false};        ///< to be sent again
        bool probed{false};      ///< its latest sending only asked for a word of the device
        std::uint64_t order{0};  ///< place of its latest sending among all sendings; 0: never sent
    };

    void offer(Channel& channel, bool restart, Micros now);
    [[nodiscard]] std::uint32_t reading_patience_ms() const noexcept;
    void settle(Channel& channel, Micros now);
    void on_held(Channel& channel, const link::Held& held, Micros now);
    void on_ack(Channel& channel, const link::Ack& ack, Micros now);
    /// What one acknowledgement told.
    struct News {
        std::uint64_t newest{0};  ///< latest sending among the chunks acknowledged now
        bool probed{false};       ///< a probe is among them
        bool others{false};       ///< chunks that were not probed are among them
    };
    void mark(std::uint32_t chunk, News& news);
    void find_lost(const News& news);
    void finish(Channel& channel, Micros now);
    void pump(Channel& channel, Micros now);
    void send_chunk(Channel& channel, std::uint32_t chunk, Micros now);
    [[nodiscard]] std::uint32_t in_flight() const noexcept;
    [[nodiscard]] std::span<const std::uint8_t> bytes_of(std::uint32_t chunk) const noexcept;

    std::span<const std::uint8_t> envelope_;
    Sha256Digest package_id_;
    TransferOptions options_;
    Stage stage_{Stage::offering};
    bool restarted_{false};
    Ask ask_;

    std::uint32_t chunk_bytes_{link::kChunkBytes};
    std::vector<Chunk> chunks_;
    std::uint32_t oldest_{0};  ///< first chunk not acknowledged
    std::uint32_t fresh_{0};   ///< first chunk never sent
    std::uint32_t limit_{0};
    std::uint32_t lost_count_{0};
    std::uint64_t order_{0};
    std::uint64_t probed_at_{0};  ///< place of the latest probe
    Micros pace_at_{kNever};      ///< when the line has room for the next frame
    Micros retry_at_{kNever};     ///< when silence means that something was lost
    Micros retry_wait_{0};
    Micros retry_wait_least_{0};  ///< grows with a device that is slow to answer
    Micros quiet_{0};             ///< waited in vain since the last word of the device
    TransferStats stats_;
};

}  // namespace mcuota::flasher
