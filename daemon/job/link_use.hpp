#pragma once
// Holds the wire of a device for one operation after another.

#include "daemon/job/signal.hpp"

namespace mcuota::job {

/// As long as it lives the wire is busy; the destructor lets the next operation in.
class LinkUse {
  public:
    LinkUse(bool& busy, Signal& freed) : busy_(busy), freed_(freed) {
        busy_ = true;
        freed_.lower();
    }
    LinkUse(const LinkUse&) = delete;
    LinkUse& operator=(const LinkUse&) = delete;
    // What Asio declares as throwing, cancelling a steady timer, has no way to fail.
    ~LinkUse() {  // NOLINT(bugprone-exception-escape)
        busy_ = false;
        freed_.raise();
    }

  private:
    bool& busy_;
    Signal& freed_;
};

}  // namespace mcuota::job
