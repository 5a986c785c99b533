// One libFuzzer program a target: MCUOTA_FUZZ_TARGET names it.

#include <cstdlib>

#include "tests/fuzz/targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const mcuota::fuzz::Target* const target = mcuota::fuzz::find(MCUOTA_FUZZ_TARGET);
    if (target == nullptr) std::abort();
    target->run({data, size});
    return 0;
}
