// mcuota-pack inspect: what a package holds, what it updates from, and what that takes.

#include <algorithm>
#include <boost/json/array.hpp>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <optional>

#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/package/artifact.hpp"
#include "mcu_flasher/package/cli/commands.hpp"
#include "mcu_flasher/package/cli/files.hpp"
#include "mcu_flasher/package/cli/foreign.hpp"
#include "mcu_flasher/package/cli/output.hpp"
#include "mcu_flasher/package/envelope.hpp"
#include "mcu_flasher/package/openssl_key.hpp"
#include "mcu_flasher/package/rotation_file.hpp"
#include "mcu_loader/core/link/target.hpp"

namespace mcuota::pack {
namespace {

constexpr unsigned kBauds[] = {9600, 115200, 460800, 921600};
/// Share of the line's byte times that carries payload (docs/link-protocol.md promises this or better).
constexpr double kLinkEfficiency = 0.97;
constexpr double kBitsPerByte = 10;  // start bit, 8 data bits, stop bit
/// What an STM32F429 typically takes for a byte of the image: backup, erase, program and two hashes; and for
/// a signature (RM0090 and data sheet figures, docs/packages.md).
constexpr double kInstallMicrosecondsPerByte = 17.5;
constexpr double kSignatureSeconds = 0.1;

std::size_t envelope_bytes(const package::Entry& entry, const PayloadEntry& payload) {
    return link::kEnvelopeHeadBytes + entry.manifest_bytes.size() + entry.signature.size() +
           payload.size_bytes;
}

double seconds_at(unsigned baud, std::size_t bytes) {
    return static_cast<double>(bytes) * kBitsPerByte / kLinkEfficiency / baud;
}

double install_seconds(const Manifest& manifest) {
    return manifest.image_size_bytes * kInstallMicrosecondsPerByte / 1e6 + kSignatureSeconds;
}

/// Size of the smallest full payload; nothing when there is none.
std::optional<std::uint32_t> full_bytes(const Manifest& manifest) {
    std::optional<std::uint32_t> best;
    for (std::size_t i = 0; i < manifest.payload_count; ++i) {
        const PayloadEntry& payload = manifest.payloads[i];
        if (payload.base_size_bytes == 0 && (!best || payload.size_bytes < *best)) best = payload.size_bytes;
    }
    return best;
}

/// What a payload is compared with: a delta with the full payload, if there is one; else with the image.
std::uint32_t compared_with(const Manifest& manifest, const PayloadEntry& payload) {
    const auto full = full_bytes(manifest);
    return payload.base_size_bytes != 0 && full ? *full : manifest.image_size_bytes;
}

std::string saved_text(const Manifest& manifest, const PayloadEntry& payload) {
    const double whole = compared_with(manifest, payload);
    return percent_text(std::max(0.0, whole - payload.size_bytes), whole);
}

/// "app-1.9.0.bin (1.9.0)" when the base was given, else the beginning of its hash.
std::string base_name(const PayloadEntry& payload, const std::vector<BaseFile>& bases) {
    if (payload.base_size_bytes == 0) return "any image";
    for (const BaseFile& base : bases)
        if (sha256(base.image) == payload.base_sha256) return base.name();
    return "image " + to_hex(std::span(payload.base_sha256).first(6)) + "… of " +
           std::to_string(payload.base_size_bytes) + " bytes";
}

boost::json::object payload_json(const package::Entry& entry, const PayloadEntry& payload,
                                 const std::vector<BaseFile>& bases) {
    boost::json::object transfer_ms, update_ms;
    for (const unsigned baud : kBauds) {
        const double seconds = seconds_at(baud, envelope_bytes(entry, payload));
        transfer_ms[std::to_string(baud)] = std::llround(1000 * seconds);
        update_ms[std::to_string(baud)] = std::llround(1000 * (seconds + install_seconds(entry.manifest)));
    }
    boost::json::object out{
        {"kind", package::to_string(payload.kind)},
        {"bytes", payload.size_bytes},
        {"sha256", to_hex(payload.sha256)},
        {"memory_bytes", payload.memory_bytes},
        {"base", nullptr},
        {"saved_percent", 100.0 - 100.0 * payload.size_bytes / compared_with(entry.manifest, payload)},
        {"envelope_bytes", envelope_bytes(entry, payload)},
        {"transfer_ms", std::move(transfer_ms)},
        {"update_ms", std::move(update_ms)}};
    if (payload.base_size_bytes != 0)
        out["base"] = {{"bytes", payload.base_size_bytes},
                       {"sha256", to_hex(payload.base_sha256)},
                       {"name", base_name(payload, bases)}};
    return out;
}

boost::json::object entry_json(const package::Entry& entry, const std::vector<BaseFile>& bases) {
    const Manifest& m = entry.manifest;
    boost::json::array payloads, required;
    for (std::size_t i = 0; i < m.payload_count; ++i)
        payloads.push_back(payload_json(entry, m.payloads[i], bases));
    for (std::size_t i = 0; i < m.requires_count; ++i)
        required.push_back({{"name", m.required[i].name.view()}, {"version", m.required[i].version.view()}});
    boost::json::object out{
        {"hardware", m.hardware.view()},
        {"version", m.version.view()},
        {"security_counter", m.security_counter},
        {"allow_downgrade_from", nullptr},
        {"requires", std::move(required)},
        {"image",
         {{"bytes", m.image_size_bytes},
          {"sha256", to_hex(m.image_sha256)},
          {"load_address", address_text(m.load_address)}}},
        {"signature", {{"algorithm", package::to_string(m.algorithm)}, {"key_id", to_hex(m.key_id)}}},
        {"allow_derived", (m.flags & kFlagAllowDerived) != 0},
        {"payloads", std::move(payloads)}};
    if (m.downgrade_floor_max != 0) out["allow_downgrade_from"] = m.downgrade_floor_max;
    return out;
}

boost::json::array rotations_json(const package::Package& package) {
    boost::json::array out;
    for (const package::Bytes& bytes : package.rotations) {
        RotationRecord record;
        if (parse_rotation(bytes, record) != Status::ok) continue;  // parse() has checked it
        out.push_back({{"generation", record.generation},
                       {"current", to_hex(record.signer)},
                       {"next", to_hex(key_id_of(record.algorithm, record.next_key))}});
    }
    return out;
}

void print_facts(const Manifest& m) {
    std::cout << '\n'
              << m.hardware.view() << ' ' << m.version.view() << '\n'
              << "  image             " << m.image_size_bytes << " bytes at " << address_text(m.load_address)
              << '\n'
              << "  SHA-256           " << to_hex(m.image_sha256) << '\n'
              << "  security counter  " << m.security_counter
              << "  (devices that confirmed a higher one refuse it)\n";
    if (m.downgrade_floor_max != 0)
        std::cout << "  downgrade         allowed from counters up to " << m.downgrade_floor_max << '\n';
    for (std::size_t i = 0; i < m.requires_count; ++i)
        std::cout << "  requires          " << m.required[i].name.view() << " at "
                  << m.required[i].version.view() << " or newer first\n";
    std::cout << "  signed with       " << package::to_string(m.algorithm) << " key " << to_hex(m.key_id)
              << "  (prove it with mcuota-pack verify)\n"
              << "  other encodings   "
              << ((m.flags & kFlagAllowDerived) != 0 ? "the gateway may make its own" : "only those listed")
              << "\n\n";
}

void print_entry(const package::Entry& entry, const std::vector<BaseFile>& bases) {
    const Manifest& m = entry.manifest;
    print_facts(m);
    std::cout << "  PAYLOAD        BYTES     SAVED    MEMORY   UPDATE AT 9600    115200    460800    921600"
              << "   FROM\n";
    for (std::size_t i = 0; i < m.payload_count; ++i) {
        const PayloadEntry& payload = m.payloads[i];
        const double install = install_seconds(m);
        std::cout << "  " << std::left << std::setw(10) << package::to_string(payload.kind) << std::right
                  << std::setw(10) << payload.size_bytes << std::setw(10) << saved_text(m, payload)
                  << std::setw(10) << payload.memory_bytes;
        for (const unsigned baud : kBauds)
            std::cout << std::setw(baud == 9600 ? 17 : 10)
                      << duration_text(seconds_at(baud, envelope_bytes(entry, payload)) + install);
        std::cout << "   " << base_name(payload, bases) << '\n';
    }
    std::cout << "  Saved: by a full payload against the image"
              << (full_bytes(m) ? ", by a delta against the full payload.\n"
                                : "; there is no full payload.\n")
              << "  Times are estimates: sending, and " << duration_text(install_seconds(m))
              << " to install on an STM32F429 if every sector changes.\n";
}

void print_rotations(const package::Package& package) {
    for (const package::Bytes& bytes : package.rotations) {
        RotationRecord record;
        if (parse_rotation(bytes, record) != Status::ok) continue;  // parse() has checked it
        std::cout << "\nkey rotation to generation " << record.generation << '\n'
                  << "  current           " << to_hex(record.signer) << '\n'
                  << "  next              " << to_hex(key_id_of(record.algorithm, record.next_key)) << '\n';
    }
}

}  // namespace

Result<void> inspect(const InspectOptions& options) {
    const auto bases = read_bases(options.bases);
    if (!bases) return bases.error();
    const auto artifact = package::read_artifact(options.file);
    if (!artifact) return artifact.error();
    const auto package = package::parse(artifact->package);
    if (!package) {
        if (artifact->member.empty())
            if (auto foreign = inspect_foreign(options, artifact->package)) return std::move(*foreign);
        return Error(package.error()).while_doing("reading " + options.file);
    }
    if (options.json) {
        boost::json::array entries;
        for (const package::Entry& entry : package->entries)
            entries.push_back(entry_json(entry, *bases));
        boost::json::object document{{"file", options.file},
                                     {"bytes", artifact->package.size()},
                                     {"member", nullptr},
                                     {"entries", std::move(entries)},
                                     {"rotations", rotations_json(*package)}};
        if (!artifact->member.empty()) document["member"] = artifact->member;
        print_json(document);
        return {};
    }
    std::cout << options.file << ": " << artifact->package.size() << " bytes, " << package->entries.size()
              << (package->entries.size() == 1 ? " entry" : " entries");
    if (!artifact->member.empty()) std::cout << ", in a zip as " << artifact->member;
    std::cout << '\n';
    for (const package::Entry& entry : package->entries)
        print_entry(entry, *bases);
    print_rotations(*package);
    return {};
}

}  // namespace mcuota::pack
