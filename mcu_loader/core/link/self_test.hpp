#pragma once
// The self test of a port on the link: its checks, what it can find, request and answer
// (docs/link-protocol.md §3, SELFTEST). Shared by the loader built with it and the gateway; freestanding.

#include <cstddef>
#include <cstdint>
#include <span>

#include "mcu_loader/core/status.hpp"

namespace mcuota::link {

/// What is looked at, in this order. Wire value: append only.
enum class SelfTestCheck : std::uint8_t {
    geometry = 1,       ///< sizes, erase units and program granules
    write = 2,          ///< every region erased and written in pieces of random length
    read_back = 3,      ///< every region read in pieces of random length and compared
    rewrite = 4,        ///< erases of random ranges, neighbours compared; the complement written backwards
    read_again = 5,     ///< as read_back, of the complement
    program_rules = 6,  ///< single granules, long pieces, zeros over anything
    limits = 7,         ///< accesses outside the region or across its units are refused
    journal = 8,        ///< records saved and loaded, through several roll-overs
    slots = 9,          ///< manifests saved and loaded
    back_up = 10,       ///< the running region copied to every bank of the backup
    recover = 11,       ///< the running region written from the backup
    patch = 12,         ///< the running region written from pieces of backup and download
    clean_up = 13,      ///< flags erased: the device as it left the factory
};
constexpr std::uint8_t kSelfTestChecks = 13;

/// What was found wrong. Wire value: append only.
enum class SelfTestFinding : std::uint8_t {
    nothing = 0,
    units_do_not_fit = 1,        ///< the erase units do not make up the region
    granule_unusable = 2,        ///< program unit of no usable size
    geometry_unusable = 3,       ///< regions_usable() says no
    erase_failed = 4,            ///< erase() answered `status`
    erase_left_bytes = 5,        ///< not all of the range reads FF
    erase_took_neighbour = 6,    ///< a unit beside the range changed
    program_failed = 7,          ///< program() answered `status`
    write_ignored = 8,           ///< reads erased where something was written
    old_content = 9,             ///< reads what was there before erase and write
    wrong_bytes = 10,            ///< reads something else
    stuck_bit = 11,              ///< one bit (number in `other_offset`) does not follow
    page_wrap = 12,              ///< bytes wrapped inside a page of `other_offset` bytes
    displaced = 13,              ///< holds what belongs to `other_region` at `other_offset`
    read_failed = 14,            ///< read() answered `status`
    read_overran = 15,           ///< read() wrote outside the memory it was given
    not_at_load_address = 16,    ///< the CPU sees something else at the load address
    other_region_changed = 17,   ///< work on `other_region` changed this one
    granule_spoils_beside = 18,  ///< programming one granule changed one beside it
    zeros_failed = 19,           ///< zeros could not be programmed over what was there
    read_not_refused = 20,       ///< outside the region; `status` is what was answered
    program_not_refused = 21,
    erase_not_refused = 22,
    journal_failed = 23,        ///< mount or append answered `status`
    journal_lost = 24,          ///< a fresh mount finds another record than the last one
    slot_failed = 25,           ///< storing or loading a manifest answered `status`
    slot_differs = 26,          ///< another manifest comes back
    beside_flags_changed = 27,  ///< journal or slot work changed another part of the flag regions
    copy_differs = 28,          ///< the moved bytes are not those that should have come
    arrived_elsewhere = 29,     ///< what was written is read in `other_region` at `other_offset`
};

constexpr std::uint8_t kSelfTestNoRegion = 0xFF;

/// Only with kSelfTestConsent the device goes to work.
struct SelfTestRequest {
    std::uint32_t step{0};  ///< 0 begins anew; then the number of answers so far
    std::uint32_t seed{1};  ///< of patterns, lengths and ranges; the same in all steps
    /// How much of each region, half of it at the region's beginning and half at its end, each at least one
    /// erase unit and 16 KiB; 0: all. Of step 0.
    std::uint32_t bytes{0};
};
constexpr std::uint32_t kSelfTestConsent = 0x5341'5245;  ///< "ERAS": everything will be erased

struct SelfTestReport {
    enum class State : std::uint8_t { goes_on = 0, passed = 1, failed = 2 } state{State::goes_on};
    SelfTestCheck check{SelfTestCheck::geometry};  ///< under way, or the one that failed
    std::uint8_t region{kSelfTestNoRegion};        ///< device::Region
    std::uint8_t percent{0};                       ///< of the whole test
    // Only when it failed:
    SelfTestFinding finding{SelfTestFinding::nothing};
    Status status{Status::ok};
    std::uint32_t offset{0};  ///< in the region
    std::uint8_t expected{0}, found{0};
    std::uint8_t other_region{kSelfTestNoRegion};
    std::uint32_t other_offset{0};
};

[[nodiscard]] std::size_t encode(const SelfTestRequest& message, std::span<std::uint8_t> out) noexcept;
[[nodiscard]] std::size_t encode(const SelfTestReport& message, std::span<std::uint8_t> out) noexcept;
/// False for whatever is no such body; a request without consent is none.
[[nodiscard]] bool decode(std::span<const std::uint8_t> body, SelfTestRequest& out) noexcept;
[[nodiscard]] bool decode(std::span<const std::uint8_t> body, SelfTestReport& out) noexcept;

}  // namespace mcuota::link
