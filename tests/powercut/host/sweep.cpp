// The sweep's loops.
#include "tests/powercut/host/sweep.hpp"

#include <cstring>
#include <ostream>
#include <random>

#include "mcu_loader/core/crc32.hpp"

namespace mcuota::powercut {
namespace {

using device::Region;
using test::Cut;
using test::CutCause;
using test::Tear;
using test::TestDevice;

constexpr std::uint32_t kDrawsMore = 4;

/// "0x0404 old": what the device tells, and what it holds.
std::string end_of(TestDevice& device, const Case& subject, const test::JobEnd& end) {
    std::array<char, 8> status{};
    static_cast<void>(
        std::snprintf(status.data(), status.size(), "0x%04X", static_cast<unsigned>(end.status)));
    // An image that is too large for the region is not there, and must not be looked for beyond its end.
    const auto holds = [&](const test::Bytes& image) {
        return image.size() <= device.flash.size_bytes(device::Region::running) && device.holds(image);
    };
    const char* const runs = device.journal().phase != device::Phase::idle ? " none"
                             : holds(subject.new_image)                    ? " new"
                             : holds(subject.old_image)                    ? " old"
                                                                           : " none";
    return status.data() + std::string{runs};
}

/// One number for everything a journal state says about what is to be done, but for token and hashes.
std::uint32_t fingerprint(const device::State& state) {
    const std::array<std::uint32_t, 12> words{static_cast<std::uint32_t>(state.phase),
                                              static_cast<std::uint32_t>(state.outcome),
                                              static_cast<std::uint32_t>(state.cause),
                                              static_cast<std::uint32_t>(state.job),
                                              static_cast<std::uint32_t>(state.running_slot),
                                              static_cast<std::uint32_t>(state.backup_slot),
                                              static_cast<std::uint32_t>(state.target_slot),
                                              state.running_confirmed ? 1U : 0U,
                                              state.dirty_units,
                                              state.trial_boots_used,
                                              state.attempts_used,
                                              state.units_done};
    std::array<std::uint8_t, sizeof words> bytes;
    std::memcpy(bytes.data(), words.data(), bytes.size());
    return crc32(bytes);
}

/// Every way to cut inside one operation that leaves something else than another does.
Cuts ways_to_cut(const TestDevice& device, const test::Operation& operation, std::uint64_t at,
                 std::uint32_t seed, bool all) {
    Cuts ways;
    const auto add = [&](Tear tear, CutCause cause) {
        ways.push_back({at, tear, seed + static_cast<std::uint32_t>(at), 0, cause});
    };
    if (!all) {
        for (const Tear tear : {Tear::mixed, Tear::looks_done, Tear::looks_untouched, Tear::flips}) {
            add(tear, CutCause::supply);
        }
        return ways;
    }
    for (const Tear tear : test::kTears) {
        if (tear != Tear::zeroed || operation.erase) {
            add(tear, CutCause::supply);
        }
    }
    // Where these stop is drawn: some places leave more than others.
    const Tear drawn = operation.erase ? Tear::mixed : Tear::partly;
    for (std::uint32_t more = 1; more <= kDrawsMore; ++more) {
        ways.push_back({at, drawn, seed + static_cast<std::uint32_t>(at) + more * 1000, 0, CutCause::supply});
    }
    for (const CutCause cause : {CutCause::watchdog, CutCause::command}) {
        if (device.flash.own_chip(operation.region)) {
            // A reset does not stop the chip: the operation happens, or not, or as far as it was told.
            add(Tear::before, cause);
            add(Tear::mixed, cause);
            if (!operation.erase) {
                add(Tear::partly, cause);
            }
        } else {
            for (const Tear tear : {Tear::before, Tear::mixed, Tear::looks_done, Tear::looks_untouched}) {
                add(tear, cause);
            }
        }
    }
    return ways;
}

/// As many of `cuts` left out as possible while a promise is still broken: that is easier to understand.
Cuts fewest_cuts(const Case& subject, Cuts cuts) {
    for (std::size_t length = cuts.size(); length > 1; --length) {
        const Cuts start{cuts.begin(), cuts.begin() + static_cast<std::ptrdiff_t>(length)};
        if (!run_trial(subject, start).empty()) {
            cuts = start;
        }
    }
    for (std::size_t index = 0; index < cuts.size() && cuts.size() > 1;) {
        Cuts without = cuts;
        without.erase(without.begin() + static_cast<std::ptrdiff_t>(index));
        if (!run_trial(subject, without).empty()) {
            cuts = std::move(without);
        } else {
            ++index;
        }
    }
    return cuts;
}

class Sweeper {
  public:
    Sweeper(const Case& subject, const SweepOptions& options) : subject_{subject}, options_{options} {}

