// SPDX-License-Identifier: GPL-2.0-or-later
// Arguments as the ARM procedure call standard passes them; a table in shared memory.

#include "virtual_board/prove/fast_calls.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <optional>
#include <vector>

#include "virtual_board/image_file.hpp"
#include "virtual_board/prove/digest.hpp"

namespace mcuota::board {
namespace {

constexpr std::uint32_t kComparedCalls = 16;
constexpr std::size_t kAnswersMax = 256;
constexpr std::uint32_t kThumbBit = 1;
// void mcuota::(anonymous namespace)::compress(std::array<uint32_t, 8>& state, const uint8_t* block)
constexpr const char* kCompressSymbol = "_ZN6mcuota12_GLOBAL__N_18compressERSt5arrayImLj8EEPKh";
// Status mcuota::verify_signature(const PublicKey&, std::span<const uint8_t>, std::span<const uint8_t>)
constexpr const char* kVerifySymbol =
    "_ZN6mcuota16verify_signatureERKNS_9PublicKeyESt4spanIKhLj4294967295EES5_";
constexpr const char* kFillSymbol = "memset";
constexpr std::uint32_t kFillWorthBytes = 64;  // shorter ones are executed as fast
constexpr std::size_t kFillsMax = 256;
constexpr std::uint32_t kRamBase = 0x2000'0000;
// Offsets in a PublicKey: algorithm, key id, bytes (pointer, size).
constexpr std::uint32_t kKeyStructBytes = 20, kKeyBytesAt = 12, kKeySizeAt = 16;

}  // namespace

struct CallMemory::Shared {
    struct Answer {
        Digest inputs;
        std::uint32_t answer;
        std::uint64_t instructions;
        std::atomic<bool> ready;
    };
    std::atomic<std::uint32_t> compared{0};
    std::atomic<std::uint64_t> compression_instructions{0};
    std::atomic<bool> wrong{false};
    std::atomic<std::uint32_t> answers{0};
    Answer answer[kAnswersMax];
    /// How long a fill takes depends on where it begins in a word and on its length.
    struct Fill {
        std::atomic<std::uint64_t> key;  ///< 0: free
        std::atomic<std::uint64_t> instructions;
    };
    Fill fill[kFillsMax];
};

CallMemory::CallMemory() {
    void* at = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at != MAP_FAILED) shared_ = new (at) Shared;
}

CallMemory::~CallMemory() {
    if (shared_) ::munmap(shared_, sizeof(Shared));
}

bool CallMemory::wrong() const {
    return shared_ && shared_->wrong;
}

FastCalls::FastCalls(Board& board, const std::string& loader, CallMemory& memory)
    : board_(board), shared_(memory.shared_) {
    if (!shared_) return;
    if (const std::optional<std::uint32_t> address = symbol_address(loader, kCompressSymbol))
        board_.watch_code(*address & ~kThumbBit, [this] { compression(); });
    if (const std::optional<std::uint32_t> address = symbol_address(loader, kVerifySymbol))
        board_.watch_code(*address & ~kThumbBit, [this] { verification(); });
    if (const std::optional<std::uint32_t> address = symbol_address(loader, kFillSymbol))
        board_.watch_code(*address & ~kThumbBit, [this] { fill(); });
}

/// r0: the state; r1: the block.
void FastCalls::compression() {
    const std::uint8_t* block = board_.memory(board_.reg(Reg::r1), 64);
    std::uint8_t* state = board_.memory(board_.reg(Reg::r0), 32);
    if (!block || !state || shared_->wrong) return;
    std::array<std::uint32_t, 8> values{};
    std::memcpy(values.data(), state, 32);
    sha256_compress(values, block);
    if (shared_->compared < kComparedCalls) {
        state_address_ = board_.reg(Reg::r0);
        std::copy(values.begin(), values.end(), expected_);
        begun_at_ = board_.thread_instructions();
        board_.watch_code_once(board_.reg(Reg::lr) & ~kThumbBit, [this] { compressed(); });
        return;
    }
    std::memcpy(state, values.data(), 32);
    board_.finish_call(board_.reg(Reg::r0), shared_->compression_instructions);
}

