// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// Memories of a device put aside in little room: a process that forks often must be small.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>

#include "virtual_board/prove/bench_device.hpp"

namespace mcuota::board {

class KeptMemories {
  public:
    explicit KeptMemories(const DeviceMemories& memories)
        : flash_(memories.flash), nor_(memories.nor), backup_(memories.backup) {}
    [[nodiscard]] DeviceMemories whole() const { return {flash_.whole(), nor_.whole(), backup_}; }

  private:
    /// The pages that are not blank.
    class Pages {
      public:
        explicit Pages(std::span<const std::uint8_t> memory) : size_bytes_(memory.size()) {
            for (std::size_t at = 0; at < memory.size(); at += kPageBytes) {
                const auto page = memory.subspan(at, std::min(kPageBytes, memory.size() - at));
                const bool blank =
                    std::all_of(page.begin(), page.end(), [](std::uint8_t byte) { return byte == 0xFF; });
                if (!blank) pages_.emplace(at, Bytes(page.begin(), page.end()));
            }
        }
        [[nodiscard]] Bytes whole() const {
            Bytes memory(size_bytes_, 0xFF);
            for (const auto& [at, page] : pages_)
                std::copy(page.begin(), page.end(), memory.begin() + static_cast<std::ptrdiff_t>(at));
            return memory;
        }

      private:
        static constexpr std::size_t kPageBytes = 4096;
        std::size_t size_bytes_;
        std::map<std::size_t, Bytes> pages_;
    };
    Pages flash_, nor_;
    BackupDomain backup_;
};

}  // namespace mcuota::board
