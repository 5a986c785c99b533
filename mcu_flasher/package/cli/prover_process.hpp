#pragma once
// `mcuota-board prove` as a process of its own: it is another program, under another licence.

#include <boost/json/object.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "mcu_flasher/base/result.hpp"

namespace mcuota::pack {

/// Runs `program` and hands each JSON line of its standard output to `line`. Answers its exit code. not_found
/// when there is no such program; cancelled when SIGINT, SIGTERM or SIGHUP came: the program has ended, too.
[[nodiscard]] Result<int> run_prover(const std::string& program, const std::vector<std::string>& arguments,
                                     const std::function<void(const boost::json::object&)>& line);

/// A file that lies beside this program or in one of its neighbouring folders; the first that exists.
[[nodiscard]] std::filesystem::path beside_program(const std::vector<std::string>& candidates);

/// A folder of its own, removed with everything in it.
class ScratchFolder {
  public:
    [[nodiscard]] static Result<ScratchFolder> make();
    ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    ScratchFolder& operator=(ScratchFolder&&) = delete;
    ~ScratchFolder();
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  private:
    explicit ScratchFolder(std::filesystem::path path) : path_(std::move(path)) {}
    std::filesystem::path path_;
};

}  // namespace mcuota::pack
