// Parts of the trackers: the journal's figures across cut-backs, event files, archives, spans, names. The servers are in tests/scripts/trackers_test.sh.
#include <cmath>
#include <fstream>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "runs/metrics_journal.h"
#include "runs/run_record.h"
#include "runs/trackers/clearml_events.h"
#include "runs/trackers/event_file.h"
#include "runs/trackers/metric_stream.h"
#include "runs/trackers/mlflow_client.h"
#include "runs/trackers/settings.h"
#include "runs/trackers/spans.h"
#include "runs/trackers/zip_writer.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t whole = std::numeric_limits<std::int64_t>::max();

std::string text_of(const std::vector<Point>& points) {
    std::string text;
    for (const Point& point : points) text += fmt::format("{}@{}={} ", point.name, point.step, point.value);
    return text;
}

class Stream : public ::testing::Test {
  protected:
    TemporaryDirectory directory;
    fs::path file = directory.path() / "metrics.jsonl";
    RowTimes times{directory.path() / "times", 0};
    Json place = nullptr;

    std::string next(MetricStream::Part part = MetricStream::Part::computed, std::int64_t end = whole) {
        MetricStream stream(file, part, place);
        std::string text = text_of(stream.next(1000, end, times, 0));
        contradicted = stream.contradicted();
        place = stream.place();
        return text;
    }
    void log(int step, double speed, double loss = 2) {
        MetricsJournal(file).append({{"step", step}, {"loss", loss / step}, {"tokens_per_second", speed}});
    }
    void evaluate(int step) { MetricsJournal(file).append({{"step", step}, {"eval_loss", 1.0 / step}, {"eval_runtime", 3}}); }
    std::int64_t length() const { return static_cast<std::int64_t>(fs::file_size(file)); }
    bool contradicted = false;
};

TEST_F(Stream, GivesEachRowOnce) {
    EXPECT_EQ(next(), "");  // no file yet
    log(1, 10);
    EXPECT_EQ(next(), "loss@1=2 ");
    EXPECT_EQ(next(), "");
    log(2, 10);
    evaluate(2);
    EXPECT_EQ(next(), "loss@2=1 eval_loss@2=0.5 ");
    std::ofstream(file, std::ios::app) << R"({"step": 3, "loss")";  // being written
    EXPECT_EQ(next(), "");
    std::ofstream(file, std::ios::app) << ": null, \"note\": \"text\"}\n\n";
    EXPECT_EQ(next(), "loss@3=nan ");
    std::ofstream(file, std::ios::app) << "{\"loss\": 7}\n";
    EXPECT_EQ(next(), "loss@5=7 ") << "without a step it is the row's number";
}

TEST_F(Stream, PassesOverRowsThatAreMadeAgain) {
    log(1, 10);
    log(2, 11);
    const std::int64_t checkpoint = length();
    log(3, 12);
    evaluate(3);
    log(4, 13);
    EXPECT_EQ(next(), "loss@1=2 loss@2=1 loss@3=0.6666666666666666 eval_loss@3=0.3333333333333333 loss@4=0.5 ");
    MetricsJournal(file).cut_back(checkpoint);
    EXPECT_EQ(next(), "");
    log(3, 7);
    EXPECT_EQ(next(), "");
    evaluate(3);
    log(4, 9);
    EXPECT_EQ(next(), "");
    EXPECT_FALSE(contradicted);
    log(5, 9);
    EXPECT_EQ(next(), "loss@5=0.4 ");
    // Cut back and grown beyond the place while nobody looked.
    MetricsJournal(file).cut_back(checkpoint);
    log(3, 100);
    evaluate(3);
    for (int step = 4; step < 8; ++step) log(step, 100);
    EXPECT_EQ(next(), fmt::format("loss@6={} loss@7={} ", 2.0 / 6, 2.0 / 7));
}

TEST_F(Stream, MeasuredFiguresWaitUntilTheirRowsAreFinal) {
    log(1, 10);
    log(2, 11);
    const std::int64_t checkpoint = length();
    log(3, 12);
    EXPECT_EQ(next(MetricStream::Part::measured, checkpoint), "tokens_per_second@1=10 tokens_per_second@2=11 ");
    MetricsJournal(file).cut_back(checkpoint);
    log(3, 99);
    EXPECT_EQ(next(MetricStream::Part::measured), "tokens_per_second@3=99 ");
}

TEST_F(Stream, SaysWhereRowsMadeAgainDiffer) {
    log(1, 10);
    log(2, 10);
    next();
    MetricsJournal(file).cut_back(0);
    log(1, 10, 2.5);
    log(2, 10, 2.5);
    EXPECT_EQ(next(), "");
    EXPECT_TRUE(contradicted);
}

