#pragma once
// The file a download grows in: appended to, synced, hashed while it grows. Knows nothing of HTTP.

#include <openssl/evp.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "daemon/cloud/cloud.hpp"
#include "mcu_flasher/base/result.hpp"

namespace mcuota::download {

/// SHA-256 and, when wanted, MD5 of what passes by.
class Hashes {
  public:
    explicit Hashes(bool with_md5);
    void restart();
    void add(const void* data, std::size_t size);
    /// Lower-case hex of everything added. Ends the calculation: restart() before adding more.
    [[nodiscard]] std::string sha256_hex();
    [[nodiscard]] std::string md5_hex();

  private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    std::unique_ptr<EVP_MD_CTX, Free> sha256_, md5_;
};

class PartialFile {
  public:
    /// Opens or creates. Errors: disk_full, file_unwritable.
    [[nodiscard]] static Result<PartialFile> open(const std::filesystem::path& path, bool with_md5);
    PartialFile(PartialFile&& other) noexcept;
    PartialFile& operator=(PartialFile&&) = delete;
    ~PartialFile();

    /// Bytes on disk when opened.
    [[nodiscard]] std::uint64_t found_bytes() const { return found_bytes_; }
    /// Keeps the first `bytes`, hashing them; the rest is cut off. Errors: file_unreadable, file_unwritable.
    [[nodiscard]] Result<void> keep(std::uint64_t bytes);
    /// Asks for `bytes` of room in advance, where the file system can. Errors: disk_full.
    [[nodiscard]] Result<void> reserve(std::uint64_t bytes);
    /// Errors: disk_full, file_unwritable.
    [[nodiscard]] Result<void> append(const void* data, std::size_t size);
    /// What was appended survives a power cut from here on.
    [[nodiscard]] Result<void> sync();

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] Hashes& hashes() { return hashes_; }

  private:
    PartialFile(int fd, std::filesystem::path path, std::uint64_t found, bool with_md5);
    [[nodiscard]] Error failed(const char* doing, int error) const;

    int fd_;
    std::filesystem::path path_;
    std::uint64_t found_bytes_;
    std::uint64_t bytes_{0};
    Hashes hashes_;
};

}  // namespace mcuota::download
