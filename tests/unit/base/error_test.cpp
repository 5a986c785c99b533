#include "mcu_flasher/base/error.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "mcu_flasher/base/result.hpp"

using namespace mcuota;

TEST_CASE("error numbers and names are unique", "[base]") {
    std::set<unsigned> numbers;
    std::set<std::string> names;
    std::size_t rows = 0;
#define MCUOTA_ERROR(name, number, cls, exit_code, summary) \
    numbers.insert(number);                                 \
    names.insert(#name);                                    \
    ++rows;
#include "mcu_flasher/base/errors.def"
#undef MCUOTA_ERROR
    CHECK(numbers.size() == rows);
    CHECK(names.size() == rows);
}

TEST_CASE("an error says what, code and next step in one line", "[base]") {
    Error error{ErrorCode::wrong_hardware, "package is for pump-2, device is pump-3",
                "use the package for pump-3", 0};
    CHECK(error.line() ==
          "package is for pump-2, device is pump-3 (wrong_hardware); use the package for pump-3");
    CHECK(exit_code(error.code) == 4);
    const Error longer = std::move(error).while_doing("installing");
    CHECK(longer.what == "while installing: package is for pump-2, device is pump-3");
}

TEST_CASE("a result holds a value or an error", "[base]") {
    Result<int> value{7};
    REQUIRE(value);
    CHECK(*value == 7);
    Result<int> failed{Error{ErrorCode::not_found, "no", "", 0}};
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == ErrorCode::not_found);
    CHECK(Result<void>{}.ok());
}
