// GPIO ports against RM0090 §8.

#include <catch2/catch.hpp>

#include "virtual_board/models/gpio.hpp"

using namespace mcuota::board;

TEST_CASE("ports come up in the reference manual's reset state", "[board][gpio]") {
    CHECK(Gpio('A').peek(Gpio::kModer) == 0xA800'0000);
    CHECK(Gpio('B').peek(Gpio::kModer) == 0x0000'0280);
    CHECK(Gpio('F').peek(Gpio::kModer) == 0);
    CHECK(Gpio('A').peek(Gpio::kPupdr) == 0x6400'0000);
}

TEST_CASE("BSRR sets and resets single pins, set wins", "[board][gpio]") {
    Gpio port('F');
    port.write(Gpio::kModer, 1u << 12);
    port.write(Gpio::kBsrr, 1u << 6);
    CHECK(port.peek(Gpio::kOdr) == 1u << 6);
    CHECK(port.level(6));
    port.write(Gpio::kBsrr, 1u << 22 | 1u << 3);
    CHECK(port.peek(Gpio::kOdr) == 1u << 3);
    CHECK_FALSE(port.level(6));
    port.write(Gpio::kBsrr, 1u << 22 | 1u << 6);
    CHECK(port.level(6));
}

TEST_CASE("an input shows what drives it, else its pull, else it floats", "[board][gpio]") {
    Gpio port('C');
    CHECK_FALSE(port.level(2));
    CHECK(port.level(2, true));
    port.write(Gpio::kPupdr, 1u << 4);
    CHECK((port.peek(Gpio::kIdr) & 4) != 0);
    port.drive(2, false);
    CHECK((port.peek(Gpio::kIdr) & 4) == 0);
    port.drive(2, true);
    port.write(Gpio::kPupdr, 2u << 4);
    CHECK((port.peek(Gpio::kIdr) & 4) != 0);
    port.release(2);
    CHECK((port.peek(Gpio::kIdr) & 4) == 0);
}

TEST_CASE("an open-drain output only pulls down", "[board][gpio]") {
    Gpio port('C');
    port.write(Gpio::kModer, 1u);
    port.write(Gpio::kOtyper, 1u);
    CHECK_FALSE(port.level(0));
    port.write(Gpio::kBsrr, 1u);
    CHECK(port.level(0, true));
    CHECK_FALSE(port.level(0, false));
}

TEST_CASE("alternate functions need mode and number", "[board][gpio]") {
    Gpio port('A');
    CHECK_FALSE(port.alternate(9, 7));
    port.write(Gpio::kAfrh, 7u << 4);
    CHECK_FALSE(port.alternate(9, 7));
    port.write(Gpio::kModer, 2u << 18);
    CHECK(port.alternate(9, 7));
    CHECK_FALSE(port.alternate(9, 8));
}
