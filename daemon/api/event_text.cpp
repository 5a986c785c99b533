// Server-sent events out of views.
#include "daemon/api/event_text.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <variant>

namespace mcuota::api {

std::pair<std::string, std::string> event_text(const Event& event) {
    struct Visitor {
        std::pair<std::string, std::string> operator()(const JobView& job) const {
            return text("job", std::to_string(job.id), to_json(job));
        }
        std::pair<std::string, std::string> operator()(const DeviceView& device) const {
            return text("device", device.name, to_json(device));
        }
        std::pair<std::string, std::string> operator()(const CloudView& cloud) const {
            return text("cloud", cloud.name, to_json(cloud));
        }
        static std::pair<std::string, std::string> text(const std::string& kind, const std::string& name,
                                                        const boost::json::object& data) {
            return {kind + " " + name, "event: " + kind + "\ndata: " + boost::json::serialize(data) + "\n\n"};
        }
    };
    return std::visit(Visitor{}, event);
}

bool wanted(const std::vector<std::int64_t>& only, const Event& event) {
    if (only.empty()) return true;
    const auto* job = std::get_if<JobView>(&event);
    return job != nullptr && std::find(only.begin(), only.end(), job->id) != only.end();
}

}  // namespace mcuota::api
