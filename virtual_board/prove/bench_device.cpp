// SPDX-License-Identifier: GPL-2.0-or-later
// Starts, jobs and the promises checked in them.

#include "virtual_board/prove/bench_device.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

namespace mcuota::board {
namespace {

constexpr Time kSlice = 1 * kMillisecond;
constexpr Time kOffTime = 50 * kMillisecond;
// Longer than any installation on this board takes, erases included.
constexpr Time kStartMax = 240 * kSecond;
// A loader that serves and is left alone has nothing more to say.
constexpr Time kServedLongEnough = 300 * kMillisecond;
// What an executed application may take to confirm itself (the demo: 300 ms of self test).
constexpr Time kExecutesMax = 2 * kSecond;
// And to copy itself into the NOR (896 KiB: 11 s of erases and 3 s of pages).
constexpr Time kBackupAheadMax = 30 * kSecond;
constexpr unsigned kStartsMax = 40;
constexpr std::uint16_t kInProgress = 0x040B;
constexpr std::uint32_t kNorSectorBytes = 4096;

std::string hex(std::uint16_t status) {
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), "0x%04X", status);
    return text.data();
}

}  // namespace

DeviceMemories BenchDevice::blank(const BenchConfig& config, std::span<const std::uint8_t> loader) {
    DeviceMemories out{
        Bytes(FlashGeometry(config.board.part).size_bytes(), 0xFF), Bytes(config.nor_bytes, 0xFF), {}};
    std::copy_n(loader.begin(), std::min(loader.size(), out.flash.size()), out.flash.begin());
    return out;
}

BenchDevice::BenchDevice(const BenchConfig& config, DeviceMemories memories, std::vector<KnownImage> images)
    : config_(config),
      images_(std::move(images)),
      flash_memory_(memories.flash),
      nor_memory_(memories.nor),
      flash_(flash_memory_.bytes()),
      nor_(nor_memory_.bytes()),
      nor_erases_(nor_.size() / kNorSectorBytes),
      backup_(memories.backup),
      flash_digest_(flash_),
      nor_digest_(std::span{nor_}.first(config.nor_used_bytes())),
      client_([this](std::span<const std::uint8_t> bytes) {
          for (const std::uint8_t byte : bytes)
              board_->console_receive({byte, false});
      }) {
    BoardHooks hooks;
    hooks.console_sent = [this](std::uint8_t byte) { client_.received(byte, board_->now()); };
    hooks.operation = [this](const MemoryOperation& operation) { return operation_begins(operation); };
    hooks.reset = [this](ResetCause) { started(); };
    hooks.erases = [this](OperationKind kind, std::uint32_t address, std::uint32_t size_bytes) {
        erases(kind, address, size_bytes);
    };
    board_ = std::make_unique<Board>(config_.board, flash_, nor_, backup_, std::move(hooks));
    board_->set_cut_effects(Tear::mixed, config_.vbat);
    board_->fix_garbage(config_.board.seed);
    executes_ = std::any_of(images_.begin(), images_.end(), [](const KnownImage& image) {
        return image.behaviour == AppBehaviour::executes;
    });
    if (!executes_)
        board_->set_fence(config_.application, kFlashBase + static_cast<std::uint32_t>(flash_.size()));
}

Fate BenchDevice::operation_begins(const MemoryOperation& operation) {
    const bool internal =
        operation.kind == OperationKind::flash_program || operation.kind == OperationKind::flash_erase;
    (internal ? last_flash_ : last_nor_) = operation;
    touch(operation);
    flash_touched_ = flash_touched_ || (internal && flash_guarded_);
    if (stop_) {
        stopped_ = stopped_ || stop_();
        if (stopped_) return Fate::cut_before;
    }
    if (operation.kind == OperationKind::nor_program) nor_bytes_programmed_ += operation.size_bytes;
    return hook_ ? hook_(operation) : Fate::runs;
}

