#pragma once
// Images and deltas the tests of this folder are made of. All from fixed seeds.

#include <cstdint>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "mcu_flasher/package/delta/delta.hpp"
#include "mcu_flasher/package/memory_bytes.hpp"
#include "mcu_loader/core/delta/thumb.hpp"
#include "mcu_loader/core/payload_decoder.hpp"

namespace mcuota::delta::test {

using Bytes = std::vector<std::uint8_t>;

inline const std::vector<Format> kAllFormats{Format::relocated, Format::hdiffsf20, Format::hdiff13};

/// 32 random bits a call.
class Random {
  public:
    explicit Random(std::uint32_t seed) : engine_(seed) {}
    std::uint32_t operator()() { return static_cast<std::uint32_t>(engine_()); }

  private:
    std::mt19937 engine_;
};

inline Bytes random_bytes(std::size_t size, std::uint32_t seed) {
    Random random(seed);
    Bytes out(size);
    for (std::uint8_t& byte : out)
        byte = static_cast<std::uint8_t>(random());
    return out;
}

/// Something like firmware: functions with prologues, calls, short branches and literal pools with pointers.
/// With `grown`, the functions of these numbers have a few instructions more, so that everything behind them
/// moves.
inline Bytes firmware(std::uint32_t load_address, std::size_t functions,
                      const std::vector<std::size_t>& grown = {}, std::uint32_t seed = 1) {
    struct Function {
        std::vector<std::uint16_t> halfwords;
        std::vector<std::pair<std::size_t, std::size_t>> calls;  ///< at which halfword, to which function
        std::size_t points_at{0};
    };
    Random random(seed);
    std::vector<Function> all(functions);
    for (std::size_t f = 0; f < functions; ++f) {
        Function& function = all[f];
        function.halfwords.push_back(static_cast<std::uint16_t>(0xB500U | (random() & 0xFFU)));
        const std::size_t length = 12 + random() % 40;
        for (std::size_t i = 0; i < length; ++i) {
            const std::uint32_t kind = random() % 10;
            if (kind == 0) {
                function.calls.emplace_back(function.halfwords.size(), random() % functions);
                function.halfwords.insert(function.halfwords.end(), {0xF000, 0xF800});
            } else if (kind == 1) {
                function.halfwords.push_back(static_cast<std::uint16_t>(0xD000U | (random() & 0x0F0FU)));
            } else {
                function.halfwords.push_back(static_cast<std::uint16_t>(0x2000U | (random() & 0x1FFFU)));
            }
        }
        for (const std::size_t g : grown)
            if (g == f)
                function.halfwords.insert(function.halfwords.begin() + 5, {0x4601, 0x4611, 0x4621, 0x4631});
        for (auto& call : function.calls)
            for (const std::size_t g : grown)
                if (g == f && call.first >= 5) call.first += 4;
        function.halfwords.push_back(0xBD00);
        if (function.halfwords.size() % 2 != 0) function.halfwords.push_back(0xBF00);
        function.points_at = random() % functions;
    }
    std::vector<std::uint32_t> starts;
    std::uint32_t place = 0;
    for (const Function& function : all) {
        starts.push_back(place);
        place += static_cast<std::uint32_t>(function.halfwords.size() * 2 + 4);
    }
    Bytes out;
    for (std::size_t f = 0; f < functions; ++f) {
        Function& function = all[f];
        for (const auto& [at, callee] : function.calls) {
            std::uint32_t first = 0xF000, second = 0xF800;
            static_cast<void>(thumb::retarget(thumb::Form::call,
                                              starts[f] + static_cast<std::uint32_t>(at * 2), starts[callee],
                                              first, second));
            function.halfwords[at] = static_cast<std::uint16_t>(first);
            function.halfwords[at + 1] = static_cast<std::uint16_t>(second);
        }
        const std::uint32_t pointer = load_address + starts[function.points_at] + 1;
        function.halfwords.push_back(static_cast<std::uint16_t>(pointer));
        function.halfwords.push_back(static_cast<std::uint16_t>(pointer >> 16));
        for (const std::uint16_t halfword : function.halfwords) {
            out.push_back(static_cast<std::uint8_t>(halfword));
            out.push_back(static_cast<std::uint8_t>(halfword >> 8));
        }
    }
    return out;
}

/// Takes image bytes and knows how many came.
class CountingSink final : public ByteSink {
  public:
    Status write(std::span<const std::uint8_t> bytes) noexcept override {
        count += bytes.size();
        return Status::ok;
    }
    std::size_t count{0};
};

inline Bytes read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace mcuota::delta::test
