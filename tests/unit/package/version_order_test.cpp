// Version order: semantic versions by their rules, anything else by runs.
#include <catch2/catch.hpp>
#include <string_view>

#include "mcu_flasher/package/package.hpp"

using mcuota::package::compare_versions;

TEST_CASE("versions stand in the documented order", "[package]") {
    // Each list ascends; every pair of it is compared both ways.
    const std::vector<std::vector<std::string_view>> lists = {
        {"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
         "1.0.0-rc.1", "1.0.0"},
        {"0.9.9", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0", "10.0.0", "99999999999999999999.0.0",
         "100000000000000000000.0.0"},
        {"1.0.0-9", "1.0.0-10", "1.0.0-A", "1.0.0-a", "1.0.0-a-b"},
        {"1.2", "1.2.0.1", "1.2.0.2", "1.2.0.10"},
        {"7", "7.1", "7.01", "7.2", "7a", "10"},
        {"1", "a", "a1", "a2", "a10", "a10b", "b"},
        {"r9", "r10", "r100"},
    };
    for (const auto& list : lists) {
        for (std::size_t i = 0; i < list.size(); ++i) {
            for (std::size_t j = 0; j < list.size(); ++j) {
                INFO(list[i] << " against " << list[j]);
                CHECK(compare_versions(list[i], list[j]) == (i > j) - (i < j));
            }
        }
    }
}

TEST_CASE("build metadata does not count in semantic versions", "[package]") {
    CHECK(compare_versions("1.0.0+a", "1.0.0+b") == 0);
    CHECK(compare_versions("1.0.0+a", "1.0.0") == 0);
    CHECK(compare_versions("1.0.0-rc.1+9", "1.0.0-rc.1") == 0);
}

TEST_CASE("what only looks semantic is compared by runs", "[package]") {
    CHECK(compare_versions("01.0.0", "1.0.1") == -1);   // leading zero: plain
    CHECK(compare_versions("1.0.0-", "1.0.0") == 1);    // empty prerelease: plain, the shorter is first
    CHECK(compare_versions("1.0.0-01", "1.0.0") == 1);  // leading zero in a prerelease number: plain
    CHECK(compare_versions("", "") == 0);
    CHECK(compare_versions("", "0") == -1);
}