    SweepReport run() {
        ++report_.cases;
        TestDevice undisturbed{subject_.start};
        const std::uint64_t before = undisturbed.flash.operations();
        undisturbed.flash.watch([&](const test::FlashModel&, const test::Operation&) {
            note_phase(undisturbed.journal().phase);
        });
        const test::JobEnd end = undisturbed.perform(subject_.job);
        undisturbed.flash.watch({});
        note_phase(undisturbed.journal().phase);
        report_.operations = undisturbed.flash.operations() - before;
        judge(undisturbed, {}, end);
        if (report_.bricks.empty()) {
            switch (options_.mode) {
                case Mode::single:
                case Mode::pairs: {
                    TestDevice device{subject_.start};
                    Cuts path;
                    explore(device, path);
                    break;
                }
                case Mode::random:
                case Mode::brown_out:
                    sample();
            }
        }
        return std::move(report_);
    }

  private:
    [[nodiscard]] bool enough() const { return report_.bricks.size() >= options_.bricks_max; }

    void note_phase(device::Phase phase) {
        if (report_.way.empty() || report_.way.back() != phase) {
            report_.way.push_back(phase);
        }
    }

    void judge(TestDevice& device, const Cuts& cuts, const test::JobEnd& end) {
        ++report_.trials;
        if (!cuts.empty()) {
            ++report_.ends[end_of(device, subject_, end)];
        }
        std::string trouble = broken_promise(device, subject_, cuts, end);
        if (!trouble.empty()) {
            const Cuts fewest = cuts.size() > 2 ? fewest_cuts(subject_, cuts) : cuts;
            if (fewest.size() < cuts.size()) {
                trouble = run_trial(subject_, fewest);
            }
            report_.bricks.push_back({to_string(subject_.id, fewest), std::move(trouble)});
        }
    }

    void found(TestDevice& device) {
        ++report_.cut_points;
        const device::State state = device.journal();
        report_.states.insert(fingerprint(state));
        ++report_.phases[state.phase];
    }

    /// Performs the job on `device` and cuts copies of it at each operation on the way.
    void explore(TestDevice& device, Cuts& path) {
        const unsigned depth = options_.mode == Mode::pairs ? 2 : 1;
        std::uint64_t at = 0;
        device.flash.watch([&](const test::FlashModel&, const test::Operation& operation) {
            const std::uint64_t here = at++;
            if (here % options_.every != options_.seed % options_.every || enough()) {
                return;
            }
            for (const Cut& cut : ways_to_cut(device, operation, here, options_.seed, depth == 1)) {
                TestDevice after{device};
                after.cut(operation, cut);
                path.push_back(cut);
                found(after);
                if (path.size() < depth) {
                    explore(after, path);
                } else {
                    judge(after, path, after.perform(subject_.job));
                }
                path.pop_back();
            }
        });
        const test::JobEnd end = device.perform(subject_.job);
        device.flash.watch({});
        if (!path.empty()) {
            judge(device, path, end);
        }
    }

