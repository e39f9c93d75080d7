#include "runs/trackers/spans.h"

#include <algorithm>

#include "io/durable.h"
#include "io/json_text.h"
#include "kernels/error.h"
#include "runs/trackers/row_times.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

std::string span_id(const std::string& run, const std::string& what) { return sha256_hex("temper span " + run + " " + what).substr(0, 16); }

// The id of the run that the chain of parents begins with, as far as their records lie beside this one.
std::string origin_of(const TrackedRun& run) {
    std::string origin = run.id(), parent = run.text("parent_run_id");
    for (int depth = 0; depth < 16 && !parent.empty(); ++depth) {
        origin = parent;
        parent.clear();
        const fs::path record = run.directory().parent_path() / origin / "run.json";
        if (!fs::is_regular_file(record)) break;
        try {
            parent = TrackedRun(record.parent_path()).text("parent_run_id");
        } catch (const Error&) {
            break;
        }
    }
    return origin;
}

std::int64_t changed_at(const fs::path& file) {
    std::error_code error;
    const auto time = fs::last_write_time(file, error);
    if (error) return 0;
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::file_clock::to_sys(time).time_since_epoch()).count();
}

// attempts/NNNN: from its owner's first file to its release, or its last heartbeat.
void add_attempts(const TrackedRun& run, Trace& trace) {
    const fs::path attempts = run.directory() / "attempts";
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator entry(attempts, error), end; !error && entry != end; entry.increment(error))
        if (const std::string name = entry->path().filename().string(); !name.starts_with('.')) names.push_back(name);
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
        TraceSpan span;
        span.id = span_id(run.id(), "attempt " + name);
        span.parent = trace.spans.front().id;
        span.name = "attempt " + std::to_string(std::atoi(name.c_str()));
        span.start = changed_at(attempts / name / "owner.json");
        const bool last = name == names.back();
        span.end = last && run.status() != "running" ? run.time("finished_at")
                                                     : std::max(changed_at(attempts / name / "released"), changed_at(attempts / name / "heartbeat"));
        if (last && run.status() == "running") span.end = 0;
        if (span.start > 0) trace.spans.push_back(span);
    }
}

void add_stages(const TrackedRun& run, Trace& trace) {
    const Json& record = run.record();
    if (!record.contains("stages") || !record["stages"].is_array()) return;
    int number = 0;
    for (const Json& stage : record["stages"]) {
        ++number;
        if (!stage.is_object()) continue;
        const auto text = [&](const char* name) { return stage.contains(name) && stage[name].is_string() ? stage[name].get<std::string>() : ""; };
        TraceSpan span;
        span.name = text("name");
        span.id = span_id(run.id(), fmt::format("stage {} {}", number, span.name));
        span.parent = trace.spans.front().id;
        span.start = unix_milliseconds(text("started_at"));
        span.end = unix_milliseconds(text("ended_at"));
        if (span.end == 0 && stage.contains("seconds") && stage["seconds"].is_number())
            span.end = span.start + static_cast<std::int64_t>(stage["seconds"].get<double>() * 1000);
        span.failed = text("status") == "failed";
        for (const auto& [name, value] : stage.items())
            if (value.is_primitive() && !value.is_null() && name != "name") span.attributes["temper.stage." + name] = value;
        if (span.start > 0) trace.spans.push_back(std::move(span));
    }
}

Json attribute(const std::string& key, const Json& value) {
    Json any;
    if (value.is_boolean()) any["boolValue"] = value;
    else if (value.is_number_integer()) any["intValue"] = std::to_string(value.get<std::int64_t>());
    else if (value.is_number()) any["doubleValue"] = value;
    else any["stringValue"] = text_or_json(value);
    return {{"key", key}, {"value", any}};
}

Json attributes_of(const Json& object) {
    Json list = Json::array();
    for (const auto& [key, value] : object.items()) list.push_back(attribute(key, value));
    return list;
}

}  // namespace

Trace trace_of(const TrackedRun& run) {
    Trace trace;
    trace.id = sha256_hex("temper trace " + origin_of(run)).substr(0, 32);
    TraceSpan root;
    root.id = span_id(run.id(), "run");
    if (const std::string parent = run.text("parent_run_id"); !parent.empty()) root.parent = span_id(parent, "run");
    root.name = "temper " + run.kind();
    root.start = run.time("created_at");
    root.end = run.status() == "running" ? 0 : run.time("finished_at");
    root.failed = run.status() == "failed";
    root.message = run.text("message");
    root.attributes["temper.run_id"] = run.id();
    root.attributes["temper.run_name"] = run.name();
    root.attributes["temper.status"] = run.status();
    root.attributes["temper.config_hash"] = run.text("config_hash");
    for (const auto& [name, value] : run.figures()) root.attributes["temper." + name] = value;
    trace.spans.push_back(std::move(root));
    add_attempts(run, trace);
    add_stages(run, trace);
    return trace;
}

Json otlp_request(const Trace& trace, const std::vector<TraceSpan>& spans, const Json& resource) {
    Json list = Json::array();
    const auto nanoseconds = [](std::int64_t milliseconds) { return std::to_string(milliseconds) + "000000"; };
    for (const TraceSpan& span : spans) {
        if (span.end == 0) continue;
        Json json{{"traceId", trace.id}, {"spanId", span.id}};
        if (!span.parent.empty()) json["parentSpanId"] = span.parent;
        json["name"] = span.name;
        json["kind"] = 1;  // SPAN_KIND_INTERNAL
        json["startTimeUnixNano"] = nanoseconds(span.start);
        json["endTimeUnixNano"] = nanoseconds(std::max(span.start, span.end));
        json["attributes"] = attributes_of(span.attributes);
        json["status"] = Json{{"code", span.failed ? 2 : 1}};  // error, ok
        if (span.failed && !span.message.empty()) json["status"]["message"] = span.message;
        list.push_back(std::move(json));
    }
    const Json scope_spans{{"scope", {{"name", "temper"}}}, {"spans", std::move(list)}};
    const Json resource_spans{{"resource", {{"attributes", attributes_of(resource)}}}, {"scopeSpans", Json::array({scope_spans})}};
    return {{"resourceSpans", Json::array({resource_spans})}};
}

}  // namespace temper