void BenchDevice::touch(const MemoryOperation& operation) {
    if (operation.kind == OperationKind::flash_program || operation.kind == OperationKind::flash_erase)
        flash_digest_.touch(operation.address - kFlashBase, operation.size_bytes);
    else
        nor_digest_.touch(operation.address, operation.size_bytes);
}

void BenchDevice::settle() {
    flash_digest_.settle();
    nor_digest_.settle();
    touch(last_flash_);
    touch(last_nor_);
}

Fingerprint BenchDevice::memory_state(const EraseUnit* unit) {
    const auto print = [unit](MemoryDigest& digest, bool internal) {
        const bool hides = unit != nullptr && unit->internal == internal;
        return hides ? digest.value_without(unit->begin, unit->size_bytes) : digest.value();
    };
    Hasher hash;
    hash.add(print(flash_digest_, true));
    hash.add(print(nor_digest_, false));
    for (const std::uint32_t word : backup_.registers)
        hash.add(word);
    hash.add(backup_.sram);
    return hash.result();
}

void BenchDevice::started() {
    started_at_ = board_->now();
    instructions_then_ = board_->instructions();
    if (start_hook_) start_hook_();
}

bool BenchDevice::steady_outside(const EraseUnit& unit) const noexcept {
    const auto inside = [&unit](const TornCells& torn) {
        return std::all_of(torn.areas().begin(), torn.areas().end(), [&](const TornCells::Area& area) {
            return area.begin >= unit.begin &&
                   area.begin + area.unsteady.size() <= unit.begin + unit.size_bytes;
        });
    };
    const TornCells& flash = board_->flash().torn();
    const TornCells& nor = board_->nor().torn();
    return unit.internal ? inside(flash) && nor.settled() : inside(nor) && flash.settled();
}

std::optional<EraseUnit> BenchDevice::erase_unit_of(const MemoryOperation& operation) const {
    EraseUnit unit;
    switch (operation.kind) {
        case OperationKind::flash_program:
        case OperationKind::flash_erase: {
            const Sector* sector = board_->geometry().at(operation.address);
            if (!sector || executes_) return std::nullopt;
            unit = {true, sector->begin - kFlashBase, sector->size_bytes};
            break;
        }
        case OperationKind::nor_program:
            unit = nor_erases_[operation.address / kNorSectorBytes];
            break;
        case OperationKind::nor_erase:
            unit = {false, operation.address, operation.size_bytes};
            break;
    }
    const std::uint32_t begin = operation.address - (unit.internal ? kFlashBase : 0);
    // An erase of several sectors of flash at once is none of one unit.
    if (begin < unit.begin || begin + operation.size_bytes > unit.begin + unit.size_bytes)
        return std::nullopt;
    return unit;
}

void BenchDevice::erases(OperationKind kind, std::uint32_t address, std::uint32_t size_bytes) {
    const bool internal = kind == OperationKind::flash_erase;
    const EraseUnit unit{internal, internal ? address - kFlashBase : address, size_bytes};
    if (!internal)
        std::fill_n(nor_erases_.begin() + address / kNorSectorBytes, size_bytes / kNorSectorBytes, unit);
    if (erase_hook_) erase_hook_(unit);
}

std::optional<std::size_t> BenchDevice::running_image() const {
    const auto begin = flash_.begin() + static_cast<std::ptrdiff_t>(config_.application - kFlashBase);
    for (std::size_t i = 0; i < images_.size(); ++i)
        if (images_[i].bytes.size() <= flash_.size() - (config_.application - kFlashBase) &&
            std::equal(images_[i].bytes.begin(), images_[i].bytes.end(), begin))
            return i;
    return std::nullopt;
}

void BenchDevice::give_power() {
    if (board_->powered()) return;
    board_->run(board_->now() + kOffTime);
    ++power_ups_;
    board_->reseed(config_.board.seed + (steady() ? 0 : power_ups_));
    if (power_up_hook_) power_up_hook_();
    board_->power_on();
}

