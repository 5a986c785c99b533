// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// Memories in files: shared mappings, so that what was programmed survives even `kill -9`, and loading of
// firmware.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "virtual_board/failure.hpp"
#include "virtual_board/models/flash_geometry.hpp"

namespace mcuota::board {

/// A file mapped read-write. Locked, so that two boards never share one image.
class ImageFile {
  public:
    /// Opens `path`; a missing or empty file is created with `size_bytes` of `fill`. Any other size is an
    /// error.
    [[nodiscard]] static Outcome<ImageFile> open(const std::string& path, std::size_t size_bytes,
                                                 std::uint8_t fill);
    ImageFile(ImageFile&& other) noexcept;
    ImageFile& operator=(ImageFile&&) = delete;
    ~ImageFile();

    [[nodiscard]] std::span<std::uint8_t> bytes() noexcept { return {bytes_, size_bytes_}; }
    /// True when the file did not exist before.
    [[nodiscard]] bool created() const noexcept { return created_; }

  private:
    ImageFile(int fd, std::uint8_t* bytes, std::size_t size_bytes, bool created)
        : fd_(fd), bytes_(bytes), size_bytes_(size_bytes), created_(created) {}
    int fd_;
    std::uint8_t* bytes_;
    std::size_t size_bytes_;
    bool created_;
};

/// Writes an ELF file's loadable segments, or a raw binary at the flash base, into a flash image. Sectors it
/// covers are erased first, the others keep their content. Returns nothing on success.
[[nodiscard]] std::optional<Failure> load_firmware(const std::string& path, const FlashGeometry& geometry,
                                                   std::span<std::uint8_t> flash);

/// Address of a symbol in an ELF file; nothing when the file is no ELF or does not name it.
[[nodiscard]] std::optional<std::uint32_t> symbol_address(const std::string& path, const std::string& name);

}  // namespace mcuota::board
