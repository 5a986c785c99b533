// Reads the head of an .lzma file and hands its stream to the loader's decoder.
#include "tests/tools/lzma_file.hpp"

#include <algorithm>
#include <vector>

#include "mcu_flasher/package/memory_bytes.hpp"
#include "mcu_loader/core/little_endian.hpp"
#include "mcu_loader/core/lzma_stream.hpp"

namespace mcuota::vectors {
namespace {

constexpr std::size_t kSizeBytes = 8;
constexpr std::size_t kHeadBytes = kLzmaPropertiesBytes + kSizeBytes;
constexpr std::uint32_t kPieceBytes = 1U << 16;

std::string over(const char* what, std::uint64_t needed, std::uint64_t allowed) {
    return std::string(what) + " " + std::to_string(needed) + " bytes, allowed are " +
           std::to_string(allowed);
}

}  // namespace

std::string decode_lzma_file(std::span<const std::uint8_t> file, const LzmaLimits& limits,
                             const std::function<bool(std::span<const std::uint8_t>)>& sink) {
    if (file.size() < kHeadBytes) return "this is too short for an .lzma file";
    if (file[0] >= 9 * 5 * 5) return "this is no .lzma file: its first byte names no lc, lp and pb";
    if (file.size() > UINT32_MAX) return "the file is larger than 4 GiB";
    const std::uint64_t told = load_u32(&file[5]) | std::uint64_t{load_u32(&file[9])} << 32;
    const bool known = told != UINT64_MAX;
    const std::uint64_t output_max = std::min<std::uint64_t>(limits.output_bytes, UINT32_MAX - 1);
    if (known && told > output_max) return over("the file unpacks to", told, output_max);

    // The loader's stream is the properties and what is behind the size; a decoder may use a larger
    // dictionary than the header names, and the smallest there is has 4 KiB.
    std::vector<std::uint8_t> stream(file.begin(), file.begin() + kLzmaPropertiesBytes);
    if (load_u32(&stream[1]) < kLzmaDictionaryBytesMin) store_u32(&stream[1], kLzmaDictionaryBytesMin);
    stream.insert(stream.end(), file.begin() + kHeadBytes, file.end());
    package::MemorySource source(stream);
    // A stream of nothing is one whose marker comes first, or one of five bytes; asking for one byte at most
    // finds out.
    const bool nothing = known && told == 0;
    if (nothing && stream.size() == kLzmaPropertiesBytes + 5) {
        return std::all_of(stream.begin() + kLzmaPropertiesBytes, stream.end(),
                           [](std::uint8_t byte) { return byte == 0; })
                   ? ""
                   : "the file is damaged";
    }
    const auto output_bytes = static_cast<std::uint32_t>(nothing ? 1 : known ? told : output_max);
    LzmaPlan plan;
    if (plan_lzma(source, 0, output_bytes, plan) != Status::ok) return "the header makes no sense";
    if (plan.memory_bytes() > limits.memory_bytes)
        return over("decoding takes", plan.memory_bytes(), limits.memory_bytes);

    std::vector<std::uint8_t> work(plan.memory_bytes());
    LzmaStream decoder;
    Status status = decoder.open(source, 0, static_cast<std::uint32_t>(stream.size()), output_bytes, work,
                                 known && !nothing ? LzmaEndMark::allowed : LzmaEndMark::required);
    std::uint64_t done = 0;
    while (status == Status::ok) {
        std::span<const std::uint8_t> piece;
        status = decoder.next(kPieceBytes, piece);
        if (status != Status::ok || piece.empty()) break;
        done += piece.size();
        if (nothing) return "the file is longer than its header says";
        if (!sink(piece)) return "the output could not be written";
    }
    if (status == Status::ok) return "";
    if (!known && done + kPieceBytes > output_max)
        return over("the file may unpack to more than", done, output_max);
    return "the file is damaged, cut, or has something behind its end";
}

}  // namespace mcuota::vectors
