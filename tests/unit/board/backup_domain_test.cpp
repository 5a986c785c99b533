// Backup registers and backup SRAM against RM0090 §5, §26 (fact sheet 7).

#include <catch2/catch.hpp>

#include "virtual_board/models/pwr_rtc.hpp"

using namespace mcuota::board;

TEST_CASE("backup registers and SRAM take writes only with DBP set", "[board][backup]") {
    BackupDomain domain;
    Pwr pwr;
    const auto writable = [&] { return pwr.backup_writable(); };
    Rtc rtc(domain, writable);
    BackupSram sram(domain, writable);
    for (unsigned i = 0; i < 20; ++i) {
        const std::uint32_t offset = 0x50 + 4 * i;
        pwr.reset();
        rtc.write(offset, 0x1000 + i);
        sram.write(4 * i, 0x2000 + i);
        CHECK(rtc.peek(offset) == 0);
        CHECK(sram.peek(4 * i) == 0);
        pwr.write(Pwr::kCr, 0xC000 | Pwr::kDbp);
        rtc.write(offset, 0x1000 + i);
        sram.write(4 * i, 0x2000 + i);
        CHECK(rtc.peek(offset) == 0x1000 + i);
        CHECK(domain.registers[i] == 0x1000 + i);
        CHECK(sram.peek(4 * i) == 0x2000 + i);
    }
    rtc.reset();
    CHECK(rtc.peek(0x50) == 0x1000);  // a system reset leaves them
    rtc.domain_reset();
    CHECK(rtc.peek(0x50) == 0);
    CHECK(sram.peek(0) == 0x2000);  // BDRST does not clear the backup SRAM
}

TEST_CASE("regulator and over-drive report ready when asked for", "[board][backup]") {
    Pwr pwr;
    CHECK(pwr.peek(Pwr::kCr) == 0xC000);
    CHECK((pwr.peek(Pwr::kCsr) & 1u << 14) != 0);
    CHECK((pwr.peek(Pwr::kCsr) & 3u << 16) == 0);
    pwr.write(Pwr::kCr, 0xC000 | 1u << 16);
    CHECK((pwr.peek(Pwr::kCsr) & 3u << 16) == 1u << 16);
    pwr.write(Pwr::kCr, 0xC000 | 3u << 16);
    CHECK((pwr.peek(Pwr::kCsr) & 3u << 16) == 3u << 16);
    pwr.write(Pwr::kCsr, 1u << 9);
    CHECK((pwr.peek(Pwr::kCsr) & 1u << 3) != 0);
}
