// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// Errors as values. The board has its own small type because it must not link the Apache-licensed host
// libraries.

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace mcuota::board {

/// Why something could not be done, and what helps.
struct Failure {
    std::string what;
    std::string next;
};

/// Either a value or a Failure.
template <class T>
class [[nodiscard]] Outcome {
  public:
    Outcome(T value) : data_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
    Outcome(Failure failure)
        : data_(std::in_place_index<1>, std::move(failure)) {}  // NOLINT: implicit by design
    explicit operator bool() const noexcept { return data_.index() == 0; }
    [[nodiscard]] T& operator*() {
        assert(data_.index() == 0);
        return *std::get_if<0>(&data_);
    }
    [[nodiscard]] T* operator->() { return &**this; }
    [[nodiscard]] const Failure& failure() const {
        assert(data_.index() == 1);
        return *std::get_if<1>(&data_);
    }

  private:
    std::variant<T, Failure> data_;
};

}  // namespace mcuota::board
