// mcuota-pack keygen: key pairs, and the header that makes a loader trust one.

#include <cstdio>
#include <iostream>
#include <optional>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/package/cli/commands.hpp"
#include "mcu_flasher/package/cli/files.hpp"
#include "mcu_flasher/package/cli/output.hpp"
#include "mcu_flasher/package/openssl_key.hpp"

namespace mcuota::pack {
namespace {

using package::OpensslKey;

std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// "0x04, 0x1f, …" with 16 bytes a line.
std::string byte_list(std::span<const std::uint8_t> bytes, std::string_view indent) {
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        char text[8];
        std::snprintf(text, sizeof text, "0x%02X,", bytes[i]);
        out += (i % 16 == 0 ? "\n" + std::string(indent) : " ") + std::string(text);
    }
    return out;
}

std::string_view enumerator(SignatureAlgorithm algorithm) {
    return algorithm == SignatureAlgorithm::ecdsa_p256_sha256 ? "ecdsa_p256_sha256" : "rsa_2048_pkcs1_sha256";
}

/// The keys a loader is built with: current, then next when there is one (mcu_loader/port/key_header.sh
/// writes the same form for the build).
Result<std::string> header_text(const OpensslKey& current, const OpensslKey* next) {
    std::string arrays, entries;
    for (const OpensslKey* const key : {&current, next}) {
        if (key == nullptr) continue;
        const auto bytes = key->loader_bytes();
        if (!bytes) return bytes.error();
        const std::string name = key == next ? "kNextKeyBytes" : "kKeyBytes";
        arrays += "// " + std::string(package::to_string(key->algorithm())) + ", id " + to_hex(key->id()) +
                  "\ninline constexpr std::array<std::uint8_t, " + std::to_string(bytes->size()) + "> " +
                  name + " = {{" + byte_list(*bytes, "    ") + "}};\n\n";
        entries += "    {SignatureAlgorithm::" + std::string(enumerator(key->algorithm())) + ", {{" +
                   byte_list(key->id(), "        ") + "}}, " + name + "},\n";
    }
    return "#pragma once\n"
           "// Public keys a loader is built with: current, then next. Written by mcuota-pack keygen "
           "--header.\n"
           "\n"
           "#include <array>\n"
           "#include <cstdint>\n"
           "\n"
           "#include \"mcu_loader/core/signature.hpp\"\n"
           "\n"
           "namespace mcuota::keys {\n"
           "\n" +
           arrays + "inline constexpr PublicKey kTrusted[] = {\n" + entries +
           "};\n"
           "\n"
           "}  // namespace mcuota::keys\n";
}

/// NAME.pem → NAME.pub.pem
std::string public_name(const std::string& name) {
    constexpr std::string_view kSuffix = ".pem";
    const bool has_suffix = name.size() > kSuffix.size() && name.ends_with(kSuffix);
    return (has_suffix ? name.substr(0, name.size() - kSuffix.size()) : name) + ".pub.pem";
}

Result<OpensslKey> load_any(const std::string& file) {
    if (file.starts_with("pkcs11:")) {
        const auto token = open_token(file);
        if (!token) return token.error();
        return OpensslKey::from_public_der((*token)->public_key().public_der());
    }
    const auto bytes = read_file(file, 64U << 10, ErrorCode::key_unreadable);
    if (!bytes) return bytes.error();
    const std::string_view pem(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    return pem.find("PRIVATE KEY-----") != std::string_view::npos ? OpensslKey::from_private_pem(pem, file)
                                                                  : OpensslKey::from_public_pem(pem, file);
}

Result<void> write_pair(const OpensslKey& key, const std::string& private_file,
                        const std::string& public_file) {
    const auto private_pem = key.private_pem();
    if (!private_pem) return private_pem.error();
    const auto public_pem = key.public_pem();
    if (!public_pem) return public_pem.error();
    // The public half first: a private key that exists always has its public half beside it.
    auto written = write_file(public_file, bytes_of(*public_pem), 0644, Existing::refuse);
    if (!written) return written;
    written = write_file(private_file, bytes_of(*private_pem), 0600, Existing::refuse);
    if (!written) std::remove(public_file.c_str());
    return written;
}

Result<OpensslKey> make_or_load(const KeygenOptions& options) {
    if (!options.from.empty()) return load_any(options.from);
    auto key = OpensslKey::generate(options.type == "rsa-2048" ? SignatureAlgorithm::rsa_2048_pkcs1_sha256
                                                               : SignatureAlgorithm::ecdsa_p256_sha256);
    if (!key) return key;
    if (auto written = write_pair(*key, options.out, public_name(options.out)); !written)
        return std::move(written).error();
    return key;
}

}  // namespace

Result<void> keygen(const KeygenOptions& options) {
    if (options.out.empty() == options.from.empty())
        return Error{ErrorCode::usage, "give either --out for a new key or --from for an existing one",
                     "mcuota-pack keygen --help", 0};
    if (!options.from.empty() && options.header.empty() && options.public_file.empty())
        return Error{ErrorCode::usage, "--from does nothing without --header or --public",
                     "add --header FILE or --public FILE", 0};
    if (!options.next.empty() && options.header.empty())
        return Error{ErrorCode::usage, "--next does nothing without --header", "add --header FILE", 0};
    if (options.from.empty() && !options.public_file.empty())
        return Error{ErrorCode::usage, "--public is for existing keys; --out writes both halves of a new one",
                     "add --from KEY", 0};
    const auto key = make_or_load(options);
    if (!key) return key.error();
    if (!options.header.empty()) {
        std::optional<OpensslKey> next;
        if (!options.next.empty()) {
            auto loaded = load_any(options.next);
            if (!loaded) return std::move(loaded).error();
            next = std::move(*loaded);
        }
        if (next && next->id() == key->id())
            return Error{ErrorCode::usage, options.next + " is the current key, too",
                         "the next key must be another one: mcuota-pack keygen", 0};
        const auto text = header_text(*key, next ? &*next : nullptr);
        if (!text) return text.error();
        if (auto written = write_result(options.header, bytes_of(*text)); !written) return written;
    }

    if (!options.public_file.empty()) {
        const auto pem = key->public_pem();
        if (!pem) return pem.error();
        if (auto written = write_result(options.public_file, bytes_of(*pem)); !written) return written;
    }

    const bool fresh = options.from.empty();
    if (options.json) {
        boost::json::object document{{"type", package::to_string(key->algorithm())},
                                     {"key_id", to_hex(key->id())}};
        if (fresh) {
            document["private_key"] = options.out;
            document["public_key"] = public_name(options.out);
        }
        if (!options.public_file.empty()) document["public_key"] = options.public_file;
        if (!options.header.empty()) document["header"] = options.header;
        print_json(document);
        return {};
    }
    std::cout << package::to_string(key->algorithm()) << " key " << to_hex(key->id()) << '\n';
    if (fresh)
        std::cout << "  private  " << options.out
                  << "  (keep it secret; whoever has it can sign for your devices)\n"
                  << "  public   " << public_name(options.out) << "  (for gateways)\n";
    if (!options.public_file.empty())
        std::cout << "  public   " << options.public_file << "  (for gateways)\n";
    if (!options.header.empty())
        std::cout << "  header   " << options.header << "  (for the loader's build)\n";
    return {};
}

}  // namespace mcuota::pack