TEST_F(Stream, BatchesEndWithWholeRowsAndPlacesSurviveBeingWritten) {
    for (int step = 1; step <= 100; ++step) log(step, step);
    int count = 0;
    for (std::string text = "x"; !text.empty(); ++count) {
        MetricStream stream(file, MetricStream::Part::computed, Json::parse(place.dump()));
        const auto points = stream.next(7, whole, times, 0);
        text = text_of(points);
        place = stream.place();
        EXPECT_LE(points.size(), 7u);
    }
    EXPECT_EQ(count, 16);  // 14 of seven, one of two, none
    EXPECT_THROW(MetricStream(file, MetricStream::Part::computed, Json{{"bytes", -3}}), Error);
    EXPECT_THROW(MetricStream(file, MetricStream::Part::computed, Json(4)), Error);
}

TEST_F(Stream, RowsHaveTheTimeThatTheyWereSeen) {
    log(1, 10);
    const std::int64_t before = unix_milliseconds();
    times.note(length());
    log(2, 10);
    MetricStream stream(file, MetricStream::Part::computed, nullptr);
    const auto points = stream.next(10, whole, times, 77);
    ASSERT_EQ(points.size(), 2u);
    EXPECT_GE(points[0].time, before);
    EXPECT_EQ(points[1].time, points[0].time) << "nobody saw it yet, and time does not go back";
    const RowTimes again(directory.path() / "times", length());
    EXPECT_EQ(again.of_row_ending(5, 0), points[0].time);
    const RowTimes cut(directory.path() / "times", 3);
    EXPECT_EQ(cut.of_row_ending(2, 5), 5) << "the row that was seen was cut away";
    EXPECT_EQ(unix_milliseconds("2026-11-21T09:30:00.123456Z"), 1795253400123);
    EXPECT_EQ(unix_milliseconds("yesterday"), 0);
}

TEST(EventFile, IsWhatTensorBoardsOwnWriterWrites) {
    const fs::path goldens = fs::path(TEMPER_SOURCE_DIR) / "tests/goldens/tensorboard";
    const Json events = Json::parse(read_file(goldens / "events.json"));
    std::string ours;
    for (const Json& event : events["events"]) {
        const auto time = event["time_ms"].get<std::int64_t>();
        if (event.contains("value"))
            ours += scalar_event(time, event["step"].get<std::int64_t>(), event["tag"].get<std::string>(),
                                 event["value"].is_null() ? std::nan("") : event["value"].get<double>());
        else if (event.contains("text")) ours += text_event(time, event["tag"].get<std::string>(), event["text"].get<std::string>());
        else ours += event_file_header(time);
    }
    EXPECT_EQ(ours, read_file(goldens / "events.out.tfevents.golden"));
    EXPECT_EQ(crc32c("123456789"), 0xe3069283u);  // RFC 3720's polynomial, its usual check value
}

