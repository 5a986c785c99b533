// Promises of the store: what was acknowledged survives, what failed changed nothing, lists are quick.
#include "db/store.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <thread>

#include "tests/unit/db/store_fixture.hpp"

using namespace mcuota;
using namespace mcuota::db;

namespace {

JobChange step(JobRecord job, JobState to, const std::string& reason) {
    JobChange change{std::move(job), JobState::queued, reason, {}, {}, {}};
    change.from = change.after.state;
    change.after.state = to;
    return change;
}

}  // namespace

TEST_CASE("a job comes back exactly as it was written") {
    TempFolder folder;
    JobRecord job = some_job();
    job.module = "MCU";
    job.source_kind = SourceKind::local;
    job.full_only = true;
    job.is_diff = true;
    job.digest_sign = "c2ln";
    {
        Store store = open_store(folder / "a.db");
        Result<std::int64_t> id =
            store.insert_job(job, "pushed", AuditRecord{0, 0, "ali", {}, "offer", "pump-1", {}, ""}, 1000);
        REQUIRE(id);
        job.id = *id;
        JobChange change = step(job, JobState::installing, "sent");
        change.after.install_token = 0xFEDCBA9876543210ULL;
        change.after.error = Error{ErrorCode::device_silent, "what", "next", 0x0407};
        change.after.package_sha256 = std::string(64, 'b');
        change.after.attempts = 3;
        REQUIRE(store.change_job(change, 2000));
    }
    Store store = open_store(folder / "a.db");
    Result<std::optional<JobRecord>> read = store.job(job.id);
    REQUIRE(read);
    REQUIRE(read->has_value());
    const JobRecord& back = **read;
    CHECK(back.state == JobState::installing);
    CHECK(back.install_token == 0xFEDCBA9876543210ULL);
    CHECK(back.error->code == ErrorCode::device_silent);
    CHECK(back.error->next == "next");
    CHECK(back.error->device_status == 0x0407);
    CHECK(back.url == job.url);
    CHECK(back.module == "MCU");
    CHECK(back.source_kind == SourceKind::local);
    CHECK(back.full_only);
    CHECK(back.is_diff);
    CHECK(back.digest_sign == "c2ln");
    CHECK(back.attempts == 3);
    CHECK(back.created_at_ms == 1000);
    CHECK(back.updated_at_ms == 2000);
    CHECK_FALSE(back.finished_at_ms);
    Result<std::vector<TransitionRecord>> life = store.transitions(job.id);
    REQUIRE(life);
    REQUIRE(life->size() == 2);
    CHECK_FALSE((*life)[0].from);
    CHECK((*life)[1].from == JobState::queued);
    CHECK((*life)[1].reason == "sent");
    CHECK(store.audit("", {}, 10)->at(0).job == job.id);
}

TEST_CASE("a change and what it tells upstream become true together or not at all") {
    TempFolder folder;
    Store store = open_store(folder / "a.db");
    JobRecord job = some_job();
    job.id = *store.insert_job(job, "pushed", {}, 1);
    JobChange change = step(job, JobState::succeeded, "done");
    change.outbox = {{0, "ali", "pump-1", "/t", "{}", 1, ""}};
    change.from = JobState::trial;  // the database says queued
    Result<void> refused = store.change_job(change, 2);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::internal);
    CHECK(store.outbox("ali", 10)->empty());
    CHECK(store.transitions(job.id)->size() == 1);

    change.from = JobState::queued;
    REQUIRE(store.change_job(change, 3));
    CHECK(store.outbox("ali", 10)->size() == 1);
    CHECK(*store.outbox_count("ali", "pump-1", INT64_MAX) == 1);
    CHECK(*store.outbox_count("ali", "pump-1", 0) == 0);
    CHECK((*store.job(job.id))->finished_at_ms == 3);

    Result<void> spoilt = store.together([&]() -> Result<void> {
        Result<void> dropped = store.drop_outbox(store.outbox("ali", 1)->front().id);
        REQUIRE(dropped);
        return Error{ErrorCode::internal, "second half fails", "", 0};
    });
    CHECK_FALSE(spoilt);
    CHECK(store.outbox("ali", 10)->size() == 1);
}

