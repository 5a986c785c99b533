#pragma once
// For destructors, which must not throw.

namespace mcuota {

/// Runs `work`. An exception of it ends here: nobody is left to tell, and what was not reached goes with its
/// owner.
template <class Work>
void quietly(Work work) noexcept {
    try {
        work();
    } catch (...) {
    }
}

}  // namespace mcuota
