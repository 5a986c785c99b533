// Finds one private key by its URI through p11-kit, reads its public half, and lets the token sign.

#include "mcu_flasher/package/pkcs11_signer.hpp"

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "mcu_flasher/base/file.hpp"
#include "mcu_loader/core/sha256.hpp"

namespace mcuota::package {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct FreeUri {
    void operator()(P11KitUri* uri) const noexcept { p11_kit_uri_free(uri); }
};
using Uri = std::unique_ptr<P11KitUri, FreeUri>;

Error key_error(std::string what, std::string next) {
    return {ErrorCode::key_unreadable, std::move(what), std::move(next), 0};
}

Error token_error(const std::string& step, CK_RV result) {
    return key_error("the token failed " + step + ": " + p11_kit_strerror(result),
                     "check the token with pkcs11-tool --list-slots");
}

/// The modules a URI may mean: one by its path, or all that p11-kit is configured with.
class Modules {
  public:
    Modules() = default;
    Modules(const Modules&) = delete;
    Modules& operator=(const Modules&) = delete;
    ~Modules() {
        if (all_ != nullptr) p11_kit_modules_finalize_and_release(all_);
        if (one_ == nullptr) return;
        if (initialized_) p11_kit_module_finalize(one_);
        p11_kit_module_release(one_);
    }
    Result<void> load(const char* path) {
        if (path == nullptr) {
            all_ = p11_kit_modules_load_and_initialize(0);
            if (all_ != nullptr && *all_ != nullptr) return {};
            return key_error("no PKCS#11 module is configured on this machine",
                             "install the token's package, or name its module in the URI: ?module-path=…");
        }
        one_ = p11_kit_module_load(path, 0);
        if (one_ != nullptr && p11_kit_module_initialize(one_) == CKR_OK) {
            initialized_ = true;
            return {};
        }
        return key_error("the PKCS#11 module " + std::string(path) + " cannot be loaded",
                         "check the URI's module-path");
    }
    [[nodiscard]] std::vector<CK_FUNCTION_LIST*> list() const {
        std::vector<CK_FUNCTION_LIST*> out;
        if (one_ != nullptr) out.push_back(one_);
        for (CK_FUNCTION_LIST** at = all_; at != nullptr && *at != nullptr; ++at)
            out.push_back(*at);
        return out;
    }

  private:
    CK_FUNCTION_LIST** all_{nullptr};
    CK_FUNCTION_LIST* one_{nullptr};
    bool initialized_{false};
};

/// A session with one token.
class Session {
  public:
    Session() = default;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() {
        if (module_ == nullptr) return;
        module_->C_Logout(handle_);
        module_->C_CloseSession(handle_);
    }
    Result<void> open(CK_FUNCTION_LIST* module, CK_SLOT_ID slot) {
        const CK_RV result = module->C_OpenSession(slot, CKF_SERIAL_SESSION, nullptr, nullptr, &handle_);
        if (result != CKR_OK) return token_error("opening a session", result);
        module_ = module;
        return {};
    }
    Result<void> login(CK_USER_TYPE user, std::string pin) const {
        const CK_RV result = module_->C_Login(handle_, user, reinterpret_cast<CK_UTF8CHAR*>(pin.data()),
                                              static_cast<CK_ULONG>(pin.size()));
        if (result == CKR_OK || result == CKR_USER_ALREADY_LOGGED_IN) return {};
        if (result == CKR_PIN_INCORRECT)
            return key_error("the token refuses the PIN", "check it: a token locks itself after a few tries");
        return token_error("logging in", result);
    }
    [[nodiscard]] CK_FUNCTION_LIST* operator->() const noexcept { return module_; }
    [[nodiscard]] CK_SESSION_HANDLE handle() const noexcept { return handle_; }

    /// Up to three objects that fit; two say "not unique" already.
    [[nodiscard]] Result<std::vector<CK_OBJECT_HANDLE>> find(std::vector<CK_ATTRIBUTE> wanted) const {
        std::array<CK_OBJECT_HANDLE, 3> found{};
        CK_ULONG count = 0;
        CK_RV result =
            module_->C_FindObjectsInit(handle_, wanted.data(), static_cast<CK_ULONG>(wanted.size()));
        if (result == CKR_OK) {
            result = module_->C_FindObjects(handle_, found.data(), found.size(), &count);
            module_->C_FindObjectsFinal(handle_);
        }
        if (result != CKR_OK) return token_error("looking for the key", result);
        return std::vector<CK_OBJECT_HANDLE>(found.begin(),
                                             found.begin() + static_cast<std::ptrdiff_t>(count));
    }
    /// Value of an attribute; empty when the object has none or does not tell it.
    [[nodiscard]] Bytes attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const {
        constexpr CK_ULONG kLongest = 4096;
        CK_ATTRIBUTE wanted{type, nullptr, 0};
        if (module_->C_GetAttributeValue(handle_, object, &wanted, 1) != CKR_OK || wanted.ulValueLen == 0 ||
            wanted.ulValueLen > kLongest)
            return {};
        Bytes out(wanted.ulValueLen);
        wanted.pValue = out.data();
        if (module_->C_GetAttributeValue(handle_, object, &wanted, 1) != CKR_OK) return {};
        out.resize(wanted.ulValueLen);
        return out;
    }

