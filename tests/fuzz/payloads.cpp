// Payload decoders on memory of exactly the size they ask for.

#include <lzma.h>

#include <algorithm>
#include <memory>

#include "mcu_flasher/package/delta/delta.hpp"
#include "mcu_flasher/package/encode_full.hpp"
#include "mcu_flasher/package/memory_bytes.hpp"
#include "mcu_loader/core/little_endian.hpp"
#include "tests/fuzz/target_list.hpp"
#include "tests/tools/lzma_file.hpp"
#include "tests/unit/delta/samples.hpp"

namespace mcuota::fuzz {
namespace {

constexpr std::uint32_t kMemoryBytesMax = 96U << 10;
/// Longer images only make runs slower.
constexpr std::uint32_t kImageBytesMax = 1U << 18;

/// Old bytes of whatever length a delta names: code-like, so that predictions have something to predict.
const Bytes& pool() {
    static const Bytes bytes = delta::test::firmware(0x08020000, 700);
    return bytes;
}

/// Counts what comes out; more than announced breaks a promise at once.
class CountingSink final : public ByteSink {
  public:
    explicit CountingSink(std::uint32_t most) : left_(most) {}
    Status write(std::span<const std::uint8_t> bytes) noexcept override {
        if (bytes.size() > left_) broken("no more output than announced");
        left_ -= static_cast<std::uint32_t>(bytes.size());
        for (const std::uint8_t byte : bytes)
            sum_ = sum_ * 31U + byte;  // reads every byte: the sanitizer looks on
        return Status::ok;
    }
    [[nodiscard]] std::uint32_t left() const { return left_; }

  private:
    std::uint32_t left_, sum_{0};
};

void decode(PayloadKind kind, View payload, View base, std::uint32_t image_bytes) {
    package::MemorySource source(payload), old_image(base);
    const std::uint32_t memory_bytes = payload_memory_bytes(kind, source, image_bytes);
    // Memory of exactly that size, so that the sanitizer sees the first byte beyond it.
    const std::uint32_t given = std::min(memory_bytes, kMemoryBytesMax);
    const auto work = std::make_unique<std::uint8_t[]>(given);
    CountingSink sink(image_bytes);
    const Status status = decode_payload(kind, source, base.empty() ? nullptr : &old_image, image_bytes,
                                         {work.get(), given}, sink);
    if (status == Status::ok && sink.left() != 0) broken("ok means all of the image came out");
    if (status == Status::ok && memory_bytes > given)
        broken("no decoder works with less memory than it told");
    if (status == Status::memory_budget && memory_bytes <= given && memory_bytes != 0)
        broken("what was told suffices");
}

/// New and old size as an HDiffPatch head tells them; nonsense gives nonsense.
std::pair<std::uint32_t, std::uint32_t> sizes_of(View delta) {
    auto at = std::find(delta.begin(), delta.end(), std::uint8_t{0});
    std::uint32_t numbers[2] = {0, 0};
    for (std::uint32_t& number : numbers) {
        bool more = true;
        while (more && at != delta.end() && ++at != delta.end()) {
            number = number << 7 | (*at & 0x7FU);
            more = (*at & 0x80U) != 0;
        }
    }
    return {numbers[0], numbers[1]};
}

void run_delta(PayloadKind kind, View input, std::uint32_t new_bytes, std::uint32_t old_bytes) {
    const View base = View(pool()).first(std::min<std::size_t>(old_bytes, pool().size()));
    decode(kind, input, base, std::clamp(new_bytes, 1U, kImageBytesMax));
}

std::vector<Bytes> delta_seeds(delta::Format format) {
    const Bytes old_code = delta::test::firmware(0x08020000, 60);
    std::vector<Bytes> out;
    for (const Bytes& to : {delta::test::firmware(0x08020000, 60, {3, 30}), delta::test::random_bytes(300, 1),
                            old_code, Bytes{0x42}}) {
        // The base is the front of the pool, so that runs start from what the delta was made for.
        const auto made = delta::encode(format, View(pool()).first(old_code.size()), to);
        if (made) out.push_back(made->bytes);
    }
    return out;
}

Bytes lzma_input(std::uint8_t choice, std::size_t image_bytes, View payload) {
    Bytes out(4 + payload.size());
    store_u32(out.data(), choice | static_cast<std::uint32_t>(image_bytes) << 8);
    std::copy(payload.begin(), payload.end(), out.begin() + 4);
    return out;
}

/// An `.lzma` file with an end marker.
Bytes alone_file(View plain) {
    lzma_options_lzma options{};
    if (lzma_lzma_preset(&options, 0)) broken("liblzma knows its preset");
    options.dict_size = 4096;
    lzma_stream stream = LZMA_STREAM_INIT;
    Bytes out(plain.size() * 2 + 200);
    if (lzma_alone_encoder(&stream, &options) != LZMA_OK) broken("liblzma encodes");
    stream.next_in = plain.data();
    stream.avail_in = plain.size();
    stream.next_out = out.data();
    stream.avail_out = out.size();
    const bool done = lzma_code(&stream, LZMA_FINISH) == LZMA_STREAM_END;
    out.resize(stream.total_out);
    lzma_end(&stream);
    if (!done) broken("liblzma encodes all of it");
    return out;
}

}  // namespace

void run_hdiffsf20(View input) {
    const auto [new_bytes, old_bytes] = sizes_of(input);
    run_delta(PayloadKind::hdiffsf20, input, new_bytes, old_bytes);
}
std::vector<Bytes> hdiffsf20_seeds() {
    return delta_seeds(delta::Format::hdiffsf20);
}

void run_hdiff13(View input) {
    const auto [new_bytes, old_bytes] = sizes_of(input);
    run_delta(PayloadKind::hdiff13, input, new_bytes, old_bytes);
}
std::vector<Bytes> hdiff13_seeds() {
    return delta_seeds(delta::Format::hdiff13);
}

void run_relocated(View input) {
    if (input.size() < 20) return;
    run_delta(PayloadKind::relocated, input, load_u32(input.data() + 4), load_u32(input.data() + 8));
}
std::vector<Bytes> relocated_seeds() {
    return delta_seeds(delta::Format::relocated);
}

void run_lzma(View input) {
    if (input.size() < 4) return;
    const View payload = input.subspan(4);
    const std::uint32_t image_bytes = input[1] | std::uint32_t{input[2]} << 8 | (input[3] & 3U) << 16;
    if (input[0] % 3 != 2)
        return decode(input[0] % 3 == 0 ? PayloadKind::lzma : PayloadKind::lzma_thumb, payload, {},
                      image_bytes);
    std::uint64_t left = kImageBytesMax;
    static_cast<void>(vectors::decode_lzma_file(
        payload, {.memory_bytes = 1U << 20, .output_bytes = kImageBytesMax}, [&](View piece) {
            if (piece.size() > left) broken("no more output than allowed");
            left -= piece.size();
            return true;
        }));
}

std::vector<Bytes> lzma_seeds() {
    const Bytes image = delta::test::firmware(0x08020000, 20);
    const Bytes file = alone_file(image);
    Bytes known = file;
    for (std::size_t i = 0; i < 8; ++i)
        known[5 + i] = static_cast<std::uint8_t>(std::uint64_t{image.size()} >> (8 * i));
    std::vector<Bytes> out{lzma_input(2, 0, file), lzma_input(2, 0, known)};
    if (const auto full = package::encode_full(image))
        for (const std::uint8_t choice : {std::uint8_t{0}, std::uint8_t{1}})
            out.push_back(lzma_input(choice, image.size(), full->bytes));
    return out;
}

}  // namespace mcuota::fuzz
