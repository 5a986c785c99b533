#pragma once
// Package files by content, as they came (a .mcup, or a zip around one): state_dir/packages/<sha256>.mcup,
// whole or not there. Blocking; runs on the pool. Also where partial downloads and uploads live.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "db/store.hpp"
#include "mcu_flasher/base/result.hpp"
#include "mcu_flasher/package/artifact.hpp"

namespace mcuota::job {

/// A package whose entry for one hardware was proven to be signed by a trusted key.
struct OpenedPackage {
    package::Package package;
    std::string image_sha256;  ///< of the entry for the hardware asked for
    std::string version;
    std::string sha256_raw;  ///< digests of the whole file, for the cloud's own signature
    std::string md5_raw;
};

class PackageCache {
  public:
    PackageCache(std::filesystem::path state_dir, db::Store& store, package::Keyring keyring,
                 std::uint64_t file_bytes_max);

    /// Makes the folders; removes uploads and partial files nobody will continue, and packages no unfinished
    /// job needs.
    [[nodiscard]] Result<void> prepare();

    [[nodiscard]] std::filesystem::path file(const std::string& sha256) const;
    [[nodiscard]] std::filesystem::path partial_file(std::int64_t job) const;
    [[nodiscard]] std::filesystem::path upload_dir() const { return state_dir_ / "incoming"; }
    [[nodiscard]] std::uint64_t file_bytes_max() const noexcept { return file_bytes_max_; }
    [[nodiscard]] bool holds(const std::string& sha256) const;

    /// Syncs `from` and moves it to its content address. The caller has computed the hash.
    [[nodiscard]] Result<void> adopt(const std::filesystem::path& from, const std::string& sha256,
                                     db::TimeMs now_ms);
    /// Reads a cached package completely and checks the signature of every entry.
    [[nodiscard]] Result<package::Package> open_all(const std::filesystem::path& file) const;
    /// Opens a cached package for one hardware: form, content address, signature. Errors: wrong_hardware, …
    [[nodiscard]] Result<std::shared_ptr<const OpenedPackage>> open(const std::string& sha256,
                                                                    const std::string& hardware) const;
    void forget_partial(std::int64_t job) const;

  private:
    [[nodiscard]] package::ArtifactLimits limits() const noexcept;

    std::filesystem::path state_dir_;
    db::Store& store_;
    package::Keyring keyring_;
    std::uint64_t file_bytes_max_;
};

}  // namespace mcuota::job
