// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// Power-cut sweeps over the real loader: one job is performed once; just before each cut point the process
// forks, and the child suffers the cut, gives power back, follows the job to its end and reports. A cut point
// costs only its recovery.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "virtual_board/prove/bench_device.hpp"
#include "virtual_board/prove/proven_states.hpp"

namespace mcuota::board {

/// What is done to an operation.
enum class Harm : std::uint8_t { before, mixed, partial, looks_done, looks_untouched, reset, after, none };
constexpr Harm kHarms[] = {Harm::before,     Harm::mixed,           Harm::partial,
                           Harm::looks_done, Harm::looks_untouched, Harm::reset};
[[nodiscard]] const char* to_string(Harm harm) noexcept;

/// One cut: the nth operation since the job began, or since the cut before.
struct CutPoint {
    std::uint64_t operation{0};
    Harm harm{Harm::before};
};
/// "install:12.mixed" or, with a second cut in the recovery, "install:12.mixed+30.before".
[[nodiscard]] std::string cut_id(const std::string& scenario, const std::vector<CutPoint>& cuts);
[[nodiscard]] Outcome<std::vector<CutPoint>> parse_cut_id(const std::string& text, std::string& scenario);

struct Scenario {
    std::string name;
    ProveJob job;
    ProveJob next_job;  ///< must be accepted and confirmed afterwards
    /// A job that does not end well even without a cut is a broken promise of the loader: nothing of it is
    /// the user's. Otherwise it is an error of the sweep.
    bool loaders_own{false};
    /// Only operations before the job is accepted are cut: the transfer.
    bool transfer_only{false};
};

struct SweepSettings {
    std::uint64_t cuts{0};  ///< at most this many first cuts, evenly; 0 = all
    unsigned depth{1};  ///< cuts in one run: 1, or more, each at a random operation of the recovery before
    std::uint64_t seed{1};
    bool memory{true};           ///< runs end in states known to go on well
    unsigned jobs{1};            ///< children at the same time
    std::vector<CutPoint> only;  ///< just this one
};

struct SweepResult {
    std::uint64_t operations{0};  ///< of the undisturbed job
    std::uint64_t cuts{0};        ///< runs with at least one cut
    std::uint64_t bricked{0};
    std::uint64_t ended_old{0}, ended_new{0};  ///< what ran first after the (last) cut
    std::uint64_t merged{0};                   ///< of the cuts: led into a state proven before
    std::uint64_t unseen{0};  ///< of these: one that differs, but only in cells that are erased unseen
    std::uint64_t resets{0};  ///< of the cuts: watchdog resets instead of power cuts
    std::map<std::string, std::uint64_t> states;  ///< journal phase at the cut → cuts
    std::vector<std::string> phases;              ///< of the undisturbed job, one after the other
    /// "0x0000 new": outcome of the job and the image it left running → cuts followed to the end.
    std::map<std::string, std::uint64_t> ends;
    struct Failed {
        std::string id, trouble;
    };
    std::vector<Failed> failed;  ///< the first few
    std::string error;           ///< the sweep itself did not work; empty otherwise
};

class Sweep {
  public:
    using Progress = std::function<void(std::uint64_t done, std::uint64_t of)>;

    Sweep(BenchDevice& device, Scenario scenario, SweepSettings settings, Progress progress);
    [[nodiscard]] SweepResult run();

  private:
    [[nodiscard]] Fate at_operation(const MemoryOperation& operation);
    [[nodiscard]] Fate harm(Harm harm, const MemoryOperation& operation);
    [[nodiscard]] bool fork_for(const CutPoint& cut);
    [[noreturn]] void finish_child(const JobResult& result);
    /// `how` it ended: "cut" followed to its end, "met" a proven state, "unseen" one but for unseen cells.
    [[noreturn]] void report(const char* how, const std::string& ran, const std::string& end,
                             const std::string& trouble);
    void meet(const Fingerprint& state, std::vector<Fingerprint>& passed, const char* how);
    void meet_state(const Fingerprint& besides);
    void at_power_up();
    void at_start();
    void at_slice(Time since_start);
    void at_erase(const EraseUnit& unit);
    void remember(std::uint8_t first_image);
    [[nodiscard]] bool count_operations();
    void note_phase();
    void collect(bool all);
    void take_line(const std::string& line);
    [[nodiscard]] std::vector<Harm> selected(std::uint64_t operation) const;

    BenchDevice& device_;
    Scenario scenario_;
    SweepSettings settings_;
    Progress progress_;
    SweepResult result_;
    std::uint64_t points_{0};  ///< selected first cuts
    std::uint64_t done_{0};
    std::uint64_t begin_{0};  ///< board operations before the job, or since the last cut
    bool counting_{false};
    std::string phases_;  ///< while counting: separated by commas
    std::string last_phase_;
    std::uint64_t transfer_operations_{0};  ///< while counting
    bool child_{false};
    std::vector<CutPoint> cuts_;    ///< suffered by this process
    std::optional<CutPoint> next_;  ///< the next one, once this process is a child
    std::string phase_;             ///< journal phase at the first cut
    Random random_{1};
    ProvenStates proven_;
    std::vector<Fingerprint> passed_;  ///< states on the way of this child
    std::uint64_t resets_{0};          ///< of the device, when states were last counted
    unsigned looks_{0};                ///< states compared since then
    /// Cells nobody has looked at since the last cut hit them. When the start after it erases them before
    /// anybody does, it cannot matter what they held: its states until then stand for any other content, too.
    struct Unseen {
        EraseUnit unit;
        enum class Stage : std::uint8_t { cut, started, erased, seen } stage{Stage::cut};
        std::vector<Fingerprint> passed;  ///< states on the way, without these cells
    };
    std::optional<Unseen> unseen_;
    int report_[2]{-1, -1};
    std::string text_;                    ///< of the pipe, not yet whole lines
    std::map<int, std::string> running_;  ///< children: process → id
};

}  // namespace mcuota::board
