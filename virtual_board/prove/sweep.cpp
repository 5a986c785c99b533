// SPDX-License-Identifier: GPL-2.0-or-later
// Forking, collecting, and what each child promises.

#include "virtual_board/prove/sweep.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

namespace mcuota::board {
namespace {

constexpr std::size_t kFailuresKept = 20;
constexpr unsigned kQuietStarts = 2;
constexpr unsigned kChildWallSeconds = 300;
constexpr std::uint64_t kSecondCutWithin = 60;  // operations of a recovery: most have fewer
// States are compared at this many operations after each start: runs that will meet have met by then.
constexpr unsigned kStatesLooked = 12;
// And at some of the first slices after each start.
constexpr std::uint64_t kSlicesPerLook = 8, kLastSliceLooked = 16;
constexpr std::uint64_t kHarmCount = std::size(kHarms);

// How a run ends, in its report.
constexpr const char* kFollowed = "cut";
constexpr const char* kMet = "met";
constexpr const char* kUnseen = "unseen";

constexpr std::array<std::pair<Harm, const char*>, 8> kHarmNames{{{Harm::before, "before"},
                                                                  {Harm::mixed, "mixed"},
                                                                  {Harm::partial, "partial"},
                                                                  {Harm::looks_done, "looks-done"},
                                                                  {Harm::looks_untouched, "looks-untouched"},
                                                                  {Harm::reset, "reset"},
                                                                  {Harm::after, "after"},
                                                                  {Harm::none, "none"}}};

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> fields;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find(separator, at), text.size());
        fields.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return fields;
}

/// Neither outlives its parent nor runs for ever.
void bound_child() {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::alarm(kChildWallSeconds);
}

void write_all(int fd, const std::string& text) {
    // Shorter than PIPE_BUF: lines of several children do not mix.
    const ssize_t written = ::write(fd, text.data(), std::min<std::size_t>(text.size(), 4000));
    (void)written;
}

}  // namespace

const char* to_string(Harm harm) noexcept {
    for (const auto& [value, name] : kHarmNames)
        if (value == harm) return name;
    return "?";
}

std::string cut_id(const std::string& scenario, const std::vector<CutPoint>& cuts) {
    std::string id = scenario;
    char separator = ':';
    for (const CutPoint& cut : cuts) {
        id += separator + std::to_string(cut.operation) + "." + to_string(cut.harm);
        separator = '+';
    }
    return id;
}

Outcome<std::vector<CutPoint>> parse_cut_id(const std::string& text, std::string& scenario) {
    const Failure failure{"\"" + text + "\" is no cut", "use an id as printed, like install:12.mixed"};
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos) return failure;
    scenario = text.substr(0, colon);
    std::vector<CutPoint> cuts;
    std::string_view rest = std::string_view(text).substr(colon + 1);
    while (!rest.empty()) {
        const std::size_t plus = std::min(rest.find('+'), rest.size());
        const std::string_view one = rest.substr(0, plus);
        rest.remove_prefix(std::min(plus + 1, rest.size()));
        const std::size_t dot = one.find('.');
        if (dot == std::string_view::npos) return failure;
        CutPoint cut;
        const auto [end, error] = std::from_chars(one.data(), one.data() + dot, cut.operation);
        if (error != std::errc{} || end != one.data() + dot) return failure;
        const auto named = std::find_if(kHarmNames.begin(), kHarmNames.end(), [&](const auto& entry) {
            return one.substr(dot + 1) == entry.second;
        });
        if (named == kHarmNames.end()) return failure;
        cut.harm = named->first;
        cuts.push_back(cut);
    }
    if (cuts.empty()) return failure;
    return cuts;
}

Sweep::Sweep(BenchDevice& device, Scenario scenario, SweepSettings settings, Progress progress)
    : device_(device),
      scenario_(std::move(scenario)),
      settings_(std::move(settings)),
      progress_(std::move(progress)) {}

/// The harms chosen for an operation: operations evenly, and each kind of harm in its turn.
std::vector<Harm> Sweep::selected(std::uint64_t operation) const {
    const std::uint64_t from = operation * points_ / result_.operations;
    const std::uint64_t to = (operation + 1) * points_ / result_.operations;
    std::vector<Harm> out;
    for (std::uint64_t i = 0; i < kHarmCount; ++i)  // in their order: they often lead to the same
        if ((i + kHarmCount - from % kHarmCount) % kHarmCount < to - from) out.push_back(kHarms[i]);
    return out;
}

void Sweep::note_phase() {
    const auto record = device_.journal();
    if (!record || last_phase_ == to_string(record->phase)) return;
    last_phase_ = to_string(record->phase);
    phases_ += (phases_.empty() ? "" : ",") + last_phase_;
}

