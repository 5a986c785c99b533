// The content-addressed package cache.
#include "daemon/job/package_cache.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <system_error>
#include <vector>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/package/artifact.hpp"

namespace mcuota::job {
namespace fs = std::filesystem;
namespace {

Error file_error(const fs::path& file, int code) {
    const std::string what =
        file.string() + ": " + std::strerror(code);  // NOLINT(concurrency-mt-unsafe): glibc's is
    if (code == ENOSPC || code == EDQUOT)
        return {ErrorCode::disk_full, what, "free space on this file system"};
    return {ErrorCode::file_unwritable, what, "check the state folder and who owns it"};
}

Result<void> sync_path(const fs::path& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
    if (fd < 0) return file_error(path, errno);
    const int code = ::fsync(fd) == 0 ? 0 : errno;
    ::close(fd);
    if (code != 0) return file_error(path, code);
    return {};
}

std::string digest_raw(std::span<const std::uint8_t> bytes, const EVP_MD* kind) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, kind, nullptr) != 1) return {};
    return {reinterpret_cast<const char*>(digest.data()), size};
}

}  // namespace

PackageCache::PackageCache(fs::path state_dir, db::Store& store, package::Keyring keyring,
                           std::uint64_t file_bytes_max)
    : state_dir_(std::move(state_dir)),
      store_(store),
      keyring_(std::move(keyring)),
      file_bytes_max_(file_bytes_max) {}

package::ArtifactLimits PackageCache::limits() const noexcept {
    package::ArtifactLimits limits;
    limits.file_bytes_max = file_bytes_max_;
    limits.package_bytes_max = file_bytes_max_;
    return limits;
}
fs::path PackageCache::file(const std::string& sha256) const {
    return state_dir_ / "packages" / (sha256 + ".mcup");
}
fs::path PackageCache::partial_file(std::int64_t job) const {
    return state_dir_ / "partial" / (std::to_string(job) + ".part");
}
bool PackageCache::holds(const std::string& sha256) const {
    std::error_code ignored;
    return !sha256.empty() && fs::is_regular_file(file(sha256), ignored);
}
void PackageCache::forget_partial(std::int64_t job) const {
    std::error_code ignored;
    fs::remove(partial_file(job), ignored);
}

Result<void> PackageCache::prepare() {
    for (const char* name : {"packages", "partial", "incoming"}) {
        std::error_code error;
        fs::create_directories(state_dir_ / name, error);
        if (error) return file_error(state_dir_ / name, error.value());
    }
    Result<std::vector<db::JobRecord>> unfinished = store_.unfinished_jobs();
    if (!unfinished) return std::move(unfinished).error();
    std::set<fs::path> needed;
    for (const db::JobRecord& job : *unfinished) {
        needed.insert(partial_file(job.id));
        needed.insert(file(job.package_sha256));
    }
    for (const char* name : {"packages", "partial", "incoming"}) {
        std::error_code ignored;
        std::vector<fs::path> spare;
        for (const fs::directory_entry& entry : fs::directory_iterator(state_dir_ / name, ignored))
            if (!needed.contains(entry.path())) spare.push_back(entry.path());
        for (const fs::path& path : spare)
            fs::remove(path, ignored);
    }
    Result<std::vector<db::PackageRecord>> unneeded = store_.unreferenced_packages();
    if (!unneeded) return std::move(unneeded).error();
    for (const db::PackageRecord& package : *unneeded) {
        Result<void> dropped = store_.drop_package(package.sha256);
        if (!dropped) return dropped;
    }
    return {};
}

Result<void> PackageCache::adopt(const fs::path& from, const std::string& sha256, db::TimeMs now_ms) {
    std::error_code error;
    const std::uint64_t size = fs::file_size(from, error);
    if (error) return file_error(from, error.value());
    Result<void> synced = sync_path(from, O_RDONLY);
    if (!synced) return synced;
    fs::rename(from, file(sha256), error);
    if (error) return file_error(file(sha256), error.value());
    synced = sync_path(state_dir_ / "packages", O_RDONLY | O_DIRECTORY);
    if (!synced) return synced;
    return store_.save_package({sha256, size, now_ms, now_ms});
}

Result<package::Package> PackageCache::open_all(const fs::path& path) const {
    Result<package::Package> package = package::open_artifact(path, limits());
    if (!package) return package;
    for (const package::Entry& entry : package->entries) {
        Result<void> verified = keyring_.verify(entry);
        if (!verified) return std::move(verified).error();
    }
    return package;
}

Result<std::shared_ptr<const OpenedPackage>> PackageCache::open(const std::string& sha256,
                                                                const std::string& hardware) const {
    Result<std::vector<std::uint8_t>> bytes =
        read_file(file(sha256), file_bytes_max_, ErrorCode::package_oversized);
    if (!bytes) return std::move(bytes).error();
    auto opened = std::make_shared<OpenedPackage>();
    opened->sha256_raw = digest_raw(*bytes, EVP_sha256());
    opened->md5_raw = digest_raw(*bytes, EVP_md5());
    const auto* raw = reinterpret_cast<const std::uint8_t*>(opened->sha256_raw.data());
    if (to_hex({raw, opened->sha256_raw.size()}) != sha256)
        return Error{ErrorCode::file_unreadable,
                     "the cached package " + file(sha256).string() + " has changed on disk",
                     "check the disk; the update must be asked for again"};
    Result<package::Artifact> artifact = package::unwrap_artifact(*bytes, limits());
    if (!artifact) return std::move(artifact).error();
    Result<package::Package> package = package::parse(artifact->package);
    if (!package) return std::move(package).error();
    opened->package = std::move(*package);
    const package::Entry* entry = opened->package.find(hardware);
    if (entry == nullptr) {
        std::string others;
        for (const package::Entry& other : opened->package.entries)
            others += (others.empty() ? "" : ", ") + std::string(other.manifest.hardware.view());
        return Error{ErrorCode::wrong_hardware, "the package is for " + others + ", not for " + hardware,
                     "offer the package built for this hardware"};
    }
    Result<void> verified = keyring_.verify(*entry);
    if (!verified) return std::move(verified).error();
    opened->image_sha256 = to_hex(entry->manifest.image_sha256);
    opened->version = entry->manifest.version.view();
    return std::shared_ptr<const OpenedPackage>(std::move(opened));
}

}  // namespace mcuota::job
