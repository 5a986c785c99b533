// The agent: the loader's drivers and staging inside an application.
#include "mcu_loader/agent/agent.hpp"

#include <array>
#include <optional>

#include "mcu_loader/core/device/backup_ahead.hpp"
#include "mcu_loader/core/device/backup_watch.hpp"
#include "mcu_loader/core/device/device_target.hpp"
#include "mcu_loader/core/link/link_server.hpp"
#include "mcu_loader/port/stm32f429/board.hpp"
#include "mcu_loader/port/stm32f429/loader_info.hpp"
#include "mcu_loader/port/stm32f429/mailbox.hpp"
#include "mcu_loader/port/stm32f429/product.hpp"
#include "mcu_loader/port/stm32f429/storage.hpp"
#include "mcu_loader/port/stm32f429/uart_line.hpp"

namespace mcuota::agent {
namespace {

namespace port = stm32f429;

constexpr std::size_t kWindowChunks = 16;
constexpr std::size_t kRingBytes = 24 * 1024;
/// Silence of the gateway before the next backup is worked on.
constexpr std::uint32_t kQuietMs = 500;

/// The agent's facts: the product's, with what the loader in the flash below says of itself.
device::Product agent_product() noexcept {
    device::Product product = port::kProduct;
    product.agent_version = MCUOTA_AGENT_VERSION;
    if (const port::LoaderInfo* loader = port::loader_info()) {
        product.loader_version = loader->version.data();
        product.decoder_memory_bytes = loader->decoder_memory_bytes;
        product.payload_kinds = loader->payload_kinds;
    }
    return product;
}

/// The board of the loader, plus the application's wish to be warned of a reset.
class AgentBoard final : public device::Board {
  public:
    AgentBoard(const Config& config, std::uint32_t jedec_id) noexcept
        : board_{{config.now_ms, config.feed_watchdog},
                 port::mailbox_read().reset_cause,
                 jedec_id,
                 config.pclk2_hz},
          before_reset_{config.before_reset} {}
    [[nodiscard]] std::uint32_t now_ms() noexcept override { return board_.now_ms(); }
    void feed_watchdog() noexcept override { board_.feed_watchdog(); }
    [[noreturn]] void reset() noexcept override {
        if (before_reset_ != nullptr) before_reset_();
        board_.reset();
    }
    [[nodiscard]] device::ResetCause reset_cause() noexcept override { return board_.reset_cause(); }
    [[nodiscard]] std::array<std::uint8_t, 12> unique_id() noexcept override { return board_.unique_id(); }
    [[nodiscard]] std::uint16_t flash_kib() noexcept override { return board_.flash_kib(); }
    [[nodiscard]] std::uint32_t jedec_id() noexcept override { return board_.jedec_id(); }
    void set_stay_request(bool stay) noexcept override { board_.set_stay_request(stay); }
    [[nodiscard]] bool take_stay_request() noexcept override { return board_.take_stay_request(); }
    [[nodiscard]] bool speed_supported(std::uint32_t baud) noexcept override {
        return board_.speed_supported(baud);
    }

  private:
    port::Board board_;
    void (*before_reset_)() noexcept;
};

std::array<std::uint8_t, 512> transmit_ring;
std::array<std::uint8_t, kWindowChunks * link::kChunkBytes> window;
std::array<std::uint8_t, kRingBytes> receive_ring;

/// Everything with a state, in the order it is built.
struct Agent {
    explicit Agent(const Config& with) noexcept
        : config{with},
          nor{{with.now_ms, with.feed_watchdog}, port::kRegionMap.nor_bytes},
          nor_status{nor.start()},
          storage{port::kRegionMap, flash, nor, {with.now_ms, with.feed_watchdog}},
          board{with, nor.jedec_id()},
          product{agent_product()},
          journal{storage},
          keys{storage, board, built_in.keys()},
          staging{storage, board},
          line{transmit_ring},
          target{storage, board, product, keys, journal, staging},
          watch{storage, journal, target.scratch()},
          ahead{storage, board, journal, target.scratch()},
          server{line,
                 target,
                 {.role = link::Role::agent,
                  .base_baud = port::kBaudBase,
                  .receive_ring_bytes = static_cast<std::uint32_t>(kRingBytes)},
                 window} {
        target.set_watch(watch);
    }

    Config config;
    port::SpiNor nor;
    Status nor_status;
    port::InternalFlash flash;
    port::Storage storage;
    AgentBoard board;
    device::Product product;
    device::Journal journal;
    port::BuiltInKeys built_in;
    device::KeyChain keys;
    device::Staging staging;
    port::UartLine line;
    device::AgentTarget target;
    device::BackupWatch watch;
    device::BackupAhead ahead;
    link::LinkServer server;
    std::uint32_t started_ms{0};
    std::uint32_t busy_ms{0};     ///< when the gateway was heard last
    std::uint32_t watched_ms{0};  ///< when the backup was last begun to be proven
};

std::optional<Agent> agent;

/// What is done while the gateway says nothing: one small piece a call.
void work_quietly(std::uint32_t now_ms) noexcept {
    const std::uint32_t every_ms = agent->config.prove_backup_every_ms;
    if (every_ms != 0 && now_ms - agent->watched_ms >= every_ms) {
        agent->watched_ms = now_ms;
        agent->watch.again();
    }
    if (!agent->watch.step() && agent->config.back_up_ahead) (void)agent->ahead.step();
}

bool trial_over(std::uint32_t now_ms) noexcept {
    return on_trial() && now_ms - agent->started_ms >= agent->config.trial_ms;
}

}  // namespace

Status init(const Config& config) noexcept {
    agent.emplace(config);
    agent->journal.set_reset_cause(agent->board.reset_cause().flags);
    // Also with a NOR that failed: the journal then knows why nothing may be written.
    const Status mounted = agent->journal.mount();
    Status status = agent->nor_status == Status::ok ? mounted : agent->nor_status;
    if (status == Status::ok) status = agent->keys.mount(agent->journal.state());
    if (status == Status::ok) agent->staging.mount();
    agent->started_ms = agent->busy_ms = agent->watched_ms = config.now_ms();
    agent->line.start(config.pclk2_hz, port::kBaudBase);
    agent->line.listen_start(receive_ring);
    // A gateway that follows an installation waits for this word.
    agent->server.send_boot(Status::ok);
    return status;
}

void poll() noexcept {
    if (!agent) return;
    const std::uint32_t now_ms = agent->config.now_ms();
    // One call does at most one frame's work; a burst is taken in one go, but never without an end.
    for (unsigned frames = 0; frames < 8 && agent->server.poll(now_ms); ++frames) {
        agent->busy_ms = now_ms;
    }
    if (now_ms - agent->busy_ms >= kQuietMs) work_quietly(now_ms);
    if (trial_over(now_ms)) agent->board.reset();
}

void wait() noexcept {
    if (agent) agent->line.wait();
}

bool on_trial() noexcept {
    return agent && agent->journal.state().phase == device::Phase::trial;
}

Status confirm() noexcept {
    if (!agent) return Status::wrong_state;
    if (agent->journal.mounted() != Status::ok) return agent->journal.mounted();
    if (!on_trial()) return Status::ok;
    // Too late is not at all: whatever kept the application from confirming in time kept it from its work.
    if (trial_over(agent->config.now_ms())) agent->board.reset();
    const Status status = agent->target.confirm();
    if (status == Status::ok) {
        agent->server.send_progress(agent->journal.state().token, link::Step::trial, 100);
    }
    return status;
}

}  // namespace mcuota::agent