bool BenchDevice::executes_now() const {
    return board_->nvic().vtor() >= config_.application;
}

/// Runs from the present start until the loader hands over, serves for good, or power goes.
BenchDevice::StartEnd BenchDevice::run_start(JobResult& result) {
    const Time begin = board_->now();
    Time served_since = kNever;
    while (board_->now() - begin < kStartMax) {
        if (board_->resets() != resets_seen_) {
            resets_seen_ = board_->resets();
            served_since = kNever;
            client_.device_started();
        } else {
            client_.poll(board_->now());
        }
        // Slices count from the start: two starts alike are looked at at the same times.
        const Time since_start = board_->now() - started_at_;
        board_->run(started_at_ + (since_start / kSlice + 1) * kSlice);
        if (!board_->powered()) return StartEnd::power_gone;
        if (board_->resets() != resets_seen_) continue;
        if (slice_hook_) slice_hook_(board_->now() - started_at_);
        if (board_->fence_hit() || executes_now()) return StartEnd::application;
        if (board_->locked_up()) break;
        if (client_.stage() == LinkClient::Stage::refused) return StartEnd::served;
        const bool talks =
            client_.stage() != LinkClient::Stage::quiet && client_.stage() != LinkClient::Stage::accepted;
        if (client_.boot_reason() && !talks) {
            if (served_since == kNever) served_since = board_->now();
            if (board_->now() - served_since >= kServedLongEnough) return StartEnd::served;
        }
    }
    result.trouble = std::string("a start led nowhere: ") +
                     (board_->locked_up() ? "the core is locked up" : "no end in sight") + ", " +
                     state_text();
    return StartEnd::stuck;
}

std::string BenchDevice::state_text() const {
    const auto record = journal();
    const auto image = running_image();
    std::string text = "the journal says ";
    text += record ? std::string(to_string(record->phase)) + ", outcome " + hex(record->outcome) +
                         ", cause " + hex(record->cause)
                   : std::string("nothing");
    return text + ", the running region holds " +
           (image ? images_[*image].name : std::string("no known image"));
}

bool BenchDevice::job_ended(const ProveJob& job) const {
    const auto record = journal();
    return record && record->token == job.link.token && record->outcome != kInProgress &&
           record->phase == (job.image ? JournalPhase::idle : JournalPhase::halted);
}

void BenchDevice::pass(Time time) {
    board_->run(board_->now() + time);
}

/// Performs what an application writes, operation by operation; false when power went or a reset ended the
/// application.
bool BenchDevice::write(const std::vector<JournalStep>& steps) {
    W25q& nor = board_->nor_chip();
    const std::uint64_t resets = board_->resets();
    const auto alive = [&] { return board_->powered() && board_->resets() == resets; };
    steps_done_ = 0;
    for (const JournalStep& step : steps) {
        if (!alive()) break;
        ++steps_done_;
        if (step.erase)
            nor.begin_erase_4k(step.address);
        else
            nor.begin_program(step.address, step.bytes);
        do {
            pass(50 * kMicrosecond);
        } while (alive() && nor.busy());
    }
    steps_done_ = 0;
    return alive();
}

void BenchDevice::advance_journal(std::uint32_t slot) {
    const std::uint32_t sector_bytes = config_.journal.sector_bytes;
    for (unsigned guard = 0; guard < 200; ++guard) {
        const auto record = journal();
        if (!record) return;
        const auto at = static_cast<std::uint32_t>(record->address % sector_bytes / kRecordBytes);
        if (at == slot) return;
        for (const JournalStep& step : repetition(nor_, config_.journal, *record)) {
            // Nothing observes this: the bytes go straight into the memory.
            const std::size_t size = step.erase ? sector_bytes : step.bytes.size();
            for (std::size_t i = 0; i < size; ++i)
                nor_[step.address + i] = step.erase ? 0xFF : nor_[step.address + i] & step.bytes[i];
        }
    }
}

