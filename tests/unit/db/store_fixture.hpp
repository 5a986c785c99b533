#pragma once
// A folder of its own for every test, and records to put into a store.

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "db/store.hpp"

namespace mcuota::db {

class TempFolder {
  public:
    TempFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "mcuota-test-XXXXXX").string();
        path_ = mkdtemp(pattern.data());
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  private:
    std::filesystem::path path_;
};

inline JobRecord some_job(const std::string& device = "pump-1") {
    JobRecord job;
    job.device = device;
    job.hardware = "stm32f429-demo";
    job.provider = "ali";
    job.request_id = "1507707025";
    job.to_version = "2.0.0";
    job.url = "https://example.org/p.mcup?sig=x";
    job.size_bytes = 1088;
    job.digest_kind = 1;
    job.digest_hex = std::string(32, 'a');
    return job;
}

/// An open store with the devices pump-1 and pump-2.
inline Store open_store(const std::filesystem::path& file) {
    Result<Store> store = Store::open(file);
    if (!store) throw std::runtime_error(store.error().line());
    const std::pair<std::string, std::string> devices[] = {{"pump-1", "stm32f429-demo"},
                                                           {"pump-2", "stm32f429-demo"}};
    if (!store->configure_devices(devices)) throw std::runtime_error("devices");
    return std::move(*store);
}

}  // namespace mcuota::db
