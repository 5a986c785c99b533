#pragma once
// A package on its way from a client to the cache: written, hashed and synced under a temporary name.
// Blocking; call it on a pool thread.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "mcu_flasher/base/result.hpp"

namespace mcuota::api {

class Upload {
  public:
    /// Makes a new file in `dir` (created when missing) that takes at most `bytes_max`.
    [[nodiscard]] static Result<Upload> create(const std::filesystem::path& dir, std::uint64_t bytes_max);
    /// Removes what an interrupted daemon left in `dir`.
    static void remove_leftovers(const std::filesystem::path& dir);

    Upload(Upload&&) noexcept;
    Upload& operator=(Upload&&) noexcept;
    /// Removes the file, wherever it has not been taken over (renamed away) by then.
    ~Upload();

    /// package_oversized beyond bytes_max; disk_full; file_unwritable.
    [[nodiscard]] Result<void> write(std::span<const char> bytes);
    /// On disk for good. Returns the SHA-256 as lower-case hex. package_truncated when nothing was written.
    [[nodiscard]] Result<std::string> finish();
    [[nodiscard]] const std::filesystem::path& path() const;

  private:
    struct State;
    explicit Upload(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace mcuota::api