  private:
    CK_FUNCTION_LIST* module_{nullptr};
    CK_SESSION_HANDLE handle_{0};
};

struct TokenSlot {
    CK_FUNCTION_LIST* module;
    CK_SLOT_ID slot;
};

std::vector<TokenSlot> tokens_that_fit(const Modules& modules, P11KitUri* uri) {
    std::vector<TokenSlot> out;
    for (CK_FUNCTION_LIST* const module : modules.list()) {
        CK_ULONG count = 0;
        if (module->C_GetSlotList(CK_TRUE, nullptr, &count) != CKR_OK || count == 0) continue;
        std::vector<CK_SLOT_ID> slots(count);
        if (module->C_GetSlotList(CK_TRUE, slots.data(), &count) != CKR_OK) continue;
        slots.resize(std::min<std::size_t>(count, slots.size()));
        for (const CK_SLOT_ID slot : slots) {
            CK_TOKEN_INFO token{};
            if (module->C_GetTokenInfo(slot, &token) == CKR_OK &&
                (token.flags & CKF_TOKEN_INITIALIZED) != 0 && p11_kit_uri_match_token_info(uri, &token) == 1)
                out.push_back({module, slot});
        }
    }
    return out;
}

Result<std::string> pin_of(P11KitUri* uri, const std::string& otherwise) {
    if (const char* const value = p11_kit_uri_get_pin_value(uri)) return std::string(value);
    if (const char* const source = p11_kit_uri_get_pin_source(uri)) {
        std::string file = source;
        if (file.starts_with("file:")) file.erase(0, 5);
        const auto bytes = read_file(file, 256, ErrorCode::key_unreadable);
        if (!bytes) return Error(bytes.error()).while_doing("reading the PIN");
        std::string pin(bytes->begin(), bytes->end());
        while (!pin.empty() && (pin.back() == '\n' || pin.back() == '\r'))
            pin.pop_back();
        return pin;
    }
    if (!otherwise.empty()) return otherwise;
    return key_error("the token wants a PIN",
                     "put it into the environment variable MCUOTA_PIN, or name a file in the URI: "
                     "?pin-source=file:/path");
}

std::vector<CK_ATTRIBUTE> key_attributes(P11KitUri* uri, CK_OBJECT_CLASS& kind) {
    std::vector<CK_ATTRIBUTE> out = {{CKA_CLASS, &kind, sizeof kind}};
    for (const CK_ATTRIBUTE_TYPE type : {CK_ATTRIBUTE_TYPE{CKA_LABEL}, CK_ATTRIBUTE_TYPE{CKA_ID}})
        if (const CK_ATTRIBUTE* const wanted = p11_kit_uri_get_attribute(uri, type)) out.push_back(*wanted);
    return out;
}

Result<CK_OBJECT_HANDLE> only_one(const Session& session, const std::vector<CK_ATTRIBUTE>& wanted,
                                  const std::string& what) {
    const auto found = session.find(wanted);
    if (!found) return found.error();
    if (found->empty())
        return Error{ErrorCode::not_found, "the token holds no " + what + " that fits the URI",
                     "pkcs11-tool --login --list-objects shows what it holds", 0};
    if (found->size() > 1)
        return key_error("the token holds several keys that fit the URI", "name one: object=LABEL or id=%01");
    return found->front();
}

/// The point as OpenSSL takes it: tokens wrap it in an OCTET STRING, as PKCS#11 says, or do not.
Bytes bare_point(Bytes point) {
    if (point.size() == 67 && point[0] == 0x04 && point[1] == 65)
        point.erase(point.begin(), point.begin() + 2);
    return point;
}

Result<OpensslKey> public_half(const Session& session, CK_OBJECT_HANDLE key) {
    const Bytes type = session.attribute(key, CKA_KEY_TYPE);
    CK_KEY_TYPE key_type = CK_UNAVAILABLE_INFORMATION;
    if (type.size() == sizeof key_type)
        std::copy(type.begin(), type.end(), reinterpret_cast<std::uint8_t*>(&key_type));
    if (key_type == CKK_RSA)
        return OpensslKey::from_loader_bytes(SignatureAlgorithm::rsa_2048_pkcs1_sha256,
                                             session.attribute(key, CKA_MODULUS));
    if (key_type != CKK_EC)
        return key_error("the token's key is neither ECDSA nor RSA", "make an EC P-256 or RSA-2048 key");
    // Only the public object of a pair tells the point.
    Bytes id = session.attribute(key, CKA_ID);
    CK_OBJECT_CLASS kind = CKO_PUBLIC_KEY;
    const auto public_object = only_one(
        session, {{CKA_CLASS, &kind, sizeof kind}, {CKA_ID, id.data(), static_cast<CK_ULONG>(id.size())}},
        "public key with the private key's id");
    if (!public_object) return public_object.error();
    return OpensslKey::from_loader_bytes(SignatureAlgorithm::ecdsa_p256_sha256,
                                         bare_point(session.attribute(*public_object, CKA_EC_POINT)));
}

}  // namespace

