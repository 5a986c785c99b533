#pragma once
// What is cut: a device as it stands, a job of the gateway, and how that may end. Names are the same as in
// the sweep of the ARM binary (tests/powercut/board).

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/powercut/host/geometries.hpp"
#include "tests/unit/loader/test_device.hpp"

namespace mcuota::powercut {

/// One truth a device may end with.
struct Ending {
    Status status{Status::ok};  ///< outcome, or the refusal
    bool refused{false};        ///< before anything was journalled
    test::Bytes image;          ///< what runs, confirmed; empty: nothing may run, the loader serves
    bool untouched{false};      ///< no erase unit of the application area was erased on the way
};

/// A scenario on a geometry with a size of the new image: everything a sweep needs.
struct Case {
    std::string id;  ///< scenario/geometry/size
    std::vector<std::shared_ptr<test::TestPackage>> packages;
    test::TestDevice start;
    test::GatewayJob job;
    test::Bytes old_image,
        new_image;                ///< before the job and after it, when all goes well (rollback: vice versa)
    std::vector<Ending> endings;  ///< how it ends when power goes once or twice
    std::vector<Ending> also;     ///< how it may end when starts are lost more often: trial boots are counted
    unsigned starts_to_lose{2};   ///< so many cuts never use up the trial boots
    test::GatewayJob next_job;    ///< must be taken and confirmed afterwards
    test::Bytes next_image;
};

/// full, lzma, lzma-thumb, hdiffsf20, hdiff13, relocated, patch, first, staging, confirm, revert,
/// revert-watchdog, revert-damaged, rollback, rollover, recovery, wrong-image, rotation, rotation-again; with
/// two backup banks also ahead, ahead-begun, ahead-revert, ahead-rollback.
[[nodiscard]] const std::vector<std::string>& scenario_names();

/// Sizes of the new image: usual, 1, 8, sector-1, sector, sector+1, max, max+1; pair: 64 bytes to
/// 48, what the sweep of the ARM binary is compared with; of rollover: fill0…fill7, how many more records the
/// journal holds before the job begins.
[[nodiscard]] const std::vector<std::string>& size_names();

/// Whether there is such a case: not every scenario has every size or can be had on every geometry.
[[nodiscard]] bool is_case(const std::string& scenario, const NamedGeometry& geometry,
                           const std::string& size);

/// Nothing when it is none (is_case()).
[[nodiscard]] std::optional<Case> make_case(const std::string& scenario, const NamedGeometry& geometry,
                                            const std::string& size);

}  // namespace mcuota::powercut
