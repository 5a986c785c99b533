// Files and keys given on the command line.

#include "mcu_flasher/package/cli/files.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/package/builder.hpp"
#include "mcu_loader/core/rotation.hpp"

namespace mcuota::pack {
namespace {

/// Holds back the signals that people and systems end programs with.
class SignalsWait {
  public:
    SignalsWait() {
        sigset_t set;
        sigemptyset(&set);
        for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT})
            sigaddset(&set, number);
        sigprocmask(SIG_BLOCK, &set, &before_);
    }
    SignalsWait(const SignalsWait&) = delete;
    SignalsWait& operator=(const SignalsWait&) = delete;
    ~SignalsWait() { sigprocmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t before_{};
};

/// Into a device or a pipe: those are written to, never replaced by a file.
Result<void> write_into(const std::string& file, std::span<const std::uint8_t> bytes) {
    std::FILE* const out = std::fopen(file.c_str(), "wbe");
    int number = out == nullptr ? errno : 0;
    if (out != nullptr) {
        if (std::fwrite(bytes.data(), 1, bytes.size(), out) != bytes.size()) number = errno;
        if (std::fclose(out) != 0) number = errno;
    }
    if (number == 0) return {};
    const std::string reason = std::generic_category().message(number);
    if (number == ENOSPC)
        return Error{ErrorCode::disk_full, "no space left to write " + file, "free some space and try again",
                     0};
    return Error{ErrorCode::file_unwritable, file + " cannot be written: " + reason, "check the path", 0};
}

}  // namespace

Result<void> write_result(const std::string& file, std::span<const std::uint8_t> bytes) {
    namespace fs = std::filesystem;
    std::error_code ignored;
    const fs::file_status status = fs::status(file, ignored);
    if (fs::is_other(status)) return write_into(file, bytes);
    // The file a link names is replaced, not the link.
    const bool link = fs::is_symlink(fs::symlink_status(file, ignored));
    const fs::path target = link && fs::exists(status) ? fs::canonical(file, ignored) : fs::path(file);
    const SignalsWait wait;
    return write_file(target, bytes);
}

std::pair<std::string, std::string> split_version(const std::string& argument) {
    const std::size_t at = argument.rfind('@');
    std::error_code ignored;
    if (at == std::string::npos || std::filesystem::exists(argument, ignored)) return {argument, ""};
    return {argument.substr(0, at), argument.substr(at + 1)};
}

std::string BaseFile::name() const {
    return std::filesystem::path(file).filename().string() + (version.empty() ? "" : " (" + version + ")");
}

Result<std::vector<BaseFile>> read_bases(const std::vector<std::string>& arguments) {
    std::vector<BaseFile> out;
    for (const std::string& argument : arguments) {
        auto [file, version] = split_version(argument);
        auto image = read_file(file, package::kImageBytesMax, ErrorCode::image_too_large);
        if (!image) return std::move(image).error();
        out.push_back({std::move(*image), std::move(file), std::move(version)});
    }
    return out;
}

Result<std::vector<package::Bytes>> read_rotations(const std::vector<std::string>& files) {
    std::vector<package::Bytes> out;
    for (const std::string& file : files) {
        auto bytes = read_file(file, 64U << 10, ErrorCode::package_malformed);
        if (!bytes) return std::move(bytes).error();
        RotationRecord record;
        if (parse_rotation(*bytes, record) != Status::ok)
            return Error{ErrorCode::package_malformed, file + " is no key rotation record",
                         "make one: mcuota-pack rotate", 0};
        out.push_back(std::move(*bytes));
    }
    return out;
}

Result<std::unique_ptr<package::Pkcs11Signer>> open_token(const std::string& uri) {
    const char* const pin = std::getenv("MCUOTA_PIN");
    return package::Pkcs11Signer::open(uri, pin == nullptr ? "" : pin);
}

Result<std::unique_ptr<package::Signer>> signer_of(const SigningOptions& options) {
    if (!options.pkcs11.empty()) {
        auto signer = open_token(options.pkcs11);
        if (!signer) return std::move(signer).error();
        return std::unique_ptr<package::Signer>(std::move(*signer));
    }
    if (options.key.empty())
        return Error{ErrorCode::usage, "nothing to sign with",
                     "give a private key: --key KEY.pem, or one in a token: --pkcs11 URI", 0};
    return package::KeySigner::from_file(options.key);
}

}  // namespace mcuota::pack
