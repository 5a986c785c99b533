// memcpy() and its kin for the loader: the C library's are laid out for long copies and take 1 KiB of its
// flash. Compiled without link-time optimisation, and without the one that turns these loops into calls of
// themselves.
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

/// The processor reads and writes words at any address.
struct [[gnu::packed, gnu::may_alias]] Word {
    std::uint32_t value;
};

}  // namespace

extern "C" {

void* memcpy(void* to, const void* from, std::size_t count) {
    auto* out = static_cast<std::uint8_t*>(to);
    const auto* in = static_cast<const std::uint8_t*>(from);
    for (; count >= sizeof(Word); count -= sizeof(Word), out += sizeof(Word), in += sizeof(Word)) {
        reinterpret_cast<Word*>(out)->value = reinterpret_cast<const Word*>(in)->value;
    }
    for (; count > 0; --count) {
        *out++ = *in++;
    }
    return to;
}

void* memmove(void* to, const void* from, std::size_t count) {
    auto* out = static_cast<std::uint8_t*>(to);
    const auto* in = static_cast<const std::uint8_t*>(from);
    // Forwards, memcpy() reads each word before it writes over it.
    if (out <= in || out >= in + count) {
        return memcpy(to, from, count);
    }
    while (count > 0) {
        --count;
        out[count] = in[count];
    }
    return to;
}

void* memset(void* to, int value, std::size_t count) {
    auto* out = static_cast<std::uint8_t*>(to);
    const std::uint32_t word = 0x01010101U * static_cast<std::uint8_t>(value);
    for (; count >= sizeof(Word); count -= sizeof(Word), out += sizeof(Word)) {
        reinterpret_cast<Word*>(out)->value = word;
    }
    for (; count > 0; --count) {
        *out++ = static_cast<std::uint8_t>(value);
    }
    return to;
}

int memcmp(const void* left, const void* right, std::size_t count) {
    const auto* a = static_cast<const std::uint8_t*>(left);
    const auto* b = static_cast<const std::uint8_t*>(right);
    for (; count > 0; --count, ++a, ++b) {
        if (*a != *b) {
            return *a - *b;
        }
    }
    return 0;
}

std::size_t strlen(const char* text) {
    const char* end = text;
    while (*end != '\0') {
        ++end;
    }
    return static_cast<std::size_t>(end - text);
}

}  // extern "C"
