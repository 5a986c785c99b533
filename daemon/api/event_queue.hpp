#pragma once
// What one event listener has not been sent yet: the newest state of each thing, in the order things first
// changed. A slow listener misses states in between, never the last one, and costs bounded memory.

#include <cstddef>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>

namespace mcuota::api {

class EventQueue {
  public:
    explicit EventQueue(std::size_t things_max) : things_max_(things_max) {}

    /// `key` names the thing ("job 7"), `text` is its event as sent. False: too many different things wait;
    /// the listener should be let go, it can ask again for everything.
    [[nodiscard]] bool push(const std::string& key, std::string text) {
        if (const auto found = by_key_.find(key); found != by_key_.end()) {
            found->second->second = std::move(text);
            return true;
        }
        if (waiting_.size() >= things_max_) return false;
        waiting_.emplace_back(key, std::move(text));
        by_key_[key] = std::prev(waiting_.end());
        return true;
    }

    [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }

    /// Everything waiting, joined.
    [[nodiscard]] std::string take_all() {
        std::string out;
        for (const auto& [key, text] : waiting_)
            out += text;
        waiting_.clear();
        by_key_.clear();
        return out;
    }

  private:
    using Items = std::list<std::pair<std::string, std::string>>;
    std::size_t things_max_;
    Items waiting_;
    std::unordered_map<std::string, Items::iterator> by_key_;
};

}  // namespace mcuota::api
