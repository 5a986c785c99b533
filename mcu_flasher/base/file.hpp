#pragma once
// Whole files, read within a bound and written so that a reader or a power cut never sees half of one.

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "mcu_flasher/base/result.hpp"

namespace mcuota {

/// Reads a regular file completely. not_found, file_unreadable (also a directory or a device), or `too_large`
/// when it holds more than `bytes_max`; then nothing was read.
[[nodiscard]] Result<std::vector<std::uint8_t>> read_file(const std::filesystem::path& file,
                                                          std::uint64_t bytes_max,
                                                          ErrorCode too_large = ErrorCode::file_unreadable);

/// What to do when the file exists already.
enum class Existing : std::uint8_t { replace, refuse };

/// Writes to a temporary name beside `file`, syncs, renames, syncs the folder: afterwards `file` holds all of
/// `bytes` with mode `mode`, or is as it was. Errors: file_unwritable, disk_full.
[[nodiscard]] Result<void> write_file(const std::filesystem::path& file, std::span<const std::uint8_t> bytes,
                                      mode_t mode = 0644, Existing existing = Existing::replace);

}  // namespace mcuota