void FastCalls::compressed() {
    const std::uint8_t* state = board_.memory(state_address_, 32);
    if (!state || std::memcmp(state, expected_, 32) != 0) shared_->wrong = true;
    shared_->compression_instructions = board_.thread_instructions() - begun_at_;
    ++shared_->compared;
}

/// r0: the key; r1, r2: the message; r3 and the stack's first word: the signature.
void FastCalls::verification() {
    std::vector<std::uint8_t> inputs;
    const auto take = [&](std::uint32_t address, std::uint32_t size) {
        const std::uint8_t* at = size <= 4096 ? board_.memory(address, size) : nullptr;
        if (at) inputs.insert(inputs.end(), at, at + size);
        inputs.push_back(static_cast<std::uint8_t>(size));
        return at != nullptr;
    };
    const std::uint8_t* key = board_.memory(board_.reg(Reg::r0), kKeyStructBytes);
    const std::uint8_t* stack = board_.memory(board_.reg(Reg::sp), 4);
    if (!key || !stack) return;
    std::uint32_t key_bytes = 0, key_size = 0, signature_size = 0;
    std::memcpy(&key_bytes, key + kKeyBytesAt, 4);
    std::memcpy(&key_size, key + kKeySizeAt, 4);
    std::memcpy(&signature_size, stack, 4);
    inputs.push_back(key[0]);
    if (!take(key_bytes, key_size) || !take(board_.reg(Reg::r1), board_.reg(Reg::r2)) ||
        !take(board_.reg(Reg::r3), signature_size))
        return;
    const Digest digest = sha256(inputs);
    const std::uint32_t known = std::min<std::uint32_t>(shared_->answers, kAnswersMax);
    for (std::uint32_t i = 0; i < known; ++i) {
        const Shared::Answer& answer = shared_->answer[i];
        if (answer.ready && answer.inputs == digest)
            return board_.finish_call(answer.answer, answer.instructions);
    }
    std::copy(digest.begin(), digest.end(), inputs_);
    begun_at_ = board_.thread_instructions();
    board_.watch_code_once(board_.reg(Reg::lr) & ~kThumbBit, [this] { verified(); });
}

void FastCalls::verified() {
    const std::uint32_t slot = shared_->answers++;
    if (slot >= kAnswersMax) return;
    Shared::Answer& answer = shared_->answer[slot];
    std::copy(std::begin(inputs_), std::end(inputs_), answer.inputs.begin());
    answer.answer = board_.reg(Reg::r0);
    answer.instructions = board_.thread_instructions() - begun_at_;
    answer.ready = true;
}

/// r0: where; r1: the byte; r2: how many.
void FastCalls::fill() {
    const std::uint32_t begin = board_.reg(Reg::r0), count = board_.reg(Reg::r2);
    if (count < kFillWorthBytes || begin < kRamBase || shared_->wrong) return;
    std::uint8_t* at = board_.memory(begin, count);
    if (!at) return;
    const std::uint64_t key = std::uint64_t{count} << 2 | (begin & 3);
    for (Shared::Fill& known : shared_->fill) {
        if (known.key == key) {
            if (known.instructions == 0) return;  // another process is learning it just now
            std::memset(at, static_cast<std::uint8_t>(board_.reg(Reg::r1)), count);
            return board_.finish_call(begin, known.instructions);
        }
        std::uint64_t free = 0;
        if (known.key != 0 || !known.key.compare_exchange_strong(free, key)) continue;
        const auto byte = static_cast<std::uint8_t>(board_.reg(Reg::r1));
        begun_at_ = board_.thread_instructions();
        board_.watch_code_once(board_.reg(Reg::lr) & ~kThumbBit, [this, &known, at, count, byte] {
            if (std::count(at, at + count, byte) != static_cast<std::ptrdiff_t>(count)) shared_->wrong = true;
            known.instructions = board_.thread_instructions() - begun_at_;
        });
        return;
    }
}

}  // namespace mcuota::board
