// Builds the cases: images, packages with host-encoded payloads, devices brought to where the job begins.
#include "tests/powercut/host/scenarios.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "mcu_flasher/package/delta/delta.hpp"

namespace mcuota::powercut {
namespace {

using device::Region;
using test::Bytes;
using test::PackageSpec;
using test::TestDevice;
using test::TestPackage;

constexpr std::uint64_t kFirstToken = 0x1000;
constexpr std::uint64_t kEarlierToken = 76;
constexpr std::uint64_t kToken = 77;
constexpr std::uint64_t kNextToken = 78;

constexpr std::size_t kPairOldBytes = 64, kPairNewBytes = 48, kPairNextBytes = 1024;

constexpr std::uint32_t kRotationsBytes = 1024;  // more than three records take

struct Kind {
    const char* scenario;
    PayloadKind kind;
};
constexpr std::array kKinds{Kind{"full", PayloadKind::raw},
                            Kind{"lzma", PayloadKind::lzma},
                            Kind{"lzma-thumb", PayloadKind::lzma_thumb},
                            Kind{"hdiffsf20", PayloadKind::hdiffsf20},
                            Kind{"hdiff13", PayloadKind::hdiff13},
                            Kind{"relocated", PayloadKind::relocated},
                            Kind{"patch", PayloadKind::hdiffsf20}};

/// An update, named by its kind of payload.
bool is_payload(const std::string& scenario) {
    return std::any_of(kKinds.begin(), kKinds.end(),
                       [&](const Kind& one) { return scenario == one.scenario; });
}

/// The old image with some bytes changed, some put in, and cut or grown to `size`: what a delta is for.
Bytes relative_of(const Bytes& old_image, std::size_t size) {
    Bytes image = old_image;
    image.insert(image.begin() + static_cast<std::ptrdiff_t>(image.size() / 3), {0x70, 0x47, 0x00, 0xBF});
    for (std::size_t at = 40; at + 4 < image.size(); at += 509) {
        image[at] = static_cast<std::uint8_t>(image[at] + 4);
    }
    const Bytes more = test::make_image(size, 7);
    while (image.size() < size) {
        image.push_back(more[image.size()]);
    }
    image.resize(size);
    return image;
}

/// The old image with two bytes changed: most erase units stay as they are.
Bytes patched(const Bytes& old_image) {
    Bytes image = old_image;
    image[image.size() / 2] ^= 0x11U;
    image[image.size() / 2 + 1] ^= 0x22U;
    return image;
}

class Builder {
  public:
    Builder(const std::string& scenario, const NamedGeometry& geometry, const std::string& size)
        : scenario_{scenario},
          size_{size},
          model_{geometry.geometry},
          running_bytes_{model_.size_bytes(Region::running)},
          sector_bytes_{model_.erase_unit_bytes(Region::running, 0)},
          case_{scenario + "/" + geometry.name + "/" + size,
                {},
                TestDevice{geometry.geometry},
                {},
                {},
                {},
                {},
                {},
                2,
                {},
                {}} {
        case_.start.product.payload_kinds = 0x7E;
        case_.start.agent_has_keys = false;
    }

    Case build() {
        const std::size_t bytes = new_bytes();
        const bool pair = size_ == "pair";
        old_ = test::make_image(pair ? kPairOldBytes : usual_bytes() + sector_bytes_ / 3, 1);
        new_ = test::make_image(bytes, 2);
        const auto delta = std::find_if(kKinds.begin(), kKinds.end(),
                                        [&](const Kind& one) { return scenario_ == one.scenario; });
        const PayloadKind kind = delta == kKinds.end() ? PayloadKind::raw : delta->kind;
        if (kind >= PayloadKind::hdiffsf20) {
            new_ = scenario_ == "patch" ? patched(old_) : relative_of(old_, bytes);
        }
        case_.next_image = test::make_image(pair ? kPairNextBytes : sector_bytes_ + 40, 3);
        const bool rotates = scenario_.starts_with("rotation");
        // The first two rotations retire the built-in keys for new packages; a third one the key they
        // brought.
        const bool again = scenario_ == "rotation-again";
        if (rotates) {
            case_.start.agent_has_keys = true;
            new_key_ = next_key_ = again ? &test::fourth_key() : &test::third_key();
        }
        case_.next_job = {&package(case_.next_image, "3.0.0", PayloadKind::raw, next_key_), kNextToken, 700};
        fresh_ = &package(new_, "2.0.0", kind, new_key_);
        case_.job = {fresh_, kToken, 300};
        if (scenario_ != "first") {
            bring_to({&package(old_, "1.0.0", PayloadKind::raw), kFirstToken, 4000}, Status::ok);
        }
        if (rotates) {
            rotate(again);
        }
        arrange();
        case_.old_image = old_;
        case_.new_image = new_;
        return std::move(case_);
    }

