// Uploads: temporary file plus running SHA-256.
#include "daemon/api/upload.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

namespace mcuota::api {
namespace {

constexpr std::string_view kPrefix = "upload-";
constexpr std::string_view kSuffix = ".part";

Error cannot_write(const std::filesystem::path& path, int problem) {
    const bool full = problem == ENOSPC || problem == EDQUOT || problem == EFBIG;
    return Error{full ? ErrorCode::disk_full : ErrorCode::file_unwritable,
                 "cannot write down the file handed over: " + std::string(std::strerror(problem)),
                 full ? "free space under " + path.parent_path().string()
                      : "check the rights on " + path.parent_path().string(),
                 0};
}

struct DigestFree {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

}  // namespace

struct Upload::State {
    std::filesystem::path path;
    int descriptor{-1};
    std::uint64_t bytes{0};
    std::uint64_t bytes_max{0};
    std::unique_ptr<EVP_MD_CTX, DigestFree> digest;

    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        if (descriptor >= 0) ::close(descriptor);
        if (!path.empty()) ::unlink(path.c_str());
    }
};

Upload::Upload(std::unique_ptr<State> state) : state_(std::move(state)) {}
Upload::Upload(Upload&&) noexcept = default;
Upload& Upload::operator=(Upload&&) noexcept = default;
Upload::~Upload() = default;

Result<Upload> Upload::create(const std::filesystem::path& dir, std::uint64_t bytes_max) {
    std::error_code problem;
    std::filesystem::create_directories(dir, problem);
    if (problem) return cannot_write(dir / "upload", problem.value());

    auto state = std::make_unique<State>();
    std::string name = (dir / (std::string(kPrefix) + "XXXXXX" + std::string(kSuffix))).string();
    state->descriptor = ::mkostemps(name.data(), static_cast<int>(kSuffix.size()), O_CLOEXEC);
    if (state->descriptor < 0) return cannot_write(name, errno);
    state->path = name;
    state->bytes_max = bytes_max;
    state->digest.reset(EVP_MD_CTX_new());
    if (!state->digest || EVP_DigestInit_ex(state->digest.get(), EVP_sha256(), nullptr) != 1)
        return Error{ErrorCode::internal, "SHA-256 is not available", "check the OpenSSL installation", 0};
    return Upload(std::move(state));
}

void Upload::remove_leftovers(const std::filesystem::path& dir) {
    std::error_code problem;
    std::vector<std::filesystem::path> found;
    for (std::filesystem::directory_iterator at(dir, problem), end; !problem && at != end;
         at.increment(problem)) {
        const std::string name = at->path().filename().string();
        if (name.starts_with(kPrefix) && name.ends_with(kSuffix)) found.push_back(at->path());
    }
    for (const auto& path : found)
        std::filesystem::remove(path, problem);
}

Result<void> Upload::write(std::span<const char> bytes) {
    if (bytes.size() > state_->bytes_max - state_->bytes)
        return Error{
            ErrorCode::package_oversized,
            "the file is larger than the " + std::to_string(state_->bytes_max) + " bytes this gateway takes",
            "build a smaller package, or raise the limit in mcuota.toml", 0};
    if (EVP_DigestUpdate(state_->digest.get(), bytes.data(), bytes.size()) != 1)
        return Error{ErrorCode::internal, "SHA-256 failed", "check the OpenSSL installation", 0};
    state_->bytes += bytes.size();
    while (!bytes.empty()) {
        const ssize_t written = ::write(state_->descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return cannot_write(state_->path, errno);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
}

Result<std::string> Upload::finish() {
    if (state_->bytes == 0)
        return Error{ErrorCode::package_truncated, "the file is empty", "send a package made by mcuota-pack",
                     0};
    if (::fsync(state_->descriptor) != 0) return cannot_write(state_->path, errno);
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (EVP_DigestFinal_ex(state_->digest.get(), hash, &length) != 1)
        return Error{ErrorCode::internal, "SHA-256 failed", "check the OpenSSL installation", 0};
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string hex;
    for (unsigned int i = 0; i < length; ++i) {
        hex += kHex[hash[i] >> 4];
        hex += kHex[hash[i] & 15];
    }
    return hex;
}

const std::filesystem::path& Upload::path() const {
    return state_->path;
}

}  // namespace mcuota::api
