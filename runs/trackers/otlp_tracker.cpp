// Traces to an OpenTelemetry collector over HTTP, in JSON. A span is sent once it has ended; the run's own when the run is finished. OTLP has no way to ask
// what arrived: after an answer that got lost a span is sent again under its id.
#include <set>

#include "io/environment.h"
#include "io/json_text.h"
#include "io/log.h"
#include "runs/trackers/settings.h"
#include "runs/trackers/spans.h"
#include "runs/trackers/tracker.h"
#include "runs/trackers/tracker_http.h"

namespace temper {
namespace {

// "a=b,c=d", values percent-encoded, as OpenTelemetry's variables have it.
TextPairs pairs_of(const std::string& text) {
    TextPairs pairs;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size()), equals = text.find('=', begin);
        if (equals < end) {
            std::string value;
            for (std::size_t i = equals + 1; i < end; ++i) {
                const bool escape = text[i] == '%' && i + 2 < end && std::isxdigit(static_cast<unsigned char>(text[i + 1])) != 0 &&
                                    std::isxdigit(static_cast<unsigned char>(text[i + 2])) != 0;
                value += escape ? static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16)) : text[i];
                if (escape) i += 2;
            }
            const std::size_t first = text.find_first_not_of(' ', begin);
            pairs.emplace_back(text.substr(first, equals - first), value);
        }
        begin = end + 1;
    }
    return pairs;
}

class OtlpTracker final : public Tracker {
  public:
    explicit OtlpTracker(const TrackingSettings& settings) : url_(settings.otlp_endpoint.value_or("")) {
        const std::string own = environment_text("OTEL_EXPORTER_OTLP_TRACES_HEADERS");
        http_.set_headers(pairs_of(own.empty() ? environment_text("OTEL_EXPORTER_OTLP_HEADERS") : own));
        http_.trust(environment_text("OTEL_EXPORTER_OTLP_CERTIFICATE"), true);
        const std::string service = environment_text("OTEL_SERVICE_NAME");
        for (const auto& [name, value] : pairs_of(environment_text("OTEL_RESOURCE_ATTRIBUTES"))) resource_[name] = value;
        if (!service.empty() || !resource_.contains("service.name")) resource_["service.name"] = service.empty() ? "temper" : service;
    }

    void push(Push& push) override {
        const Trace trace = trace_of(push.run);
        if (!push.state.contains("spans")) push.state["spans"] = Json::array();
        std::set<std::string> sent;
        for (const Json& id : push.state["spans"]) sent.insert(id.get<std::string>());
        std::vector<TraceSpan> ended;
        for (const TraceSpan& span : trace.spans) {
            const bool run_itself = span.id == trace.spans.front().id;
            if (span.end > 0 && sent.count(span.id) == 0 && (!run_itself || push.run.finished())) ended.push_back(span);
        }
        if (ended.empty()) return;
        Json resource = resource_;
        if (const Json environment = push.run.record().value("environment", Json::object()); environment.is_object() && environment.contains("host"))
            resource["host.name"] = environment["host"];
        const Json answer = http_.call(push, "POST", url_, json_text(otlp_request(trace, ended, resource)), {}, true);
        check(answer);
        for (const TraceSpan& span : ended) push.state["spans"].push_back(span.id);
        push.state["trace_id"] = trace.id;
        push.save();
    }

    std::string where() const override { return "the OTLP collector at " + shown_url(url_); }

  private:
    // An ExportTraceServiceResponse has one member, and that only where something was wrong. What a collector has rejected it would reject again.
    void check(const Json& answer) {
        for (const auto& [name, value] : answer.items())
            if (name != "partialSuccess" && name != "partial_success")
                throw ServerError(fmt::format("{} answers '{}', which no collector does; is this the right endpoint?", where(), name), 200, "", 0);
        if (answer.empty()) return;
        const Json& partial = answer.begin().value();
        const std::string message = partial.is_object() && partial.contains("errorMessage") ? partial["errorMessage"].dump() : "";
        if (!message.empty() && message != "\"\"") log_warning("otlp: {}: {}", where(), message);
    }

    std::string url_;
    TrackerHttp http_;
    Json resource_ = Json::object();
};

}  // namespace

std::unique_ptr<Tracker> make_otlp_tracker(const TrackingSettings& settings) { return std::make_unique<OtlpTracker>(settings); }

}  // namespace temper