  private:
    [[nodiscard]] std::size_t usual_bytes() const {
        return std::min<std::size_t>(running_bytes_ / 3 * 2, 20000);
    }

    [[nodiscard]] std::size_t new_bytes() const {
        if (size_ == "1") return 1;
        if (size_ == "8") return 8;
        if (size_ == "sector-1") return sector_bytes_ - 1;
        if (size_ == "sector") return sector_bytes_;
        if (size_ == "sector+1") return sector_bytes_ + 1;
        if (size_ == "max") return running_bytes_;
        if (size_ == "max+1") return running_bytes_ + 1;
        if (size_ == "pair") return kPairNewBytes;
        return usual_bytes();
    }

    TestPackage& package(const Bytes& image, const char* version, PayloadKind kind,
                         const test::TestKey* key = nullptr) {
        PackageSpec spec;
        spec.image = image;
        spec.key = key;
        spec.version = version;
        spec.kind = kind;
        if (kind >= PayloadKind::hdiffsf20) {
            spec.base = old_;
            delta::EncodeOptions options;
            options.load_address = test::kLoadAddress;
            options.memory_bytes_max = 48U * 1024;
            auto encoded = delta::encode(static_cast<delta::Format>(kind), old_, image, options);
            if (!encoded.ok()) {
                throw std::runtime_error{"no delta for " + case_.id};
            }
            spec.payload = std::move(encoded.value().bytes);
        }
        if (scenario_ == "wrong-image" && &image == &new_) {
            // Signed and listed, but what comes out is not what the manifest says.
            spec.payload = image;
            spec.payload[image.size() / 2] ^= 0x40U;
        }
        case_.packages.push_back(std::make_shared<TestPackage>(test::make_package(spec)));
        case_.start.authentic.push_back(case_.packages.back()->image_sha256);
        return *case_.packages.back();
    }

    void bring_to(const test::GatewayJob& job, Status status) {
        const test::JobEnd end = case_.start.perform(job);
        if (!end.ended || end.status != status || !end.trouble.empty()) {
            throw std::runtime_error{"the device of " + case_.id + " could not be prepared: " + end.trouble};
        }
    }

    /// Stages the new package as far as told, and asks for its installation when that is all.
    void stage(std::size_t bytes) {
        bool staged = false;
        static_cast<void>(case_.start.as_agent([&](device::AgentTarget& target) {
            link::Held held;
            staged = target.offer(fresh_->offer(), held) == Status::ok &&
                     target.write(0, std::span{fresh_->envelope}.first(bytes)) == Status::ok;
            if (staged && bytes == fresh_->envelope.size()) {
                staged = target.finish() == Status::ok && target.install(kToken) == Status::ok;
            }
        }));
        if (!staged) {
            throw std::runtime_error{"the package of " + case_.id + " could not be staged"};
        }
    }

    /// Where the bytes of the present backup begin in its region.
    std::uint32_t backup_begin() {
        return device::bank_offset(case_.start.flash, case_.start.journal().backup_bank);
    }

    void behaves(test::Application behaviour) {
        case_.start.applications.emplace_back(fresh_->image_sha256, behaviour);
    }