    [[nodiscard]] Cuts random_cuts(std::mt19937& random) const {
        Cuts cuts;
        const bool brown_out = options_.mode == Mode::brown_out;
        const std::size_t count = brown_out ? 5 + random() % 36 : 3 + random() % 3;
        unsigned resets = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const bool near = (brown_out && i > 0) || (i > 0 && random() % 2 == 0);
            const std::uint64_t at = random() % (near ? 4 : report_.operations);
            const Tear tear = test::kTears[random() % test::kTears.size()];
            // Resets are counted as attempts: three of them may end a job or leave a restore to the next
            // power-on.
            const bool reset = !brown_out && resets < 2 && random() % 4 == 0;
            resets += reset ? 1 : 0;
            const CutCause cause = !reset              ? CutCause::supply
                                   : random() % 2 == 0 ? CutCause::watchdog
                                                       : CutCause::command;
            cuts.push_back({at, tear, static_cast<std::uint32_t>(random() % 1000 + 1), 0, cause});
        }
        return cuts;
    }

    void sample() {
        std::mt19937 random{options_.seed ^ crc32({reinterpret_cast<const std::uint8_t*>(subject_.id.data()),
                                                   subject_.id.size()})};
        for (std::uint64_t trial = 0; trial < options_.trials && !enough(); ++trial) {
            const Cuts cuts = random_cuts(random);
            TestDevice device{subject_.start};
            device.starts_max = 120;
            device.after_cut = [&] { found(device); };
            device.flash.arm(cuts);
            const test::JobEnd end = device.perform(subject_.job);
            device.flash.disarm();
            judge(device, cuts, end);
        }
    }

    const Case& subject_;
    const SweepOptions& options_;
    SweepReport report_;
};

}  // namespace

void SweepReport::add(const SweepReport& other) {
    cases += other.cases;
    operations += other.operations;
    cut_points += other.cut_points;
    trials += other.trials;
    states.insert(other.states.begin(), other.states.end());
    for (const auto& [phase, count] : other.phases) {
        phases[phase] += count;
    }
    bricks.insert(bricks.end(), other.bricks.begin(), other.bricks.end());
}

SweepReport sweep(const Case& subject, const SweepOptions& options) {
    return Sweeper{subject, options}.run();
}

std::string run_trial(const Case& subject, const Cuts& cuts, Sha256Digest* flash_sha256) {
    TestDevice device{subject.start};
    device.starts_max = 120;
    device.flash.arm(cuts);
    const test::JobEnd end = device.perform(subject.job);
    device.flash.disarm();
    if (flash_sha256 != nullptr) {
        Sha256 hash;
        for (const Region region : {Region::running, Region::flag_a, Region::flag_b, Region::backup}) {
            hash.update(device.flash.raw(region));
        }
        *flash_sha256 = hash.digest();
    }
    return broken_promise(device, subject, cuts, end);
}

std::string trace_trial(const Case& subject, const Cuts& cuts, std::ostream& out) {
    constexpr std::array<const char*, device::kRegionCount> kRegions{"running", "flag_a", "flag_b", "backup",
                                                                     "download"};
    TestDevice device{subject.start};
    device.starts_max = 120;
    const auto tell_journal = [&] {
        std::array<char, 256> line{};
        const std::size_t length = device::describe(0, device.journal(), line);
        out << "        journal " << std::string_view{line.data(), length} << '\n';
    };
    device.flash.watch([&](const test::FlashModel& flash, const test::Operation& operation) {
        out << "    " << flash.operations() << (operation.erase ? " erase " : " program ")
            << kRegions[static_cast<std::size_t>(operation.region)] << ' ' << operation.offset << " + "
            << operation.length << '\n';
    });
    device.after_cut = [&] {
        out << "    CUT\n";
        tell_journal();
    };
    device.flash.arm(cuts);
    const test::JobEnd end = device.perform(subject.job);
    device.flash.disarm();
    out << "    the job has ended after " << end.starts << " starts\n";
    tell_journal();
    return broken_promise(device, subject, cuts, end);
}

}  // namespace mcuota::powercut
