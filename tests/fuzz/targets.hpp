#pragma once
// Everything that reads bytes from outside, as functions any bytes may be thrown at. Used by libFuzzer
// programs (preset `fuzz`) and, with seeds and regression inputs, by an ordinary unit test.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mcuota::fuzz {

using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

struct Target {
    std::string_view name;
    /// Aborts when a promise is broken; the sanitizers find the rest.
    void (*run)(View input);
    /// Inputs in good form, by the project's own encoders.
    std::vector<Bytes> (*seeds)();
};

/// All targets, in the order of their names in docs.
[[nodiscard]] std::span<const Target> targets();

/// Null when there is none of that name.
[[nodiscard]] const Target* find(std::string_view name);

/// Ends the program: `promise` was broken.
[[noreturn]] void broken(const char* promise);

}  // namespace mcuota::fuzz