struct Pkcs11Signer::Impl {
    Modules modules;
    Session session;
    CK_OBJECT_HANDLE key{0};
    bool pin_each_time{false};
    std::string pin;
    std::optional<OpensslKey> public_key;
};

Pkcs11Signer::Pkcs11Signer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Pkcs11Signer::~Pkcs11Signer() = default;

Result<std::unique_ptr<Pkcs11Signer>> Pkcs11Signer::open(const std::string& text, const std::string& pin) {
    const Uri uri(p11_kit_uri_new());
    if (p11_kit_uri_parse(text.c_str(), P11_KIT_URI_FOR_ANY, uri.get()) != P11_KIT_URI_OK ||
        p11_kit_uri_any_unrecognized(uri.get()) != 0)
        return key_error("this is no PKCS#11 URI, or it has parts nobody knows",
                         "write it like pkcs11:token=release;object=pump-3 (RFC 7512)");
    auto impl = std::make_unique<Impl>();
    if (auto loaded = impl->modules.load(p11_kit_uri_get_module_path(uri.get())); !loaded)
        return std::move(loaded).error();
    const std::vector<TokenSlot> tokens = tokens_that_fit(impl->modules, uri.get());
    if (tokens.empty())
        return Error{ErrorCode::not_found, "no token fits the URI",
                     "plug it in; pkcs11-tool --list-slots shows what is there", 0};
    if (tokens.size() > 1)
        return key_error("several tokens fit the URI", "name one: token=LABEL or serial=NUMBER");
    auto found_pin = pin_of(uri.get(), pin);
    if (!found_pin) return std::move(found_pin).error();
    impl->pin = std::move(*found_pin);
    if (auto opened = impl->session.open(tokens[0].module, tokens[0].slot); !opened)
        return std::move(opened).error();
    if (auto in = impl->session.login(CKU_USER, impl->pin); !in) return std::move(in).error();

    CK_OBJECT_CLASS kind = CKO_PRIVATE_KEY;
    const auto key = only_one(impl->session, key_attributes(uri.get(), kind), "private key");
    if (!key) return key.error();
    impl->key = *key;
    const Bytes each_time = impl->session.attribute(*key, CKA_ALWAYS_AUTHENTICATE);
    impl->pin_each_time = !each_time.empty() && each_time[0] != CK_FALSE;
    auto public_key = public_half(impl->session, *key);
    if (!public_key) return std::move(public_key).error();
    impl->public_key = std::move(*public_key);
    return std::unique_ptr<Pkcs11Signer>(new Pkcs11Signer(std::move(impl)));
}

SignatureAlgorithm Pkcs11Signer::algorithm() const {
    return impl_->public_key->algorithm();
}

KeyId Pkcs11Signer::key_id() const {
    return impl_->public_key->id();
}

const OpensslKey& Pkcs11Signer::public_key() const noexcept {
    return *impl_->public_key;
}

Result<std::vector<std::uint8_t>> Pkcs11Signer::sign(std::span<const std::uint8_t> message) const {
    // DigestInfo of SHA-256 (RFC 8017 §9.2): every token can pad, not every one can hash.
    constexpr std::array<std::uint8_t, 19> kDigestInfo = {0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60,
                                                          0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
                                                          0x01, 0x05, 0x00, 0x04, 0x20};
    const bool rsa = algorithm() == SignatureAlgorithm::rsa_2048_pkcs1_sha256;
    const Sha256Digest digest = sha256(message);
    Bytes input((rsa ? kDigestInfo.size() : 0) + digest.size());
    if (rsa) std::copy(kDigestInfo.begin(), kDigestInfo.end(), input.begin());
    std::copy(digest.begin(), digest.end(), input.end() - static_cast<std::ptrdiff_t>(digest.size()));
    const Session& session = impl_->session;
    CK_MECHANISM mechanism{rsa ? CK_MECHANISM_TYPE{CKM_RSA_PKCS} : CK_MECHANISM_TYPE{CKM_ECDSA}, nullptr, 0};
    CK_RV result = session->C_SignInit(session.handle(), &mechanism, impl_->key);
    if (result != CKR_OK) return token_error("beginning to sign", result);
    if (impl_->pin_each_time)
        if (auto in = session.login(CKU_CONTEXT_SPECIFIC, impl_->pin); !in) return std::move(in).error();
    Bytes out(512);
    auto size = static_cast<CK_ULONG>(out.size());
    result = session->C_Sign(session.handle(), input.data(), static_cast<CK_ULONG>(input.size()), out.data(),
                             &size);
    if (result != CKR_OK) return token_error("signing", result);
    out.resize(size);
    if (!impl_->public_key->verify(message, out))
        return key_error("the token's signature does not fit its public key",
                         "check that public and private key of the token are one pair");
    return out;
}

}  // namespace mcuota::package