TEST(Zip, HoldsWhatWasPutIn) {
    std::string archive, large;
    for (int i = 0; i < 300000; ++i) large += static_cast<char>('a' + i * i % 17);
    ZipWriter zip([&](std::string_view bytes) { archive += bytes; });
    zip.add("empty", "");
    zip.add("folder/large \u00fc", [&](const Sink& sink) {
        for (std::size_t i = 0; i < large.size(); i += 1000) sink(std::string_view(large).substr(i, 1000));
    });
    zip.finish();
    const TemporaryDirectory directory;
    write_durable(directory.path() / "a.zip", archive);
    write_durable(directory.path() / "large", large);
    const std::string command = fmt::format(
        "python3 -c 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; assert z.namelist() == [\"empty\", "
        "\"folder/large \u00fc\"]; "
        "assert z.read(\"empty\") == b\"\"; assert z.read(\"folder/large \u00fc\") == open(sys.argv[2], \"rb\").read()' {0}/a.zip {0}/large",
        directory.path().string());
    EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST(TrackingSettings, TheEnvironmentChoosesAndSettingsWin) {
    for (const char* name : {"MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "CLEARML_API_HOST", "CLEARML_PROJECT", "TENSORBOARD_LOGGING_DIR",
                             "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"})
        ::unsetenv(name);
    using Names = std::vector<std::string>;
    EXPECT_EQ(chosen_trackers(with_environment({})), Names());
    ::setenv("MLFLOW_TRACKING_URI", "http://a:1", 1);
    ::setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://b:2/", 1);
    ::setenv("CLEARML_PROJECT", "p", 1);
    TrackingSettings settings;
    settings.mlflow_tracking_uri = "http://c:3";
    const TrackingSettings with = with_environment(settings);
    EXPECT_EQ(with.mlflow_tracking_uri, "http://c:3");
    EXPECT_EQ(with.otlp_endpoint, "http://b:2/v1/traces");
    EXPECT_EQ(chosen_trackers(with), (Names{"mlflow", "clearml", "otlp"}));
    settings.report_to = {"tensorboard"};
    EXPECT_EQ(chosen_trackers(with_environment(settings)), Names{"tensorboard"});
    settings.report_to = {"none"};
    EXPECT_EQ(chosen_trackers(with_environment(settings)), Names());
    settings.report_to = {"none", "mlflow"};
    EXPECT_THROW(chosen_trackers(settings), Error);
    settings.report_to = {"otlp"};
    EXPECT_THROW(chosen_trackers(settings), Error) << "no collector is named";
    ::setenv("MLFLOW_TRACKING_URI", "sqlite:///x.db", 1);
    EXPECT_EQ(chosen_trackers(with_environment({})), (Names{"clearml", "otlp"})) << "auto passes over a store that is no server";
    for (const char* name : {"MLFLOW_TRACKING_URI", "OTEL_EXPORTER_OTLP_ENDPOINT", "CLEARML_PROJECT"}) ::unsetenv(name);
    TrackingSettings secret, later;
    secret.mlflow_tracking_uri = "http://host:5";
    EXPECT_NO_THROW(check_tracking(secret));
    secret.mlflow_tracking_uri = "http://user:word@host:5/path";
    EXPECT_THROW(check_tracking(secret), Error) << "it would stand in the record";
    EXPECT_EQ(places_json(secret).dump(), R"({"mlflow_tracking_uri":"http://host:5/path"})");
    take_places(later, places_json(secret));
    EXPECT_EQ(later.mlflow_tracking_uri, "http://host:5/path");
}

TEST(Mlflow, NamesAndTextsFit) {
    EXPECT_EQ(mlflow_name("arc_easy/acc,none\u00e9"), "arc_easy/acc_none__");
    EXPECT_EQ(mlflow_name(std::string(300, 'x')).size(), 250u);
    EXPECT_EQ(cut_text("ab\u00e9", 3), "ab");
    EXPECT_EQ(cut_text("ab\u00e9", 4), "ab\u00e9");
}

TEST(Spans, FollowFromTheRecordAndItsParents) {
    const TemporaryDirectory directory;
    const auto make = [&](const std::string& id, const std::string& parent) {
        fs::create_directories(directory.path() / id);
        RunRecord record = RunRecord::create(directory.path() / id / "run.json", id, "name", "hash");
        record.set_command({"temper", "eval"});
        record.set_metrics({{"task", {{"acc", 0.5}}}});
        record.set_status(RunStatus::finished);
        if (!parent.empty()) record.fields()["parent_run_id"] = parent;
        record.fields()["stages"] = Json::array({{{"name", "load"}, {"started_at", utc_now()}, {"ended_at", utc_now()}}});
        record.save();
        return trace_of(TrackedRun(directory.path() / id));
    };
    const Trace parent = make("20261122T100000Z-a-00000001", ""), child = make("20261122T100000Z-b-00000002", "20261122T100000Z-a-00000001");
    const Trace grandchild = make("20261122T100000Z-c-00000003", "20261122T100000Z-b-00000002");
    EXPECT_EQ(child.id, parent.id);
    EXPECT_EQ(grandchild.id, parent.id);
    EXPECT_EQ(child.spans[0].parent, parent.spans[0].id);
    EXPECT_EQ(grandchild.spans[0].parent, child.spans[0].id);
    ASSERT_EQ(child.spans.size(), 2u);
    EXPECT_EQ(child.spans[1].name, "load");
    EXPECT_EQ(child.spans[1].parent, child.spans[0].id);
    EXPECT_EQ(child.spans[0].attributes["temper.task/acc"], 0.5);
    const Json span = otlp_request(child, child.spans, {{"service.name", "s"}})["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    EXPECT_EQ(span["name"], "temper eval");
    EXPECT_EQ(span["traceId"].get<std::string>().size(), 32u);
    EXPECT_EQ(span["status"]["code"], 1);
    EXPECT_TRUE(span["endTimeUnixNano"].get<std::string>().ends_with("000000"));
}

TEST(Clearml, NamesAreThoseOfTransformers) {
    const Json events = clearml_events({{"loss", 3, 0.5, 9}, {"eval_loss", 3, 0.25, 9}, {"grad_norm", 3, NAN, 9}}, "t");
    ASSERT_EQ(events.size(), 2u) << "JSON has no NaN";
    EXPECT_EQ(events[1]["metric"], "loss");
    EXPECT_EQ(events[1]["variant"], "eval");
    EXPECT_EQ(events[0]["variant"], "train");
}

}  // namespace
}  // namespace temper
