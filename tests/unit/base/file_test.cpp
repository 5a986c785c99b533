// Whole files: bounded reads, writes that are complete or did not happen.
#include "mcu_flasher/base/file.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/base/status_text.hpp"

using namespace mcuota;
namespace fs = std::filesystem;

namespace {

using Bytes = std::vector<std::uint8_t>;

class Folder {
  public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "mcuota-test.XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    [[nodiscard]] fs::path operator/(std::string_view name) const { return path_ / name; }
    [[nodiscard]] std::size_t files() const {
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
    }

  private:
    fs::path path_;
};

}  // namespace

TEST_CASE("a file written is a file read", "[base][file]") {
    const Folder folder;
    for (const std::size_t size : {0U, 1U, 4096U, 300000U}) {
        const Bytes bytes(size, 0xA5);
        REQUIRE(write_file(folder / "f", bytes));
        const auto back = read_file(folder / "f", size);
        REQUIRE(back);
        CHECK(*back == bytes);
    }
    CHECK(folder.files() == 1);  // no temporary file stays
}

TEST_CASE("a written file has the mode asked for", "[base][file]") {
    const Folder folder;
    for (const mode_t mode : {0600U, 0644U}) {
        REQUIRE(write_file(folder / "f", Bytes(3), mode));
        struct stat info {};
        REQUIRE(::stat((folder / "f").c_str(), &info) == 0);
        CHECK((info.st_mode & 07777U) == mode);
    }
}

TEST_CASE("an existing file is kept when asked to refuse", "[base][file]") {
    const Folder folder;
    REQUIRE(write_file(folder / "f", Bytes(3, 1)));
    const auto refused = write_file(folder / "f", Bytes(3, 2), 0644, Existing::refuse);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::file_unwritable);
    CHECK(*read_file(folder / "f", 10) == Bytes(3, 1));
    CHECK(write_file(folder / "g", Bytes(3, 2), 0600, Existing::refuse));
    CHECK(folder.files() == 2);
}

TEST_CASE("a write that fails leaves the old file and nothing else", "[base][file]") {
    const Folder folder;
    const auto no_folder = write_file(folder / "missing" / "f", Bytes(3));
    REQUIRE_FALSE(no_folder);
    CHECK(no_folder.error().code == ErrorCode::file_unwritable);
    CHECK_FALSE(no_folder.error().next.empty());

    fs::create_directory(folder / "d");  // a folder cannot be replaced by a file
    CHECK_FALSE(write_file(folder / "d", Bytes(3)));
    CHECK(folder.files() == 1);
}

TEST_CASE("a write that fails half-way leaves the old file and nothing else", "[base][file]") {
    const Folder folder;
    REQUIRE(write_file(folder / "f", Bytes(3, 1)));
    // Beyond the limit write() fails with EFBIG, as it would with ENOSPC on a full disk.
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    rlimit small = before;
    small.rlim_cur = 1000;
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    const auto failed = write_file(folder / "f", Bytes(5000, 2));
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    std::signal(SIGXFSZ, old_handler);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == ErrorCode::file_unwritable);
    CHECK(*read_file(folder / "f", 10) == Bytes(3, 1));
    CHECK(folder.files() == 1);
}

TEST_CASE("what is not a readable regular file is refused", "[base][file]") {
    const Folder folder;
    CHECK(read_file(folder / "missing", 10).error().code == ErrorCode::not_found);
    CHECK(read_file(folder / "", 10).error().code == ErrorCode::file_unreadable);
    CHECK(read_file("/dev/null", 10).error().code == ErrorCode::file_unreadable);
    REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
    CHECK(read_file(folder / "fifo", 10).error().code == ErrorCode::file_unreadable);  // and does not wait
    REQUIRE(write_file(folder / "f", Bytes(11)));
    CHECK(read_file(folder / "f", 10).error().code == ErrorCode::file_unreadable);
    CHECK(read_file(folder / "f", 10, ErrorCode::package_oversized).error().code ==
          ErrorCode::package_oversized);
    CHECK(read_file(folder / "f", 11));
}

TEST_CASE("hexadecimal text is lower case, two characters a byte", "[base]") {
    CHECK(to_hex({}).empty());
    CHECK(to_hex(Bytes{0x00, 0x0F, 0xA0, 0xFF}) == "000fa0ff");
}

TEST_CASE("every device status has a name, a text and a class of its own", "[base]") {
    std::set<std::string_view> names;
    std::size_t rows = 0;
#define MCUOTA_STATUS(name, number, cls, text)              \
    CHECK(to_string(Status::name) == #name);                \
    CHECK(summary(Status::name) == (text));                 \
    CHECK(error_class(Status::name) == ErrorClass::cls);    \
    CHECK(static_cast<unsigned>(Status::name) == (number)); \
    names.insert(#name);                                    \
    ++rows;
#include "mcu_loader/core/status.def"
#undef MCUOTA_STATUS
    CHECK(names.size() == rows);
    CHECK(to_string(static_cast<Status>(0xEEEE)) == "unknown_status");
    CHECK(error_class(static_cast<Status>(0xEEEE)) == ErrorClass::needs_operator);
}
