#pragma once
// Server-sent events out of a stream of bytes, in whatever pieces they come.

#include <functional>
#include <string>
#include <string_view>

namespace mcuota::cli {

class EventParser {
  public:
    using EventFn = std::function<void(std::string_view kind, std::string_view data)>;

    /// An event larger than this ends the stream: nothing the daemon sends comes near it.
    static constexpr std::size_t kLineBytesMax = 16U << 20;

    /// Calls `on_event` for every event that is complete now. False: the stream makes no sense.
    [[nodiscard]] bool feed(std::string_view bytes, const EventFn& on_event) {
        rest_ += bytes;
        for (std::size_t end; (end = rest_.find('\n')) != std::string::npos; rest_.erase(0, end + 1))
            take_line(std::string_view(rest_).substr(0, end), on_event);
        return rest_.size() <= kLineBytesMax && data_.size() <= kLineBytesMax;
    }

  private:
    void take_line(std::string_view line, const EventFn& on_event) {
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        if (line.empty()) {
            if (!data_.empty()) on_event(kind_, data_);
            kind_.clear();
            data_.clear();
        } else if (line.substr(0, 7) == "event: ") {
            kind_ = line.substr(7);
        } else if (line.substr(0, 6) == "data: ") {
            if (!data_.empty()) data_ += '\n';
            data_ += line.substr(6);
        }
    }
    std::string rest_;
    std::string kind_;
    std::string data_;
};

}  // namespace mcuota::cli