    /// The job brings two rotations, or a third one to a device that took two before.
    void rotate(bool again) {
        static const test::TestKey fifth;
        case_.job.rotations = {test::make_rotation(test::next_key(), test::third_key(), 1),
                               test::make_rotation(test::third_key(), test::fourth_key(), 2)};
        if (again) {
            bring_to({&package(patched(old_), "1.5.0", PayloadKind::raw, &test::third_key()), kEarlierToken,
                      4000, case_.job.rotations},
                     Status::ok);
            old_ = patched(old_);
            case_.job.rotations.push_back(test::make_rotation(test::fourth_key(), fifth, 3));
        }
    }

    void fill_journal() {
        unsigned records = 0;
        std::from_chars(size_.data() + 4, size_.data() + size_.size(), records);
        device::Journal journal{case_.start.flash};
        Status status = journal.mount();
        for (; records > 0 && status == Status::ok; --records) {
            status = journal.append(journal.state());
        }
        if (status != Status::ok) {
            throw std::runtime_error{"the journal of " + case_.id + " could not be filled"};
        }
    }

    void arrange() {
        const Ending old_runs_for{Status::trial_not_confirmed, false, old_};
        case_.endings = {{Status::ok, false, new_}};
        case_.also = {old_runs_for,
                      {Status::trial_watchdog, false, old_},
                      {Status::install_attempts_spent, false, old_}};
        if (size_ == "1") {
            case_.endings = {{Status::vectors_invalid, false, old_}};
        } else if (size_ == "8") {
            // Vectors and nothing else: the entry point lies behind its 5th byte, inside.
            case_.endings = {{Status::ok, false, new_}};
        } else if (size_ == "max+1") {
            case_.endings = {{Status::image_too_large, true, old_, true}};
        }
        if (scenario_ == "first") {
            case_.also = {{Status::trial_not_confirmed, false, {}}, {Status::trial_watchdog, false, {}}};
        } else if (scenario_ == "staging") {
            stage(fresh_->envelope.size() * 2 / 3);
            case_.job.chunk_bytes = 97;
        } else if (scenario_ == "confirm") {
            stage(fresh_->envelope.size());
            static_cast<void>(case_.start.start_loader(test::kCauseSoftware));
            case_.starts_to_lose = 1;  // one trial boot is used
        } else if (scenario_ == "revert") {
            behaves(test::Application::never_confirms);
            case_.endings = {old_runs_for, {Status::trial_watchdog, false, old_}};
        } else if (scenario_ == "revert-watchdog") {
            behaves(test::Application::hangs);
            case_.endings = {old_runs_for, {Status::trial_watchdog, false, old_}};
        } else if (scenario_ == "revert-damaged") {
            // The new image waits for its trial, the backup it would return to has lost a bit.
            stage(fresh_->envelope.size());
            behaves(test::Application::never_confirms);
            static_cast<void>(case_.start.start_loader(test::kCauseSoftware));
            case_.start.flash.raw(Region::backup)[backup_begin() + old_.size() / 2] ^= 0x08;
            case_.endings = {{Status::trial_not_confirmed, false, {}}, {Status::trial_watchdog, false, {}}};
            case_.also.clear();
        } else if (scenario_ == "wrong-image") {
            case_.endings = {{Status::image_hash_mismatch, false, old_, true}};
            case_.also = {{Status::install_attempts_spent, false, old_, true}};
        } else if (scenario_ == "rollback") {
            bring_to({fresh_, kEarlierToken, 4000}, Status::ok);
            case_.job.package = nullptr;
            case_.endings = {{Status::rolled_back, false, old_}};
            case_.also = {{Status::install_attempts_spent, false, new_}};
        } else if (scenario_ == "recovery") {
            bring_to({fresh_, kToken, 4000}, Status::ok);
            case_.start.flash.raw(Region::running)[new_.size() / 2] ^= 0x08;
            case_.endings = {{Status::ok, false, old_}};
            case_.also.clear();
        } else if (scenario_.starts_with("ahead")) {
            arrange_ahead();
        } else if (scenario_ == "rollover") {
            fill_journal();
        }
    }