std::string BenchDevice::stop_when(const ProveJob& job, std::function<bool()> stop) {
    stop_ = std::move(stop);
    const JobResult result = perform(job);
    stop_ = {};
    if (!std::exchange(stopped_, false) && result.trouble.empty())
        return "the job was over before it could be interrupted";
    return result.trouble;
}

std::string BenchDevice::bring_to(const ProveJob& job, JournalPhase phase) {
    return stop_when(job, [this, phase] {
        const auto record = journal();
        return record && record->phase == phase && record->firm;
    });
}

std::string BenchDevice::interrupt_after(const ProveJob& job, std::uint64_t nor_bytes) {
    const std::uint64_t enough = nor_bytes_programmed_ + nor_bytes;
    return stop_when(job, [this, enough] { return nor_bytes_programmed_ >= enough; });
}

void BenchDevice::damage_application(std::size_t size_bytes) {
    const auto offset = static_cast<std::uint32_t>(config_.application - kFlashBase + size_bytes / 2);
    flash_[offset] ^= 0x08;
    flash_digest_.touch(offset, 1);
}

bool BenchDevice::damage_copies(const Bytes& image) {
    const std::boyer_moore_horspool_searcher searcher(image.begin(), image.end());
    const auto end = nor_.begin() + config_.nor_used_bytes();
    bool found = false;
    for (auto at = nor_.begin(); (at = std::search(at, end, searcher)) != end;) {
        const auto offset =
            static_cast<std::uint32_t>(at - nor_.begin() + static_cast<std::ptrdiff_t>(image.size() / 2));
        nor_[offset] ^= 0x08;
        nor_digest_.touch(offset, 1);
        at += static_cast<std::ptrdiff_t>(image.size());
        found = true;
    }
    return found;
}

/// The application is to make its backup before the gateway is heard.
bool BenchDevice::backs_up_first(const ProveJob& job) const {
    if (job.backup_ahead == BackupAhead::never || (job.backup_ahead == BackupAhead::until_cut && was_cut_))
        return false;
    const auto record = journal();
    return record && record->token != job.link.token && record->wants_backup_ahead();
}

void BenchDevice::follow_application(JobResult& result, bool backs_up) {
    const auto image = running_image();
    if (!image) {
        result.trouble = "the loader started an image that is neither old nor new; " + state_text();
        return;
    }
    if (!first_image_) first_image_ = image;
    const auto record = journal();
    if (!record) {
        result.trouble = "the loader started " + images_[*image].name + " without a journal";
        return;
    }
    const AppBehaviour behaviour = images_[*image].behaviour;
    if (behaviour == AppBehaviour::executes) {
        const Time begin = board_->now();
        const Time enough = backs_up ? kBackupAheadMax : kExecutesMax;
        while (board_->powered() && executes_now() && board_->now() - begin < enough) {
            const auto now = journal();
            if (now && now->phase == JournalPhase::idle && !(backs_up && now->wants_backup_ahead())) break;
            pass(5 * kMillisecond);
        }
        return;
    }
    if (record->phase == JournalPhase::trial) {
        switch (behaviour) {
            case AppBehaviour::confirms:
                if (!write(confirmation(nor_, config_.journal, *record, images_[*image].security_counter)))
                    return;
                break;
            case AppBehaviour::hangs:
                board_->bite();
                break;
            default:
                board_->reset_pin();
                break;
        }
    } else if (record->phase != JournalPhase::idle) {
        result.trouble =
            "the loader started " + images_[*image].name + " in the middle of work; " + state_text();
    } else if (backs_up) {
        static_cast<void>(
            write(backup_ahead(nor_, config_.journal, *record, config_.backup_banks, images_[*image].bytes)));
    }
}

