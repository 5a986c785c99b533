#pragma once
// The commands of mcuota-pack. Each takes its options, writes its result to standard output, talk to standard
// error.

#include <cstdint>
#include <string>
#include <vector>

#include "mcu_flasher/base/result.hpp"

namespace mcuota::pack {

struct KeygenOptions {
    std::string type{"ecdsa-p256"};
    std::string out;     ///< new private key; empty when `from` is given
    std::string from;    ///< existing key to make a header of
    std::string header;  ///< the loader's key header; empty for none
    bool json{false};
};

struct CreateOptions {
    std::string image;
    std::string version;
    std::string hardware;
    std::string key;
    std::string out;
    std::uint32_t security_counter{0};
    std::uint32_t load_address{0x08020000};
    bool allow_derived{false};
    bool json{false};
};

struct InspectOptions {
    std::string file;
    bool json{false};
};

struct VerifyOptions {
    std::string file;
    std::vector<std::string> pubkeys;
    bool json{false};
};

struct ApplyOptions {
    std::string file;
    std::string hardware;  ///< needed when the package has several entries
    std::string out;
    bool json{false};
};

[[nodiscard]] Result<void> keygen(const KeygenOptions& options);
[[nodiscard]] Result<void> create(const CreateOptions& options);
[[nodiscard]] Result<void> inspect(const InspectOptions& options);
[[nodiscard]] Result<void> verify(const VerifyOptions& options);
[[nodiscard]] Result<void> apply(const ApplyOptions& options);

}  // namespace mcuota::pack
