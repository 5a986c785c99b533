// The stand-ins around the engine.
#include "tests/unit/job/plant.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <mutex>

#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/link/device_error.hpp"
#include "mcu_flasher/link/image_state.hpp"
#include "mcu_loader/core/rotation.hpp"
#include "mcu_loader/core/sha256.hpp"

namespace mcuota::job {
namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace {

std::optional<Error> next_error(std::vector<Error>& errors) {
    if (errors.empty()) return std::nullopt;
    Error error = errors.front();
    errors.erase(errors.begin());
    return error;
}

// Ends only by cancellation, as a silent line does.
asio::awaitable<void> forever() {
    asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await timer.async_wait(asio::use_awaitable);
}

template <std::size_t N>
BoundedText<N> text(const std::string& from) {
    BoundedText<N> out;
    std::copy(from.begin(), from.end(), out.bytes.begin());
    out.length = static_cast<std::uint8_t>(from.size());
    return out;
}

class FakePort final : public DevicePort {
  public:
    explicit FakePort(FakeDevice& device) : device_(device) {}

    asio::awaitable<Result<link::Identity>> identify() override {
        ++device_.asked;
        if (device_.hang_identify) co_await forever();
        if (std::optional<Error> error = next_error(device_.identify_errors)) co_return *error;
        co_return identity();
    }
    asio::awaitable<Result<link::Identity>> after_trial(link::Identity) override {
        if (device_.hang_trial) co_await forever();
        if (std::optional<Error> error = next_error(device_.follow_errors)) co_return *error;
        device_.running_state = flasher::kImageConfirmed;
        co_return identity();
    }
    asio::awaitable<Result<void>> send(std::span<const std::uint8_t> envelope,
                                       flasher::ProgressFn progress) override {
        flasher::Progress now;
        now.phase = flasher::Progress::Phase::sending;
        now.bytes = envelope.size() / 2;
        now.bytes_total = envelope.size();
        progress(now);
        if (device_.hang_send) co_await forever();
        if (std::optional<Error> error = next_error(device_.send_errors)) co_return *error;
        const auto kind = static_cast<PayloadKind>(envelope[12]);
        device_.sent.push_back(kind);
        const auto refusal = device_.refuses_at_finish.find(kind);
        if (refusal != device_.refuses_at_finish.end() && device_.on_refusal) device_.on_refusal();
        if (refusal != device_.refuses_at_finish.end())
            co_return flasher::error_from_status(refusal->second, "sending");
        device_.staged.assign(envelope.begin(), envelope.end());
        co_return Result<void>();
    }
    asio::awaitable<Result<flasher::InstallReport>> install(std::uint64_t token,
                                                            flasher::ProgressFn progress) override {
        if (std::optional<Error> error = next_error(device_.install_errors)) co_return *error;
        if (!device_.deaf_to_install && !device_.outcomes.contains(token)) perform(token);
        co_return co_await report(token, progress);
    }
    asio::awaitable<Result<flasher::InstallReport>> rollback(std::uint64_t token,
                                                             flasher::ProgressFn progress) override {
        if (std::optional<Error> error = next_error(device_.install_errors)) co_return *error;
        if (!device_.outcomes.contains(token)) {
            device_.outcomes[token] = device_.backup_breaks ? Status::backup_damaged : Status::rolled_back;
            ++device_.rollbacks;
            if (!device_.backup_breaks) {
                device_.version = device_.backup_version;  // and it stays the backup
                device_.running = device_.backup;
            }
        }
        co_return co_await report(token, progress);
    }
    asio::awaitable<Result<flasher::InstallReport>> follow(std::uint64_t token,
                                                           flasher::ProgressFn progress) override {
        if (std::optional<Error> error = next_error(device_.follow_errors)) co_return *error;
        co_return co_await report(token, progress);
    }
    asio::awaitable<Result<std::uint16_t>> rotate(std::span<const std::uint8_t> record) override {
        if (device_.refuses_rotation) co_return *device_.refuses_rotation;
        device_.rotations.emplace_back(record.begin(), record.end());
        co_return ++device_.key_generation;
    }
    void close() override {}

  private:
    link::Identity identity() const {
        link::Identity identity;
        identity.role = link::Role::agent;
        identity.hardware = text<kHardwareBytesMax>(device_.hardware);
        identity.loader_version = text<kVersionBytesMax>("0.1.0");
        identity.running.state = device_.running_state;
        identity.running.version = text<kVersionBytesMax>(device_.version);
        identity.running.sha256 = device_.running;
        identity.running.size_bytes = 4096;
        if (!device_.backup_version.empty()) {
            identity.backup.state = device_.backup_damaged ? 2 : 1;
            identity.backup.version = text<kVersionBytesMax>(device_.backup_version);
            identity.backup.sha256 = device_.backup;
            identity.backup.size_bytes = 4096;
        }
        identity.image_bytes_max = 896U << 10;
        identity.load_address = 0x08020000;
        identity.decoder_memory_bytes = 64U << 10;
        identity.download_bytes = 2U << 20;
        identity.payload_kinds = 0xFF;
        identity.key_generation = device_.key_generation;
        identity.key_current = device_.key_current;
        return identity;
    }
    // The device does it on its own, whoever listens.
    void perform(std::uint64_t token) {
        Manifest manifest;
        const std::size_t size = device_.staged[4] + device_.staged[5] * 256U;
        REQUIRE(parse_manifest(std::span(device_.staged).subspan(24, size), manifest) == Status::ok);
        const auto refusal = device_.refuses_in_rehearsal.find(static_cast<PayloadKind>(device_.staged[12]));
        if (refusal != device_.refuses_in_rehearsal.end()) {
            device_.outcomes[token] = refusal->second;
            return;
        }
        device_.outcomes[token] = device_.install_ends.value_or(Status::ok);
        ++device_.installs;
        if (device_.install_ends) return;
        device_.backup_version = device_.version;
        device_.backup = device_.running;
        device_.version = manifest.version.view();
        device_.running = manifest.image_sha256;
    }
    asio::awaitable<Result<flasher::InstallReport>> report(std::uint64_t token,
                                                           flasher::ProgressFn progress) {
        const auto outcome = device_.outcomes.find(token);
        if (outcome != device_.outcomes.end()) {
            const bool goes_back =
                outcome->second == Status::rolled_back || outcome->second == Status::backup_damaged;
            const auto tell = [&](link::Step step, std::uint64_t percent) {
                flasher::Progress now;
                now.phase = step == link::Step::trial ? flasher::Progress::Phase::trial
                                                      : flasher::Progress::Phase::installing;
                now.step = step;
                now.bytes = percent;
                now.bytes_total = 100;
                progress(now);
            };
            if (goes_back) tell(link::Step::check, 100);
            tell(goes_back ? link::Step::restore : link::Step::apply, 0);
            tell(goes_back ? link::Step::restore : link::Step::apply, 100);
            if (!goes_back) tell(link::Step::trial, 0);
            if (device_.hang_trial) co_await forever();
            const bool restores =
                outcome->second != Status::ok && !goes_back && !package::refuses_payload(outcome->second);
            if (restores) tell(link::Step::restore, 0);
            if (goes_back || restores) tell(link::Step::verify, 0);
        }
        const Status status = outcome == device_.outcomes.end() ? Status::unknown_token : outcome->second;
        co_return flasher::InstallReport{status, identity()};
    }
    FakeDevice& device_;
};

class FakeFetcher final : public Fetcher {
  public:
    explicit FakeFetcher(Plant& plant) : plant_(plant) {}
    asio::awaitable<Result<download::Done>> fetch(
        download::Request request, std::function<void(const download::Progress&)> progress) override {
        ++plant_.fetches;
        progress({plant_.package_file.size() / 2, plant_.package_file.size(), 1000});
        if (plant_.hang_fetch) co_await forever();
        if (std::optional<Error> error = next_error(plant_.fetch_errors)) co_return *error;
        std::ofstream(request.partial_file, std::ios::binary)
            .write(reinterpret_cast<const char*>(plant_.package_file.data()),
                   static_cast<std::streamsize>(plant_.package_file.size()));
        co_return download::Done{plant_.package_file.size(), to_hex(sha256(plant_.package_file)), 0};
    }

  private:
    Plant& plant_;
};

class FakeCloud final : public cloud::Cloud {
  public:
    FakeCloud(FakeCloudLog& log, cloud::CloudSink& sink) : log_(log), sink_(sink) {}
    void start() override { sink_.on_link("ali", true, ""); }
    void stop() override {}
    std::vector<cloud::OutMessage> encode(const cloud::Report& report) const override {
        log_.encoded.push_back(report);
        switch (report.kind) {
            case cloud::Report::Kind::version:
                return {{"version", "version " + report.version, 1, ""}};
            case cloud::Report::Kind::failure:
                return {{"progress", "failure " + std::string(to_string(report.error->code)), 1, ""}};
            case cloud::Report::Kind::progress:
                break;
        }
        return {{"progress", "progress " + std::to_string(report.percent), 0, "progress/" + report.device}};
    }
    void outbox_changed() override {}
    void request_offer(const std::string& device, const std::string&) override {
        log_.offers_requested.push_back(device);
    }
    bool connected() const override { return true; }

  private:
    FakeCloudLog& log_;
    cloud::CloudSink& sink_;
};

class KeptLog final : public Log {
  public:
    std::size_t count(const std::string& text) {
        const std::lock_guard lock(mutex_);
        return static_cast<std::size_t>(std::count_if(lines_.begin(), lines_.end(), [&](const auto& line) {
            return line.find(text) != std::string::npos;
        }));
    }

  protected:
    void put(const std::string& line) override {
        const std::lock_guard lock(mutex_);
        lines_.push_back(line);
    }

  private:
    std::mutex mutex_;
    std::vector<std::string> lines_;
};

}  // namespace

struct Plant::Running {
    explicit Running(Plant& plant) : fetcher(plant) {}
    asio::thread_pool pool{2};
    KeptLog log;
    FakeFetcher fetcher;
    std::unique_ptr<PackageCache> cache;
    bool stopped{false};
};

Plant::Plant(const std::string& device_cloud) : state_(folder_ / "state-0") {
    Result<package::OpensslKey> key = package::OpensslKey::generate(SignatureAlgorithm::ecdsa_p256_sha256);
    REQUIRE(key);
    public_pem_ = *key->public_pem();
    signer_ = std::make_unique<package::KeySigner>(std::move(*key));
    config_.policy = {3, 10, 40, 50};
    cloud::CloudConfig cloud;
    cloud.name = "ali";
    config_.clouds.push_back(cloud);
    config_.devices.push_back(
        {"pump-1", "stm32f429-demo", "uart:/dev/null", "", device_cloud.empty() ? "ali" : "", ""});
    make_package("2.0.0");
}

// A stop whose checks fail here ends the test program, and should.
Plant::~Plant() {  // NOLINT(bugprone-exception-escape)
    if (running_) stop();
}

void Plant::make_package(const std::string& version, const std::string& hardware) {
    std::vector<std::uint8_t> image(4096, 0x5A);
    std::copy(version.begin(), version.end(), image.begin());
    package::BuildRequest request;
    request.hardware = hardware;
    request.version = version;
    Result<package::Package> package = package::build_package(image, request, *signer_);
    REQUIRE(package);
    image_sha256 = package->entries[0].manifest.image_sha256;
    package_file = *package::serialize(*package);
    package_ = std::move(*package);
}

void Plant::add_payload(PayloadKind kind, std::size_t bytes) {
    package::Entry& entry = package_.entries[0];
    const std::vector<std::uint8_t> content(bytes, static_cast<std::uint8_t>(kind));
    PayloadEntry payload{kind, static_cast<std::uint32_t>(bytes), sha256(content), 0, {}, 4096};
    if (kind >= PayloadKind::hdiffsf20) {
        payload.base_size_bytes = 4096;
        payload.base_sha256 = device.running;
    }
    entry.payloads.push_back(content);
    entry.manifest.payloads[entry.manifest.payload_count++] = payload;
    sign_again();
}

void Plant::add_requirement(const std::string& name, const std::string& version) {
    Manifest& manifest = package_.entries[0].manifest;
    manifest.required[manifest.requires_count++] = {text<kHardwareBytesMax>(name),
                                                    text<kVersionBytesMax>(version)};
    sign_again();
}

void Plant::add_rotation(std::uint16_t generation) {
    const std::vector<std::uint8_t> key(256, 0x81);
    RotationRecord record;
    record.generation = generation;
    record.algorithm = SignatureAlgorithm::rsa_2048_pkcs1_sha256;
    record.next_key = key;
    std::vector<std::uint8_t> bytes(kRotationBytesMax);
    bytes.resize(encode_rotation(record, 64, bytes) + 64);
    package_.rotations.push_back(bytes);
    package_file = *package::serialize(package_);
}

void Plant::add_neighbour(const std::string& name, const std::string& hardware) {
    config_.devices.push_back({name, hardware, "uart:/dev/neighbour", "", "ali", ""});
    neighbour.hardware = hardware;
}

void Plant::sign_again() {
    package::Entry& entry = package_.entries[0];
    entry.manifest_bytes.resize(kManifestBytesMax);
    entry.manifest_bytes.resize(encode_manifest(entry.manifest, entry.manifest_bytes));
    entry.signature = *signer_->sign(entry.manifest_bytes);
    package_file = *package::serialize(package_);
}

std::size_t Plant::logged(const std::string& text) {
    return running_->log.count(text);
}

void Plant::start() {
    loop = std::make_unique<asio::io_context>(1);
    running_ = std::make_unique<Running>(*this);
    fs::create_directories(state_);
    Result<db::Store> opened = db::Store::open(state_ / db::kDatabaseFile);
    REQUIRE(opened);
    store = std::make_unique<db::Store>(std::move(*opened));
    package::Keyring keyring;
    REQUIRE(keyring.add_pem(public_pem_, "test"));
    running_->cache = std::make_unique<PackageCache>(state_, *store, std::move(keyring), 1U << 20);
    REQUIRE(running_->cache->prepare());
    EngineParts parts{
        loop->get_executor(),
        running_->pool,
        *store,
        *running_->cache,
        running_->fetcher,
        running_->log,
        [this](const std::string& link) {
            return std::make_unique<FakePort>(link == "uart:/dev/neighbour" ? neighbour : device);
        },
        [this](const cloud::CloudConfig&, Engine& sink) -> Result<std::unique_ptr<cloud::Cloud>> {
            return std::unique_ptr<cloud::Cloud>(std::make_unique<FakeCloud>(cloud_log, sink));
        },
        {},
        [] {
            return std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                .count();
        },
        {}};
    parts.look_again_ms = look_again_ms;
    engine = std::make_unique<Engine>(std::move(parts), config_);
    REQUIRE(engine->start());
}

void Plant::stop() {
    bool stopped = false;
    engine->stop([&] { stopped = true; });
    CHECK(until([&] { return stopped; }, 2'000));
    running_->pool.join();
    loop->restart();
    loop->poll();
    engine.reset();
    store.reset();
    running_.reset();
    loop.reset();
}

void Plant::kill() {
    const fs::path copy = folder_ / ("state-" + std::to_string(++generation_));
    fs::copy(state_, copy, fs::copy_options::recursive);
    const FakeDevice alive = device;  // it does not notice
    stop();
    device = alive;
    state_ = copy;
}

bool Plant::until(const std::function<bool()>& met, int limit_ms) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(limit_ms);
    while (!met()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        loop->restart();
        loop->run_one_for(std::chrono::milliseconds(50));
    }
    return true;
}

db::JobRecord Plant::job(std::int64_t id) {
    Result<std::optional<db::JobRecord>> record = store->job(id);
    REQUIRE(record);
    REQUIRE(record->has_value());
    return **record;
}

bool Plant::until_state(std::int64_t id, db::JobState state) {
    const bool met = until([&] {
        const Result<std::optional<db::JobRecord>> record = store->job(id);
        return record && *record && (**record).state == state;
    });
    if (!met) UNSCOPED_INFO("job is " << to_string(job(id).state));
    return met;
}

std::vector<std::string> Plant::life(std::int64_t id) {
    Result<std::vector<db::TransitionRecord>> transitions = store->transitions(id);
    REQUIRE(transitions);
    std::vector<std::string> states;
    for (const db::TransitionRecord& transition : *transitions)
        states.emplace_back(to_string(transition.to));
    return states;
}

std::vector<std::string> Plant::told() {
    std::vector<std::string> messages;
    for (const cloud::Outbox::Item& item : engine->pending("ali", 100))
        messages.push_back(item.message.payload);
    return messages;
}

cloud::Offer Plant::offer(const std::string& version, const std::string& url) {
    cloud::Offer offer;
    offer.provider = "ali";
    offer.device = "pump-1";
    offer.request_id = "1";
    offer.version = version;
    offer.size_bytes = package_file.size();
    offer.digest_kind = cloud::DigestKind::sha256;
    offer.digest_hex = to_hex(sha256(package_file));
    offer.url = url;
    return offer;
}

Result<std::vector<api::InstallView>> Plant::install_local(bool dry_run) {
    const fs::path file = engine->upload_dir() / "upload";
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(package_file.data()),
               static_cast<std::streamsize>(package_file.size()));
    const std::string sha256_hex = to_hex(sha256(package_file));
    Result<api::PackageView> adopted = wait_for(engine->adopt_package(file, sha256_hex));
    if (!adopted) return std::move(adopted).error();
    api::InstallRequest request;
    request.package_sha256 = sha256_hex;
    request.devices = {"pump-1"};
    request.dry_run = dry_run;
    request.caller = {0, "anna"};
    return wait_for(engine->install(request));
}

}  // namespace mcuota::job