TEST_CASE("unsent messages of one key replace each other, others keep their order") {
    TempFolder folder;
    Store store = open_store(folder / "a.db");
    DeviceRecord device = **store.device("pump-1");
    const auto tell = [&](const char* payload, const char* key) {
        const OutboxRecord message{0, "ali", "pump-1", "/t", payload, 0, key};
        REQUIRE(store.save_device(device, {&message, 1}, 1));
    };
    tell("10", "progress/pump-1");
    tell("version", "");
    tell("20", "progress/pump-1");
    tell("other", "progress/pump-2");
    std::vector<std::string> payloads;
    const Result<std::vector<OutboxRecord>> unsent = store.outbox("ali", 10);
    REQUIRE(unsent);
    for (const OutboxRecord& message : *unsent)
        payloads.push_back(message.payload);
    CHECK(payloads == std::vector<std::string>{"version", "20", "other"});
    CHECK(store.outbox("other cloud", 10)->empty());
}

TEST_CASE("a device keeps what it last said, also when it leaves the configuration and comes back") {
    TempFolder folder;
    Store store = open_store(folder / "a.db");
    DeviceRecord device = **store.device("pump-1");
    CHECK_FALSE(device.reachable);
    device.reachable = true;
    device.seen_at_ms = 5;
    device.running = {1, "1.0.0", std::string(64, 'c'), 4096, 7};
    device.error = Error{ErrorCode::device_silent, "w", "n", 0};
    REQUIRE(store.save_device(device, {}, 5));
    const std::pair<std::string, std::string> only_two[] = {{"pump-2", "stm32f429-demo"}};
    REQUIRE(store.configure_devices(only_two));
    CHECK(store.devices()->size() == 1);
    const std::pair<std::string, std::string> both[] = {{"pump-1", "other-board"},
                                                        {"pump-2", "stm32f429-demo"}};
    REQUIRE(store.configure_devices(both));
    device = **store.device("pump-1");
    CHECK(device.hardware == "other-board");
    CHECK(device.reachable == true);
    CHECK(device.running.version == "1.0.0");
    CHECK(device.running.security_counter == 7);
    CHECK(device.error->code == ErrorCode::device_silent);
    CHECK_FALSE(store.device("nobody")->has_value());
}

TEST_CASE("lists filter by state, device and time, newest first") {
    TempFolder folder;
    Store store = open_store(folder / "a.db");
    for (int i = 1; i <= 6; ++i) {
        JobRecord job = some_job(i % 2 == 0 ? "pump-2" : "pump-1");
        job.id = *store.insert_job(job, "pushed", {}, i * 100);
        if (i <= 3)
            REQUIRE(
                store.change_job(step(job, i == 2 ? JobState::succeeded : JobState::failed, "end"), i * 100));
    }
    const auto ids = [&](const JobQuery& query) {
        std::vector<std::int64_t> found;
        Result<std::vector<JobRecord>> jobs = store.jobs(query);
        REQUIRE(jobs);
        for (const JobRecord& job : *jobs)
            found.push_back(job.id);
        return found;
    };
    using Ids = std::vector<std::int64_t>;
    CHECK(ids({}) == Ids{6, 5, 4, 3, 2, 1});
    CHECK(ids({{}, "", {}, 2}) == Ids{6, 5});
    CHECK(ids({{JobState::failed}, "", {}, 50}) == Ids{3, 1});
    CHECK(ids({{JobState::failed, JobState::succeeded}, "", {}, 50}) == Ids{3, 2, 1});
    CHECK(ids({{}, "pump-2", {}, 50}) == Ids{6, 4, 2});
    CHECK(ids({{}, "pump-2", 400, 50}) == Ids{6, 4});
    CHECK(ids({{JobState::queued}, "pump-1", 500, 50}) == Ids{5});
    CHECK(ids({{}, "", 300, 50}) == Ids{6, 5, 4, 3});
    CHECK(ids({{}, "", 300, 2}) == Ids{6, 5});
    CHECK(ids({{JobState::failed}, "", 200, 50}) == Ids{3});
    CHECK(ids({{}, "", 601, 50}).empty());
    CHECK(ids({{}, "x' OR '1'='1", {}, 50}).empty());
    CHECK(store.failures("pump-1", 10)->size() == 2);
    CHECK(store.failures("pump-1", 1)->front().id == 3);
    CHECK(store.failures("pump-2", 10)->empty());
    CHECK(store.unfinished_jobs()->front().id == 4);
    CHECK(store.open_failures(10)->size() == 2);
    CHECK((*store.last_finished("pump-1", SourceKind::cloud, "ali", ""))->id == 3);
    const JobCounts counts = *store.job_counts();
    CHECK(counts.unfinished == 3);
    CHECK(counts.failed == 2);
}