/// The start led where the job may have ended: to an application, or to a loader that serves because none may
/// run.
bool BenchDevice::ends_well_there(const ProveJob& job, StartEnd end) const {
    return job_ended(job) && end == (job.image ? StartEnd::application : StartEnd::served);
}

void BenchDevice::check_end(const ProveJob& job, JobResult& result) {
    const auto end = journal();
    told_ = end->outcome;
    if (!job.allows(told_))
        result.trouble = "the job ended with status " + hex(end->outcome) + " instead of " + hex(job.outcome);
    else if (!job.images.empty() && end->images() != job.images)
        result.trouble = "the journal names other images than without the cut; " + state_text();
    else if (job.image && running_image() != job.image)
        result.trouble = "the journal tells of an end the memory does not show; " + state_text();
    else if (flash_touched_)
        result.trouble = "the flash was written for a package that was refused; " + state_text();
}

JobResult BenchDevice::perform(const ProveJob& job) {
    JobResult result;
    doing_ = job.link.token << 8;
    flash_guarded_ = job.flash_untouched;
    flash_touched_ = false;
    client_.listen();
    for (; result.starts < kStartsMax && result.trouble.empty(); ++result.starts) {
        give_power();
        if (board_->fence_hit() || executes_now()) board_->reset_pin();
        const auto record = journal();
        const bool accepted = record && record->token == job.link.token;
        const bool backs_up = backs_up_first(job);
        if (accepted || backs_up)
            client_.listen();
        else
            client_.want(job.link);
        const StartEnd end = run_start(result);
        switch (end) {
            case StartEnd::power_gone:
                if (stopped_) return result;
                continue;
            case StartEnd::stuck:
                continue;
            case StartEnd::served:
                if (ends_well_there(job, end)) break;
                if (const auto now = journal(); now && now->token == job.link.token && !accepted) {
                    // It was accepted, but a reset took the answer away: only followed from here on.
                    board_->reset_pin();
                    continue;
                }
                if (client_.stage() == LinkClient::Stage::refused) {
                    result.trouble = "the device refused the job with status " + hex(client_.refusal()) +
                                     "; " + state_text();
                } else {
                    const auto reason = client_.boot_reason();
                    result.trouble = "the loader serves instead of starting an application, reason " +
                                     hex(reason ? *reason : std::uint16_t{0}) + "; " + state_text();
                }
                continue;
            case StartEnd::application: {
                const std::uint64_t resets = board_->resets();
                follow_application(result, backs_up);
                if (stopped_) return result;
                if (board_->resets() != resets) continue;  // what it began to write is the loader's to judge
                break;
            }
        }
        if (!result.trouble.empty() || !board_->powered() || !ends_well_there(job, end)) continue;
        check_end(job, result);
        return result;
    }
    if (result.trouble.empty()) result.trouble = "the job never ended; " + state_text();
    return result;
}

std::string BenchDevice::end_text() const {
    const auto record = journal();
    const auto image = running_image();
    const bool runs = record && record->phase == JournalPhase::idle && image;
    return hex(told_) + " " + (runs ? images_[*image].name : "none");
}

std::string BenchDevice::check_quiet_starts(const ProveJob& job, unsigned starts) {
    for (unsigned start = 0; start < starts; ++start) {
        doing_ = job.link.token << 8 | (start + 1);
        board_->power_off(config_.vbat);
        give_power();
        client_.listen();
        JobResult result;
        const StartEnd end = run_start(result);
        if (end != (job.image ? StartEnd::application : StartEnd::served))
            return std::string("a later start ") +
                   (job.image ? "did not reach the application; " : "started what may not run; ") +
                   (result.trouble.empty() ? state_text() : result.trouble);
        if (!job_ended(job) || journal()->outcome != told_ || journal()->confirmed != job.image.has_value() ||
            (!job.images.empty() && journal()->images() != job.images) ||
            (job.image && running_image() != job.image))
            return "a later start tells another story; " + state_text();
    }
    return {};
}

}  // namespace mcuota::board