/// Learns in a child of its own how many operations the undisturbed job has, and that it succeeds.
bool Sweep::count_operations() {
    const ::pid_t pid = ::fork();
    if (pid == 0) {
        bound_child();
        counting_ = true;
        ProveJob undisturbed = scenario_.job;
        undisturbed.outcome_after_cuts.reset();
        const JobResult result = device_.perform(undisturbed);
        const std::uint64_t operations =
            scenario_.transfer_only ? transfer_operations_ : device_.board().operations() - begin_;
        std::string trouble = result.trouble;
        note_phase();
        const auto record = device_.journal();
        const std::string images = record ? record->images() : std::string();
        const std::string phases = phases_;
        if (trouble.empty()) trouble = device_.check_quiet_starts(scenario_.job, kQuietStarts);
        if (trouble.empty()) trouble = device_.perform(scenario_.next_job).trouble;
        write_all(report_[1], trouble.empty() ? "operations " + std::to_string(operations) + "\t" + images +
                                                    "\t" + phases + "\n"
                                              : "trouble " + trouble + "\n");
        ::_exit(0);
    }
    if (pid < 0) {
        result_.error = std::string("cannot fork: ") + std::strerror(errno);
        return false;
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    std::array<char, 4096> buffer{};
    const ssize_t got = ::read(report_[0], buffer.data(), buffer.size());
    const std::string line(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    if (line.rfind("operations ", 0) == 0) {
        const std::vector<std::string> fields = split(line.substr(11, line.size() - 12), '\t');
        if (fields.size() == 3) {
            result_.operations = std::stoull(fields[0]);
            scenario_.job.images = fields[1];
            result_.phases = split(fields[2], ',');
            return true;
        }
    }
    const bool trouble = line.rfind("trouble ", 0) == 0;
    if (trouble && scenario_.loaders_own) {
        result_.bricked = 1;
        result_.failed.push_back(
            {cut_id(scenario_.name, {{0, Harm::none}}), line.substr(8, line.size() - 9)});
        return false;
    }
    result_.error = trouble
                        ? "even without a cut the job does not end well: " + line.substr(8, line.size() - 9)
                        : std::string("the undisturbed run crashed");
    return false;
}

Fate Sweep::harm(Harm what, const MemoryOperation& operation) {
    device_.note_cut();
    unseen_.reset();
    if (const auto unit = device_.erase_unit_of(operation)) unseen_ = Unseen{*unit, {}, {}};
    // Each cut tears in its own way, the same when it is repeated.
    device_.board().reseed(settings_.seed ^ cuts_.back().operation << 8 ^ static_cast<std::uint64_t>(what) ^
                           std::uint64_t{cuts_.size()} << 56);
    begin_ = device_.board().operations();
    Tear tear = Tear::mixed;
    switch (what) {
        case Harm::before:
            return Fate::cut_before;
        case Harm::after:
            return Fate::cut_after;
        case Harm::none:
            return Fate::runs;
        case Harm::reset:
            return Fate::reset_inside;
        case Harm::mixed:
            break;
        case Harm::partial:
            tear = Tear::partial;
            break;
        case Harm::looks_done:
            tear = Tear::looks_done;
            break;
        case Harm::looks_untouched:
            tear = Tear::looks_untouched;
            break;
    }
    device_.board().set_tear(tear);
    return Fate::cut_inside;
}

/// True in the child.
bool Sweep::fork_for(const CutPoint& cut) {
    while (running_.size() >= settings_.jobs)
        collect(false);
    device_.settle();
    const ::pid_t pid = ::fork();
    if (pid != 0) {
        if (pid > 0) running_[pid] = cut_id(scenario_.name, {cut});
        if (pid < 0 && result_.error.empty())
            result_.error = std::string("cannot fork: ") + std::strerror(errno);
        return false;
    }
    bound_child();
    child_ = true;
    resets_ = device_.board().resets();
    looks_ = kStatesLooked;  // before the first start after the cut nothing is compared
    running_.clear();
    const auto record = device_.journal();
    phase_ = record ? to_string(record->phase) : "blank";
    cuts_ = {cut};
    random_ = Random(settings_.seed ^ cut.operation << 8 ^ static_cast<std::uint64_t>(cut.harm));
    return true;
}

/// Has another run been in this state?
void Sweep::meet(const Fingerprint& state, std::vector<Fingerprint>& passed, const char* how) {
    if (const auto image = proven_.find(state)) {
        remember(*image);
        report(how, device_.image(*image).name, "", "");
    }
    passed.push_back(state);
}

/// The last cut is over: has another run been here, or would it have gone on alike? `besides`: what the
/// device has besides its lasting memories.
void Sweep::meet_state(const Fingerprint& besides) {
    using Stage = Unseen::Stage;
    if (unseen_ && unseen_->stage == Stage::started && device_.memory_of(unseen_->unit).accessed())
        unseen_->stage = Stage::seen;
    const auto both = [&besides](const Fingerprint& lasting) {
        Hasher hash;
        hash.add(besides);
        hash.add(lasting);
        return hash.result();
    };
    const bool hides = unseen_ && (unseen_->stage == Stage::cut || unseen_->stage == Stage::started);
    if (hides && device_.steady_outside(unseen_->unit))
        meet(both(ProvenStates::lasting(device_, &unseen_->unit)), unseen_->passed, kUnseen);
    if (hides) device_.memory_of(unseen_->unit).pause();
    meet(both(ProvenStates::lasting(device_)), passed_, kMet);
    if (hides) device_.memory_of(unseen_->unit).resume();
}

void Sweep::at_power_up() {
    if (child_ && !next_ && settings_.memory) meet_state({});
}

void Sweep::at_start() {
    if (!child_ || next_ || !settings_.memory || !unseen_) return;
    WatchedMemory& memory = device_.memory_of(unseen_->unit);
    const bool first = unseen_->stage == Unseen::Stage::cut;
    memory.pause();
    if (first && device_.at_rest() && memory.watch(unseen_->unit.begin, unseen_->unit.size_bytes))
        unseen_->stage = Unseen::Stage::started;
    else if (unseen_->stage != Unseen::Stage::erased)
        unseen_->stage = Unseen::Stage::seen;
}

/// After a watchdog reset the RAM differs from run to run until the loader has set it up.
void Sweep::at_slice(Time since_start) {
    const std::uint64_t slice = since_start / kMillisecond;
    if (!child_ || next_ || !settings_.memory || slice > kLastSliceLooked || slice % kSlicesPerLook != 0)
        return;
    if (device_.at_rest()) meet_state(ProvenStates::running(device_));
}

void Sweep::at_erase(const EraseUnit& unit) {
    if (!unseen_ || unseen_->stage != Unseen::Stage::started) return;
    const EraseUnit& mine = unseen_->unit;
    const bool whole = unit.internal == mine.internal && unit.begin <= mine.begin &&
                       unit.begin + unit.size_bytes >= mine.begin + mine.size_bytes;
    if (!whole) return;
    WatchedMemory& memory = device_.memory_of(mine);
    unseen_->stage = memory.accessed() ? Unseen::Stage::seen : Unseen::Stage::erased;
    memory.pause();
}

/// This run ends well, and what it passed is proven.
void Sweep::remember(std::uint8_t first_image) {
    for (const Fingerprint& passed : passed_)
        proven_.add(passed, first_image);
    if (!unseen_ || unseen_->stage != Unseen::Stage::erased) return;
    for (const Fingerprint& passed : unseen_->passed)
        proven_.add(passed, first_image);
}

Fate Sweep::at_operation(const MemoryOperation& operation) {
    if (counting_) {
        note_phase();
        const auto record = device_.journal();
        if (!record || record->token != scenario_.job.link.token)
            transfer_operations_ = operation.number - begin_ + 1;
        return Fate::runs;
    }
    const std::uint64_t number = operation.number - begin_;
    if (child_) {
        const std::uint64_t resets = device_.board().resets();
        if (resets != resets_) {
            resets_ = resets;
            looks_ = 0;
        }
        if (settings_.memory && !next_ && looks_++ < kStatesLooked && device_.at_rest())
            meet_state(ProvenStates::running(device_));
        if (!next_ || number != next_->operation) return Fate::runs;
        const CutPoint cut = *next_;
        next_.reset();
        cuts_.push_back(cut);
        const Fate fate = harm(cut.harm, operation);
        if (!settings_.only.empty()) {
            if (cuts_.size() < settings_.only.size()) next_ = settings_.only[cuts_.size()];
        } else if (cuts_.size() < settings_.depth) {
            next_ = CutPoint{random_.next() % kSecondCutWithin, kHarms[random_.next() % kHarmCount]};
        }
        return fate;
    }
    if (!settings_.only.empty()) {
        if (number != settings_.only[0].operation) return Fate::runs;
        if (!fork_for(settings_.only[0])) return Fate::runs;
        if (settings_.only.size() > 1) next_ = settings_.only[1];
        return harm(cuts_[0].harm, operation);
    }
    if (number >= result_.operations) return Fate::runs;
    for (const Harm what : selected(number)) {
        if (!fork_for({number, what})) continue;
        if (settings_.depth > 1)
            next_ = CutPoint{random_.next() % kSecondCutWithin, kHarms[random_.next() % kHarmCount]};
        return harm(cuts_[0].harm, operation);
    }
    return Fate::runs;
}

void Sweep::finish_child(const JobResult& result) {
    std::string trouble = result.trouble;
    next_.reset();
    if (trouble.empty()) trouble = device_.check_quiet_starts(scenario_.job, kQuietStarts);
    const auto first = device_.first_image();
    const std::string end = trouble.empty() ? device_.end_text() : "";
    if (trouble.empty()) {
        const JobResult next = device_.perform(scenario_.next_job);
        if (!next.trouble.empty()) trouble = "the next job: " + next.trouble;
    }
    std::replace(trouble.begin(), trouble.end(), '\n', ' ');
    if (trouble.empty() && first) remember(static_cast<std::uint8_t>(*first));
    report(kFollowed, first ? device_.image(*first).name : "none", end, trouble);
}

void Sweep::report(const char* how, const std::string& ran, const std::string& end,
                   const std::string& trouble) {
    write_all(report_[1], std::string(how) + "\t" + cut_id(scenario_.name, cuts_) + "\t" + phase_ + "\t" +
                              ran + "\t" + end + "\t" + trouble + "\n");
    ::_exit(0);
}

void Sweep::take_line(const std::string& line) {
    const std::vector<std::string> fields = split(line, '\t');
    if (fields.size() != 6) return;
    ++done_;
    if (fields[0] != kFollowed) ++result_.merged;
    if (fields[0] == kUnseen) ++result_.unseen;
    ++result_.cuts;
    ++result_.states[fields[2]];
    if (fields[1].find(".reset") != std::string::npos) ++result_.resets;
    if (fields[3] == "old") ++result_.ended_old;
    if (fields[3] == "new") ++result_.ended_new;
    if (!fields[4].empty()) ++result_.ends[fields[4]];
    if (!fields[5].empty()) {
        ++result_.bricked;
        if (result_.failed.size() < kFailuresKept) result_.failed.push_back({fields[1], fields[5]});
    }
    if (progress_) progress_(done_, points_);
}

/// Waits for one child (or all) and takes what they report.
void Sweep::collect(bool all) {
    while (!running_.empty()) {
        int status = 0;
        const ::pid_t pid = ::waitpid(-1, &status, 0);
        if (pid < 0) break;
        const auto child = running_.find(pid);
        if (child == running_.end()) continue;
        const std::string id = child->second;
        running_.erase(child);
        std::array<char, 8192> buffer{};
        for (ssize_t got = 0; (got = ::read(report_[0], buffer.data(), buffer.size())) > 0;)
            text_.append(buffer.data(), static_cast<std::size_t>(got));
        for (std::size_t end = 0; (end = text_.find('\n')) != std::string::npos; text_.erase(0, end + 1))
            take_line(text_.substr(0, end));
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            take_line(std::string(kFollowed) + "\t" + id + "\tunknown\tnone\t\tthe run itself died (signal " +
                      std::to_string(WIFSIGNALED(status) ? WTERMSIG(status) : 0) + ")");
        if (!all) return;
    }
}

SweepResult Sweep::run() {
    if (::pipe2(report_, O_CLOEXEC) != 0) {
        result_.error = std::string("no pipe: ") + std::strerror(errno);
        return result_;
    }
    device_.on_operation([this](const MemoryOperation& operation) { return at_operation(operation); });
    device_.on_power_up([this] { at_power_up(); });
    device_.on_start([this] { at_start(); });
    device_.on_slice([this](Time since_start) { at_slice(since_start); });
    device_.on_erase([this](const EraseUnit& unit) { at_erase(unit); });
    begin_ = device_.board().operations();
    ::malloc_trim(0);  // a fork copies the tables of unused pages, too
    if (count_operations()) {
        ::fcntl(report_[0], F_SETFL, O_NONBLOCK);
        const std::uint64_t all = result_.operations * kHarmCount;
        points_ = settings_.cuts == 0 ? all : std::min(settings_.cuts, all);
        if (!settings_.only.empty()) points_ = 1;
        const JobResult result = device_.perform(scenario_.job);
        if (child_) finish_child(result);
        collect(true);
        if (!settings_.only.empty() && result_.cuts == 0 && result_.error.empty())
            result_.error = "the job has only " + std::to_string(result_.operations) + " operations";
    }
    device_.on_operation({});
    device_.on_power_up({});
    device_.on_start({});
    device_.on_slice({});
    device_.on_erase({});
    ::close(report_[0]);
    ::close(report_[1]);
    return result_;
}

}  // namespace mcuota::board