TEST_CASE("a later success of the same device makes failures good") {
    TempFolder folder;
    Store store = open_store(folder / "a.db");
    const auto ended = [&](const char* device, JobState state) {
        JobRecord job = some_job(device);
        job.id = *store.insert_job(job, "pushed", {}, 1);
        REQUIRE(store.change_job(step(job, state, "end"), 2));
    };
    ended("pump-1", JobState::failed);
    ended("pump-2", JobState::failed);
    ended("pump-1", JobState::succeeded);
    Result<std::vector<JobRecord>> open = store.open_failures(10);
    REQUIRE(open);
    REQUIRE(open->size() == 1);
    CHECK(open->front().device == "pump-2");
}

TEST_CASE("packages stay while an unfinished job needs them") {
    TempFolder folder;
    Store store = open_store(folder / "a.db");
    const std::string needed(64, '1'), spare(64, '2');
    REQUIRE(store.save_package({needed, 10, 1, 1}));
    REQUIRE(store.save_package({spare, 10, 2, 2}));
    JobRecord job = some_job();
    job.package_sha256 = needed;
    job.id = *store.insert_job(job, "x", {}, 1);
    Result<std::vector<PackageRecord>> unneeded = store.unreferenced_packages();
    REQUIRE(unneeded->size() == 1);
    CHECK(unneeded->front().sha256 == spare);
    REQUIRE(store.change_job(step(job, JobState::cancelled, "x"), 2));
    CHECK(store.unreferenced_packages()->size() == 2);
    REQUIRE(store.drop_package(spare));
    CHECK(store.packages()->size() == 1);
}

TEST_CASE("download marks are kept by job and leave with it") {
    TempFolder folder;
    Store store = open_store(folder / "a.db");
    const std::int64_t id = *store.insert_job(some_job(), "x", {}, 1);
    CHECK_FALSE(store.download(id)->has_value());
    REQUIRE(store.save_download(id, {4096, "\"e\"", "s"}, 1));
    REQUIRE(store.save_download(id, {8192, "\"e\"", "t"}, 2));
    CHECK((*store.download(id))->offset_bytes == 8192);
    CHECK((*store.download(id))->digest_state == "t");
    REQUIRE(store.drop_download(id));
    CHECK_FALSE(store.download(id)->has_value());
    CHECK_FALSE(store.save_download(id + 1, {1, "", ""}, 1));  // no such job
}

