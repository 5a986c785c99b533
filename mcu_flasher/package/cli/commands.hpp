#pragma once
// The commands of mcuota-pack. Each takes its options, writes its result to standard output, talk to standard
// error.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mcu_flasher/base/result.hpp"

namespace mcuota::pack {

struct KeygenOptions {
    std::string type{"ecdsa-p256"};
    std::string out;          ///< new private key; empty when `from` is given
    std::string from;         ///< existing key: a PEM file, or a PKCS#11 URI
    std::string public_file;  ///< public key of an existing key to write; empty for none
    std::string header;       ///< the loader's key header; empty for none
    std::string next;         ///< public key that the header names as next; empty for none
    bool json{false};
};

/// Who signs: one of both.
struct SigningOptions {
    std::string key;     ///< PEM file
    std::string pkcs11;  ///< URI of a key in a token
};

struct CreateOptions {
    std::string image;
    std::string version;
    std::string hardware;
    SigningOptions signing;
    std::string out;
    std::vector<std::string> bases;    ///< OLD.bin or OLD.bin@VERSION
    std::vector<std::string> formats;  ///< delta formats tried; the usual ones when empty
    bool no_full{false};
    std::uint32_t security_counter{0};
    std::optional<std::uint32_t> load_address;
    bool allow_derived{false};
    std::optional<std::uint32_t> downgrade_from;  ///< highest counter of a device that may go down
    std::vector<std::string> required;            ///< NAME>=VERSION
    std::vector<std::string> rotations;           ///< .mcuk files
    bool json{false};
};

struct RotateOptions {
    SigningOptions signing;  ///< the next key until now
    std::string next;        ///< public key that becomes next
    std::uint16_t generation{0};
    std::string out;
    bool json{false};
};

struct MergeOptions {
    std::vector<std::string> files;
    std::string out;
    bool json{false};
};

struct InspectOptions {
    std::string file;
    std::vector<std::string> bases;  ///< OLD.bin or OLD.bin@VERSION: gives names to base images
    bool json{false};
};

struct VerifyOptions {
    std::string file;
    std::vector<std::string> pubkeys;
    std::vector<std::string> bases;
    bool json{false};
};

struct ApplyOptions {
    std::string file;
    std::string hardware;  ///< needed when the package has several entries
    std::string base;      ///< image to start from; empty for the full payload
    std::string out;
    bool json{false};
};

struct DiffOptions {
    std::string old_file;
    std::string new_file;
    std::string out;
    std::string format{"mcuota"};
    std::optional<std::uint32_t> load_address;
    std::optional<std::uint32_t> memory_bytes;
    bool prefix{false};  ///< the original scheme's 32-byte prefix
    std::string key;     ///< RSA key that signs such a file; empty for none
    bool json{false};
};

struct PatchOptions {
    std::string old_file;
    std::string delta;
    std::string out;
    bool json{false};
};

struct ZipOptions {
    std::string file;
    std::string out;
    bool json{false};
};

struct ExtractOptions {
    std::string file;
    std::string folder;
    bool json{false};
};

struct ProveOptions {
    std::string file;
    std::string base;                  ///< image that runs before the update
    std::vector<std::string> pubkeys;  ///< verify the package's own signature first
    std::string hardware;
    std::string payload;  ///< kind; the one a gateway would send when empty
    std::string cuts{"200"};
    unsigned depth{1};
    std::uint64_t seed{1};
    unsigned jobs{0};  ///< 0: one for each processor
    std::vector<std::string> scenarios;
    std::string part, nor_part;
    std::string only;
    std::string loader;
    std::string board;
    bool no_memory{false};
    bool executes{false};
    bool json{false};
};

/// The exit code: 0 proven, 4 not.
[[nodiscard]] Result<int> prove(const ProveOptions& options);
[[nodiscard]] Result<void> keygen(const KeygenOptions& options);
[[nodiscard]] Result<void> create(const CreateOptions& options);
[[nodiscard]] Result<void> rotate(const RotateOptions& options);
[[nodiscard]] Result<void> merge(const MergeOptions& options);
[[nodiscard]] Result<void> inspect(const InspectOptions& options);
[[nodiscard]] Result<void> verify(const VerifyOptions& options);
[[nodiscard]] Result<void> apply(const ApplyOptions& options);
[[nodiscard]] Result<void> diff(const DiffOptions& options);
[[nodiscard]] Result<void> patch(const PatchOptions& options);
[[nodiscard]] Result<void> extract(const ExtractOptions& options);
[[nodiscard]] Result<void> zip(const ZipOptions& options);

}  // namespace mcuota::pack
