// A run as a trace: the run is the root span, each process that worked on it and each stage a child. Ids follow from the run's id alone, so that a
// span that is sent twice is one span; a run that is a stage of another belongs to that one's trace.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "runs/trackers/tracked_run.h"

namespace temper {

struct TraceSpan {
    std::string id, parent;  // 16 hexadecimal digits; parent may be empty
    std::string name;
    std::int64_t start = 0, end = 0;  // milliseconds since 1970; end 0: still open
    bool failed = false;
    std::string message;
    Json attributes = Json::object();  // text, numbers and booleans
};

struct Trace {
    std::string id;                // 32 hexadecimal digits
    std::vector<TraceSpan> spans;  // the run first
};

Trace trace_of(const TrackedRun& run);

// An ExportTraceServiceRequest in OTLP's JSON form: ids in hexadecimal, nanoseconds as text. Spans that are still open are left out.
Json otlp_request(const Trace& trace, const std::vector<TraceSpan>& spans, const Json& resource);

}  // namespace temper