TEST_CASE("what was acknowledged is still there after kill -9") {
    TempFolder folder;
    open_store(folder / "a.db");
    int pipe_ends[2];
    REQUIRE(pipe(pipe_ends) == 0);
    const pid_t child = fork();
    if (child == 0) {
        Store store = open_store(folder / "a.db");
        for (;;) {
            Result<std::int64_t> id = store.insert_job(some_job(), "pushed", {}, 1);
            const std::int64_t acknowledged = id ? *id : 0;
            if (write(pipe_ends[1], &acknowledged, sizeof acknowledged) != sizeof acknowledged) _exit(1);
        }
    }
    std::int64_t acknowledged = 0;
    for (int i = 0; i < 20; ++i)
        REQUIRE(read(pipe_ends[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    close(pipe_ends[1]);
    for (std::int64_t next = 0; read(pipe_ends[0], &next, sizeof next) == sizeof next;)
        acknowledged = next;
    close(pipe_ends[0]);
    Store store = open_store(folder / "a.db");
    CHECK(store.job(acknowledged)->has_value());
    for (std::int64_t id = 1; id <= acknowledged; ++id)
        CHECK(store.transitions(id)->size() == 1);
}

TEST_CASE("a full disk is said, and changes nothing") {
    TempFolder folder;
    Store store = open_store(folder / "a.db");
    JobRecord job = some_job();
    job.id = *store.insert_job(job, "first", {}, 1);
    REQUIRE(store.limit_pages(1));  // SQLite takes the present size as the least
    JobRecord big = some_job();
    big.url = std::string(100'000, 'u');
    Result<std::int64_t> refused = store.insert_job(big, "second", {}, 1);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::disk_full);
    CHECK_FALSE(refused.error().next.empty());
    JobChange change = step(job, JobState::downloading, std::string(100'000, 'r'));
    CHECK(store.change_job(change, 2).error().code == ErrorCode::disk_full);
    CHECK((*store.job(job.id))->state == JobState::queued);
    CHECK(store.jobs({})->size() == 1);
    REQUIRE(store.limit_pages(1'000'000));
    CHECK(store.change_job(change, 3));
}

TEST_CASE("a reader sees everything without writing, with and without the daemon") {
    TempFolder folder;
    {
        Store store = open_store(folder / "a.db");
        REQUIRE(store.insert_job(some_job(), "x", {}, 1));
        Result<Store> reader = Store::open_read_only(folder / "a.db");
        REQUIRE(reader);
        CHECK(reader->jobs({})->size() == 1);
        CHECK_FALSE(reader->insert_job(some_job(), "x", {}, 1));
    }
    Result<Store> reader = Store::open_read_only(folder / "a.db");
    REQUIRE(reader);
    CHECK(reader->jobs({})->size() == 1);
    CHECK(reader->devices()->size() == 2);
}

TEST_CASE("two threads may use one store") {
    TempFolder folder;
    Store store = open_store(folder / "a.db");
    const std::int64_t id = *store.insert_job(some_job(), "x", {}, 1);
    bool saved = true;
    std::thread other([&] {
        for (std::uint64_t i = 1; i <= 50; ++i)
            saved = store.save_download(id, {i, "e", ""}, 1).ok() && saved;
    });
    for (int i = 0; i < 50; ++i)
        CHECK(store.job(id)->has_value());
    other.join();
    CHECK(saved);
    CHECK((*store.download(id))->offset_bytes == 50);
}

TEST_CASE("lists are right over 100,000 jobs of history") {
    TempFolder folder;
    {
        Store store = open_store(folder / "a.db");
        REQUIRE(store.together([&]() -> Result<void> {
            for (int i = 0; i < 100'000; ++i) {
                JobRecord job = some_job(i % 2 == 0 ? "pump-1" : "pump-2");
                job.state = i % 100 == 0 ? JobState::failed : JobState::succeeded;
                Result<std::int64_t> id = store.insert_job(job, "history", {}, i);
                if (!id) return std::move(id).error();
            }
            return {};
        }));
    }
    Result<Store> store = Store::open(folder / "a.db");
    REQUIRE(store);
    CHECK(store->jobs({})->size() == 50);
    CHECK(store->jobs({{JobState::failed}, "", {}, 50})->size() == 50);
    CHECK(store->jobs({{JobState::trial}, "", {}, 50})->empty());
    CHECK(store->jobs({{JobState::failed}, "pump-2", {}, 50})->empty());
    CHECK(store->jobs({{}, "pump-1", 99'990, 50})->size() == 5);
    CHECK(store->jobs({{}, "", 99'990, 50})->size() == 10);
    CHECK(store->unfinished_jobs()->empty());
    CHECK(store->open_failures(5)->empty());
}
