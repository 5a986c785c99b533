// POSIX file work of a download; "disk full" is told from every other failure.
#include "daemon/download/partial_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace mcuota::download {
namespace {

std::string finish_hex(EVP_MD_CTX* context) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    EVP_DigestFinal_ex(context, digest.data(), &size);
    constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    for (unsigned int i = 0; i < size; ++i) {
        hex += kDigits[digest[i] >> 4U];
        hex += kDigits[digest[i] & 15U];
    }
    return hex;
}

}  // namespace

Hashes::Hashes(bool with_md5) : sha256_(EVP_MD_CTX_new()), md5_(with_md5 ? EVP_MD_CTX_new() : nullptr) {
    restart();
}
void Hashes::restart() {
    EVP_DigestInit_ex(sha256_.get(), EVP_sha256(), nullptr);
    if (md5_) EVP_DigestInit_ex(md5_.get(), EVP_md5(), nullptr);
}
void Hashes::add(const void* data, std::size_t size) {
    EVP_DigestUpdate(sha256_.get(), data, size);
    if (md5_) EVP_DigestUpdate(md5_.get(), data, size);
}
std::string Hashes::sha256_hex() {
    return finish_hex(sha256_.get());
}
std::string Hashes::md5_hex() {
    return md5_ ? finish_hex(md5_.get()) : std::string{};
}

PartialFile::PartialFile(int fd, std::filesystem::path path, std::uint64_t found, bool with_md5)
    : fd_(fd), path_(std::move(path)), found_bytes_(found), hashes_(with_md5) {}
PartialFile::PartialFile(PartialFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      found_bytes_(other.found_bytes_),
      bytes_(other.bytes_),
      hashes_(std::move(other.hashes_)) {}
PartialFile::~PartialFile() {
    if (fd_ >= 0) ::close(fd_);
}

Error PartialFile::failed(const char* doing, int error) const {
    const std::string what = std::string(doing) + " " + path_.string() + ": " + std::strerror(error);
    if (error == ENOSPC || error == EDQUOT)
        return {ErrorCode::disk_full, what, "make room, then: mcuota job retry"};
    return {ErrorCode::file_unwritable, what};
}

Result<PartialFile> PartialFile::open(const std::filesystem::path& path, bool with_md5) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    PartialFile file(fd, path, 0, with_md5);
    if (fd < 0) return file.failed("opening", errno);
    struct stat info {};
    if (::fstat(fd, &info) != 0) return file.failed("opening", errno);
    file.found_bytes_ = static_cast<std::uint64_t>(std::max<off_t>(info.st_size, 0));
    return file;
}

Result<void> PartialFile::keep(std::uint64_t bytes) {
    hashes_.restart();
    bytes_ = 0;
    std::vector<char> buffer(1U << 18U);
    while (bytes_ < bytes) {
        const std::size_t wanted =
            static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), bytes - bytes_));
        const ssize_t got = ::pread(fd_, buffer.data(), wanted, static_cast<off_t>(bytes_));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0)
            return Error{ErrorCode::file_unreadable,
                         "reading " + path_.string() + ": " +
                             (got < 0 ? std::strerror(errno) : "it is shorter than before")};
        hashes_.add(buffer.data(), static_cast<std::size_t>(got));
        bytes_ += static_cast<std::uint64_t>(got);
    }
    if (found_bytes_ > bytes && ::ftruncate(fd_, static_cast<off_t>(bytes)) != 0)
        return failed("shortening", errno);
    found_bytes_ = bytes;
    return {};
}

Result<void> PartialFile::reserve(std::uint64_t bytes) {
    if (bytes <= bytes_) return {};
    const int done = ::fallocate(fd_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes));
    if (done != 0 && (errno == ENOSPC || errno == EDQUOT)) return failed("making room for", errno);
    return {};  // not every file system can; then the writes will tell
}

Result<void> PartialFile::append(const void* data, std::size_t size) {
    const char* next = static_cast<const char*>(data);
    std::size_t left = size;
    while (left > 0) {
        const ssize_t put = ::pwrite(fd_, next, left, static_cast<off_t>(bytes_));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return failed("writing", errno);
        hashes_.add(next, static_cast<std::size_t>(put));
        next += put;
        left -= static_cast<std::size_t>(put);
        bytes_ += static_cast<std::uint64_t>(put);
    }
    found_bytes_ = std::max(found_bytes_, bytes_);
    return {};
}

Result<void> PartialFile::sync() {
    if (::fdatasync(fd_) != 0) return failed("syncing", errno);
    return {};
}

}  // namespace mcuota::download
