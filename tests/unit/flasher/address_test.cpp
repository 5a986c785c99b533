// Link addresses, and the errors devices' answers become.
#include <catch2/catch.hpp>
#include <set>

#include "mcu_flasher/base/status_text.hpp"
#include "mcu_flasher/flasher.hpp"
#include "mcu_flasher/link/device_error.hpp"

using namespace mcuota;
using namespace mcuota::flasher;

TEST_CASE("link addresses are read and written back", "[flasher][address]") {
    struct Row {
        const char* text;
        const char* path;
        std::uint32_t baud;
        std::uint8_t address;
        std::uint16_t port;
        const char* back;
    };
    const Row row =
        GENERATE(Row{"uart:/dev/ttyUSB0", "/dev/ttyUSB0", 115'200, 0, 0, "uart:/dev/ttyUSB0"},
                 Row{"uart:/dev/ttyUSB0:921600", "/dev/ttyUSB0", 921'600, 0, 0, "uart:/dev/ttyUSB0:921600"},
                 Row{"uart:/dev/ttyS1:460800:12", "/dev/ttyS1", 460'800, 12, 0, "uart:/dev/ttyS1:460800:12"},
                 Row{"uart:/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0:2000000",
                     "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0", 2'000'000, 0, 0,
                     "uart:/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0:2000000"},
                 Row{"tcp:10.0.0.7:3333", "10.0.0.7", 115'200, 0, 3333, "tcp:10.0.0.7:3333"},
                 Row{"tcp:[::1]:3333", "::1", 115'200, 0, 3333, "tcp:[::1]:3333"});
    const auto parsed = parse_link_address(row.text);
    REQUIRE(parsed);
    CHECK(parsed->path_or_host == row.path);
    CHECK(parsed->baud == row.baud);
    CHECK(parsed->address == row.address);
    CHECK(parsed->port == row.port);
    CHECK(to_string(*parsed) == row.back);
}

TEST_CASE("what is no link address is a usage error that says how to write one", "[flasher][address]") {
    const char* text =
        GENERATE("", "uart:", "uart::115200", "uart:ttyUSB0", "uart:/dev/ttyUSB0:12",
                 "uart:/dev/ttyUSB0:99999999", "uart:/dev/ttyUSB0:115200:248", "tcp:", "tcp:host", "tcp::1",
                 "tcp:host:0", "tcp:host:70000", "tcp:host:x", "swd:stlink", "/dev/ttyUSB0");
    INFO(text);
    const auto parsed = parse_link_address(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == ErrorCode::usage);
    CHECK_FALSE(parsed.error().next.empty());
}

TEST_CASE("every status of a device has a code, words and a next step of its own class",
          "[flasher][status]") {
    struct Row {
        Status status;
        const char* name;
        ErrorClass cls;
    };
    const Row rows[] = {
#define MCUOTA_STATUS(name, number, cls, text) {Status::name, #name, ErrorClass::cls},
#include "mcu_loader/core/status.def"
#undef MCUOTA_STATUS
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Error error = error_from_status(row.status, "installing");
        CHECK(error.device_status == static_cast<std::uint16_t>(row.status));
        CHECK(error.what.find(std::string(summary(row.status))) != std::string::npos);
        CHECK(error.what.find("installing") == 0);
        CHECK(error.next.size() > 10);
        CHECK(error.next.find("the device is newer") == std::string::npos);  // the answer to unknown ones
        // What no second try can change on the device must not be tried again by the gateway. An installation
        // the device does not know of is begun again.
        if (row.cls == ErrorClass::final && row.status != Status::unknown_token)
            CHECK(error.cls() != ErrorClass::transient);
    }
    const Error unknown = error_from_status(Status{0x7777}, "installing");
    CHECK(unknown.code == ErrorCode::device_refused);
    CHECK(unknown.what.find("0x7777") != std::string::npos);
}

TEST_CASE("well-known refusals keep their own codes", "[flasher][status]") {
    CHECK(error_from_status(Status::wrong_hardware, "x").code == ErrorCode::wrong_hardware);
    CHECK(error_from_status(Status::security_counter_old, "x").code == ErrorCode::security_counter_too_old);
    CHECK(error_from_status(Status::signature_invalid, "x").code == ErrorCode::signature_invalid);
    CHECK(error_from_status(Status::image_too_large, "x").code == ErrorCode::image_too_large);
    CHECK(error_from_status(Status::memory_budget, "x").code == ErrorCode::memory_budget_exceeded);
    CHECK(error_from_status(Status::flash_program_failed, "x").code == ErrorCode::device_storage_failed);
    CHECK(error_from_status(Status::trial_not_confirmed, "x").code == ErrorCode::trial_failed);
    CHECK(error_from_status(Status::no_application, "x").code == ErrorCode::no_application);
    CHECK(error_from_status(Status::already_running, "x").code == ErrorCode::nothing_to_do);
}

TEST_CASE("a refusal's detail reaches people without control characters", "[flasher][status]") {
    const Error error =
        error_from_failure({Failure::Kind::refused, Status::busy, "a\x1b[2Jb"}, "installing", "uart:/dev/x");
    CHECK(error.what.find('\x1b') == std::string::npos);
    CHECK(error.what.find("(a?[2Jb)") != std::string::npos);
}
