// mcuota-pack inspect: what a package holds and what sending it costs.

#include <boost/json/array.hpp>
#include <cmath>
#include <cstdio>
#include <iomanip>
#include <iostream>

#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/package/cli/commands.hpp"
#include "mcu_flasher/package/cli/output.hpp"
#include "mcu_flasher/package/openssl_key.hpp"
#include "mcu_flasher/package/package.hpp"

namespace mcuota::pack {
namespace {

constexpr unsigned kBauds[] = {9600, 115200, 921600};
/// Share of the line's byte times that carries payload (docs/link-protocol.md promises this or better).
constexpr double kLinkEfficiency = 0.97;
constexpr double kBitsPerByte = 10;  // start bit, 8 data bits, stop bit

std::size_t envelope_bytes(const package::Entry& entry, const PayloadEntry& payload) {
    return link::kEnvelopeHeadBytes + entry.manifest_bytes.size() + entry.signature.size() +
           payload.size_bytes;
}

double seconds_at(unsigned baud, std::size_t bytes) {
    return static_cast<double>(bytes) * kBitsPerByte / kLinkEfficiency / baud;
}

std::string address_text(std::uint32_t address) {
    char text[16];
    std::snprintf(text, sizeof text, "0x%08X", address);
    return text;
}

boost::json::object payload_json(const package::Entry& entry, const PayloadEntry& payload) {
    boost::json::object transfer_ms;
    for (const unsigned baud : kBauds)
        transfer_ms[std::to_string(baud)] =
            std::llround(1000 * seconds_at(baud, envelope_bytes(entry, payload)));
    boost::json::object out{{"kind", package::to_string(payload.kind)},
                            {"bytes", payload.size_bytes},
                            {"sha256", to_hex(payload.sha256)},
                            {"memory_bytes", payload.memory_bytes},
                            {"base", nullptr},
                            {"envelope_bytes", envelope_bytes(entry, payload)},
                            {"transfer_ms", std::move(transfer_ms)}};
    if (payload.base_size_bytes != 0)
        out["base"] = {{"bytes", payload.base_size_bytes}, {"sha256", to_hex(payload.base_sha256)}};
    return out;
}

boost::json::object entry_json(const package::Entry& entry) {
    const Manifest& m = entry.manifest;
    boost::json::array payloads;
    for (std::size_t i = 0; i < m.payload_count; ++i)
        payloads.push_back(payload_json(entry, m.payloads[i]));
    return {{"hardware", m.hardware.view()},
            {"version", m.version.view()},
            {"security_counter", m.security_counter},
            {"image",
             {{"bytes", m.image_size_bytes},
              {"sha256", to_hex(m.image_sha256)},
              {"load_address", address_text(m.load_address)}}},
            {"signature", {{"algorithm", package::to_string(m.algorithm)}, {"key_id", to_hex(m.key_id)}}},
            {"allow_derived", (m.flags & kFlagAllowDerived) != 0},
            {"payloads", std::move(payloads)}};
}

void print_entry(const package::Entry& entry) {
    const Manifest& m = entry.manifest;
    std::cout << '\n'
              << m.hardware.view() << ' ' << m.version.view() << '\n'
              << "  image             " << m.image_size_bytes << " bytes at " << address_text(m.load_address)
              << '\n'
              << "  SHA-256           " << to_hex(m.image_sha256) << '\n'
              << "  security counter  " << m.security_counter << '\n'
              << "  signed with       " << package::to_string(m.algorithm) << " key " << to_hex(m.key_id)
              << "  (prove it with mcuota-pack verify)\n"
              << "  other encodings   "
              << ((m.flags & kFlagAllowDerived) != 0 ? "the gateway may make its own" : "only those listed")
              << "\n\n"
              << "  PAYLOAD        BYTES   OF IMAGE    MEMORY    TO SEND AT 9600      115200      921600\n";
    for (std::size_t i = 0; i < m.payload_count; ++i) {
        const PayloadEntry& payload = m.payloads[i];
        const std::size_t bytes = envelope_bytes(entry, payload);
        std::cout << "  " << std::left << std::setw(10) << package::to_string(payload.kind) << std::right
                  << std::setw(10) << payload.size_bytes << std::setw(11)
                  << percent_text(payload.size_bytes, m.image_size_bytes) << std::setw(10)
                  << payload.memory_bytes;
        for (const unsigned baud : kBauds)
            std::cout << std::setw(baud == 9600 ? 19 : 12) << duration_text(seconds_at(baud, bytes));
        if (payload.base_size_bytes != 0)
            std::cout << "  from " << to_hex(std::span(payload.base_sha256).first(6));
        std::cout << '\n';
    }
}

}  // namespace

Result<void> inspect(const InspectOptions& options) {
    const auto package = package::read(options.file);
    if (!package) return package.error();
    const auto file = package::serialize(*package);
    if (!file) return file.error();
    if (options.json) {
        boost::json::array entries;
        for (const package::Entry& entry : package->entries)
            entries.push_back(entry_json(entry));
        print_json({{"file", options.file}, {"bytes", file->size()}, {"entries", std::move(entries)}});
        return {};
    }
    std::cout << options.file << ": " << file->size() << " bytes, " << package->entries.size()
              << (package->entries.size() == 1 ? " entry\n" : " entries\n");
    for (const package::Entry& entry : package->entries)
        print_entry(entry);
    return {};
}

}  // namespace mcuota::pack