    /// The application copies itself into the spare bank while it runs: all of it, or so little that the
    /// loader makes the backup itself.
    void arrange_ahead() {
        case_.start.ahead_steps_max = scenario_ == "ahead-begun" ? 4 : 1000;
        if (scenario_ == "ahead-revert") {
            // Once more before: the backup lies in the second bank then.
            Bytes middle = patched(old_);
            bring_to({&package(middle, "1.5.0", PayloadKind::raw), kEarlierToken, 4000}, Status::ok);
            old_ = std::move(middle);
            behaves(test::Application::never_confirms);
            case_.endings = {{Status::trial_not_confirmed, false, old_},
                             {Status::trial_watchdog, false, old_}};
            case_.also = {{Status::install_attempts_spent, false, old_}};
        } else if (scenario_ == "ahead-rollback") {
            bring_to({fresh_, kEarlierToken, 4000}, Status::ok);
            case_.job.package = nullptr;
            case_.endings = {{Status::rolled_back, false, old_}};
            case_.also = {{Status::install_attempts_spent, false, new_}};
        }
    }

    const std::string& scenario_;
    const std::string& size_;
    test::FlashModel model_;
    std::size_t running_bytes_;
    std::size_t sector_bytes_;
    Case case_;
    Bytes old_;
    Bytes new_;
    TestPackage* fresh_{nullptr};
    const test::TestKey* new_key_{nullptr};   ///< signs the new package; null: the built-in one
    const test::TestKey* next_key_{nullptr};  ///< signs the one after it
};

}  // namespace

const std::vector<std::string>& scenario_names() {
    static const std::vector<std::string> names{
        "full",           "lzma",     "lzma-thumb",  "hdiffsf20",      "hdiff13",       "relocated",
        "patch",          "first",    "staging",     "confirm",        "revert",        "revert-watchdog",
        "rollback",       "rollover", "recovery",    "revert-damaged", "wrong-image",   "rotation",
        "rotation-again", "ahead",    "ahead-begun", "ahead-revert",   "ahead-rollback"};
    return names;
}

const std::vector<std::string>& size_names() {
    static const std::vector<std::string> names{"usual", "1",     "8",     "sector-1", "sector", "sector+1",
                                                "max",   "max+1", "pair",  "fill0",    "fill1",  "fill2",
                                                "fill3", "fill4", "fill5", "fill6",    "fill7"};
    return names;
}

bool is_case(const std::string& scenario, const NamedGeometry& geometry, const std::string& size) {
    const auto known = [](const std::vector<std::string>& names, const std::string& name) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    if (!known(scenario_names(), scenario) || !known(size_names(), size)) {
        return false;
    }
    const test::FlashModel flash{geometry.geometry};
    const bool has_key_areas = device::flag_layout(flash, Region::flag_a).keys_bytes >= kRotationsBytes;
    if ((scenario.starts_with("ahead") && !device::has_two_banks(flash)) ||
        (scenario.starts_with("rotation") && !has_key_areas)) {
        return false;
    }
    if (size.starts_with("fill") || scenario == "rollover") {
        return size.starts_with("fill") && scenario == "rollover";
    }
    if (size == "pair") {
        // Those the board has as well, whatever the payload; a transfer of 48 bytes cannot be interrupted.
        return scenario == "full" || (!is_payload(scenario) && scenario != "staging");
    }
    if (size == "1" || size == "max+1") {  // refused: there is nothing to revert, confirm or roll back
        return is_payload(scenario) && scenario != "patch";
    }
    return size == "usual" || (scenario != "patch" && scenario != "wrong-image");
}

std::optional<Case> make_case(const std::string& scenario, const NamedGeometry& geometry,
                              const std::string& size) {
    return is_case(scenario, geometry, size) ? std::optional{Builder{scenario, geometry, size}.build()}
                                             : std::nullopt;
}

}  // namespace mcuota::powercut
