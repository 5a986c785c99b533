// Whole files through plain system calls: the only way to name the failing step and to sync.

#include "mcu_flasher/base/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace mcuota {
namespace {

class Descriptor {
  public:
    explicit Descriptor(int fd) noexcept : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const noexcept { return fd_; }
    /// Closes and tells whether the close itself succeeded: late write errors show up here.
    [[nodiscard]] bool close() noexcept { return ::close(std::exchange(fd_, -1)) == 0; }

  private:
    int fd_;
};

/// Removes a temporary file unless it was renamed away.
class Temporary {
  public:
    explicit Temporary(std::string path) : path_(std::move(path)) {}
    Temporary(const Temporary&) = delete;
    Temporary& operator=(const Temporary&) = delete;
    ~Temporary() {
        if (!path_.empty()) ::unlink(path_.c_str());
    }
    void keep() noexcept { path_.clear(); }
    [[nodiscard]] const char* name() const noexcept { return path_.c_str(); }

  private:
    std::string path_;
};

std::string reason(int number) {
    return std::generic_category().message(number);
}

Error unreadable(const std::filesystem::path& file, int number) {
    if (number == ENOENT || number == ENOTDIR)
        return {ErrorCode::not_found, file.string() + " does not exist", "check the path", 0};
    return {ErrorCode::file_unreadable, file.string() + " cannot be read: " + reason(number),
            number == EACCES ? "check the file's owner and mode" : "check the file", 0};
}

Error unwritable(const std::filesystem::path& file, int number) {
    if (number == ENOSPC || number == EDQUOT)
        return {ErrorCode::disk_full, "no space left to write " + file.string(),
                "free some space and try again", 0};
    return {ErrorCode::file_unwritable, file.string() + " cannot be written: " + reason(number),
            number == ENOENT ? "make its folder first" : "check the folder's owner, mode and free space", 0};
}

bool write_all(int fd, std::span<const std::uint8_t> bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return true;
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
    return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

bool sync_folder(const std::filesystem::path& folder) noexcept {
    const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // Some file systems cannot sync a folder and say EINVAL; nothing better can be done there.
    return fd.get() >= 0 && (::fsync(fd.get()) == 0 || errno == EINVAL);
}

}  // namespace

Result<std::vector<std::uint8_t>> read_file(const std::filesystem::path& file, std::uint64_t bytes_max,
                                            ErrorCode too_large) {
    // Without O_NONBLOCK opening a FIFO would wait for a writer.
    const Descriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (fd.get() < 0) return unreadable(file, errno);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return unreadable(file, errno);
    if (S_ISDIR(info.st_mode)) return unreadable(file, EISDIR);
    if (!S_ISREG(info.st_mode))
        return Error{ErrorCode::file_unreadable, file.string() + " is not a regular file", "give a file", 0};

    const auto oversized = [&] {
        return Error{too_large,
                     file.string() + " is larger than the " + std::to_string(bytes_max) + " bytes allowed",
                     "check that it is the right file", 0};
    };
    if (static_cast<std::uint64_t>(info.st_size) > bytes_max) return oversized();
    std::vector<std::uint8_t> out(static_cast<std::size_t>(info.st_size) + 1);
    std::size_t size = 0;
    for (;;) {  // the file may grow while it is read: the bound holds for what is read, not for what fstat
                // said
        const ssize_t count = ::read(fd.get(), out.data() + size, out.size() - size);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return unreadable(file, errno);
        if (count == 0) break;
        size += static_cast<std::size_t>(count);
        if (size > bytes_max) return oversized();
        if (size == out.size()) out.resize(out.size() * 2);
    }
    out.resize(size);
    return out;
}

Result<void> write_file(const std::filesystem::path& file, std::span<const std::uint8_t> bytes, mode_t mode,
                        Existing existing) {
    std::string name = file.string() + ".XXXXXX";
    Descriptor fd(::mkostemp(name.data(), O_CLOEXEC));
    if (fd.get() < 0) return unwritable(file, errno);
    Temporary temporary(name);
    if (!write_all(fd.get(), bytes) || ::fchmod(fd.get(), mode) != 0 || ::fsync(fd.get()) != 0 || !fd.close())
        return unwritable(file, errno);
    if (existing == Existing::refuse) {
        // link() fails when the name exists: unlike a look beforehand nobody can come in between.
        if (::link(temporary.name(), file.c_str()) != 0) {
            if (errno != EEXIST) return unwritable(file, errno);
            return Error{ErrorCode::file_unwritable, file.string() + " exists already",
                         "choose another name or move the file away", 0};
        }
    } else {
        if (::rename(temporary.name(), file.c_str()) != 0) return unwritable(file, errno);
        temporary.keep();
    }
    if (!sync_folder(folder_of(file))) return unwritable(file, errno);
    return {};
}

}  // namespace mcuota
