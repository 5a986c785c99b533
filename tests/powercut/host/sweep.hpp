#pragma once
// Cuts a case everywhere and counts what became of it. A snapshot of the flash is taken at each operation of
// a running job; every way to cut there continues from a copy of it, so no job is repeated from its start.

#include <cstdint>
#include <iosfwd>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/powercut/host/promises.hpp"

namespace mcuota::powercut {

/// How a case is cut.
enum class Mode : std::uint8_t {
    single,     ///< every operation, every tear, every cause
    pairs,      ///< every operation, then every operation of the recovery
    random,     ///< up to five cuts at random places
    brown_out,  ///< up to forty cuts, each after a few operations
};

struct SweepOptions {
    Mode mode{Mode::single};
    std::uint32_t seed{1};
    std::uint64_t every{1};       ///< single, pairs: only each nth operation; `offset` chooses which
    std::uint64_t trials{0};      ///< random, brown_out: how many
    std::uint64_t bricks_max{5};  ///< stop after so many broken promises
};

struct Brick {
    std::string id;
    std::string what;
};

struct SweepReport {
    std::uint64_t cases{0};
    std::uint64_t operations{0};                    ///< of the undisturbed jobs
    std::uint64_t cut_points{0};                    ///< cuts made
    std::uint64_t trials{0};                        ///< devices followed to their end
    std::set<std::uint32_t> states;                 ///< distinct journal states found when power returned
    std::map<device::Phase, std::uint64_t> phases;  ///< cuts by the phase found when power returned
    std::vector<device::Phase> way;                 ///< of one undisturbed job: phases, one after the other
    std::map<std::string, std::uint64_t> ends;      ///< of jobs with cuts: "0x0000 new": outcome, what runs
    std::vector<Brick> bricks;

    void add(const SweepReport& other);
};

/// Cuts `subject` as told.
[[nodiscard]] SweepReport sweep(const Case& subject, const SweepOptions& options);

/// One trial from the beginning, with these cuts: what was broken, or nothing. `flash_sha256`, when given,
/// receives the hash of the running region and the journals as the trial leaves them.
[[nodiscard]] std::string run_trial(const Case& subject, const Cuts& cuts,
                                    Sha256Digest* flash_sha256 = nullptr);

/// The same, telling every flash operation, every cut and what the journal says then.
std::string trace_trial(const Case& subject, const Cuts& cuts, std::ostream& out);

}  // namespace mcuota::powercut
