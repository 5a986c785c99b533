// Address decoding and accesses narrower than a register.

#include <catch2/catch.hpp>

#include "virtual_board/bus.hpp"
#include "virtual_board/models/gpio.hpp"
#include "virtual_board/nvic.hpp"

using namespace mcuota::board;

TEST_CASE("byte and half-word accesses reach their lane of the register", "[board][bus]") {
    Gpio port('C');
    Bus bus;
    bus.add({&port, 0x4002'0800, 0x400, 0, 0});
    const Slot* slot = bus.at(0x4002'0814);
    REQUIRE(slot);
    Bus::write(*slot, 0x4002'0814, 2, 0x1234);
    CHECK(Bus::read(*slot, 0x4002'0814, 4) == 0x1234);
    Bus::write(*slot, 0x4002'0815, 1, 0x56);
    CHECK(Bus::read(*slot, 0x4002'0814, 2) == 0x5634);
    CHECK(Bus::read(*slot, 0x4002'0815, 1) == 0x56);
    Bus::write(*slot, 0x4002'081A, 2, 0x0004);  // upper half of BSRR resets
    CHECK(Bus::read(*slot, 0x4002'0814, 2) == 0x5630);
}

TEST_CASE("a byte store to a write-one-to-act register acts on that byte only", "[board][bus]") {
    Nvic nvic([] {});
    Bus bus;
    bus.add({&nvic, 0xE000'E000, 0x1000, 0, 0});
    const Slot* slot = bus.at(0xE000'E100);
    REQUIRE(slot);
    Bus::write(*slot, 0xE000'E100, 4, 0x0101'0101);
    Bus::write(*slot, 0xE000'E181, 1, 0x01);
    CHECK(Bus::read(*slot, 0xE000'E100, 4) == 0x0101'0001);
}

TEST_CASE("holes in the map are known as such", "[board][bus]") {
    Bus bus;
    CHECK(bus.at(0x4002'0000) == nullptr);
    CHECK(Bus::peripheral_space(0x4000'0000));  // TIM2: not modelled, but there
    CHECK_FALSE(Bus::peripheral_space(0x4001'8000));
    CHECK_FALSE(Bus::peripheral_space(0x6000'0000));
    CHECK(Bus::peripheral_space(0xE000'ED00));
}
