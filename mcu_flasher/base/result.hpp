#pragma once
// Value-or-error return type used on the host side. Errors are values; exceptions stay at the edge of the
// libraries that throw them.

#include <cassert>
#include <optional>
#include <utility>
#include <variant>

#include "mcu_flasher/base/error.hpp"

namespace mcuota {

/// Either a `T` or an `Error`. Must be looked at: ignoring one is a compile error.
template <class T>
class [[nodiscard]] Result {
  public:
    Result(T value) : data_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
    Result(Error error) : data_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

    [[nodiscard]] bool ok() const noexcept { return data_.index() == 0; }
    explicit operator bool() const noexcept { return ok(); }

    /// The value; only when ok().
    [[nodiscard]] T& value() & { return *get_value(); }
    [[nodiscard]] const T& value() const& {
        assert(ok());
        return std::get<0>(data_);
    }
    [[nodiscard]] T&& value() && { return std::move(*get_value()); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*get_value()); }
    T* operator->() { return get_value(); }
    const T* operator->() const { return &value(); }

    /// The error; only when not ok().
    [[nodiscard]] Error& error() & {
        assert(!ok());
        return std::get<1>(data_);
    }
    [[nodiscard]] const Error& error() const& {
        assert(!ok());
        return std::get<1>(data_);
    }
    [[nodiscard]] Error&& error() && {
        assert(!ok());
        return std::move(std::get<1>(data_));
    }

  private:
    T* get_value() {
        assert(ok());
        return &std::get<0>(data_);
    }
    std::variant<T, Error> data_;
};

/// A step that yields nothing but may fail.
template <>
class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

    [[nodiscard]] bool ok() const noexcept { return !error_.has_value(); }
    explicit operator bool() const noexcept { return ok(); }
    [[nodiscard]] Error& error() & {
        assert(!ok());
        return *error_;
    }
    [[nodiscard]] const Error& error() const& {
        assert(!ok());
        return *error_;
    }
    [[nodiscard]] Error&& error() && {
        assert(!ok());
        return std::move(*error_);
    }

  private:
    std::optional<Error> error_;
};

}  // namespace mcuota
