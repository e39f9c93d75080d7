#include "serve/metrics.h"

#include <gtest/gtest.h>

namespace temper {
namespace {

bool has_line(const std::string& text, const std::string& line) { return ("\n" + text).find("\n" + line + "\n") != std::string::npos; }

TEST(Histogram, CountsAreCumulative) {
    Histogram histogram;
    for (const double seconds : {0.001, 0.005, 0.2, 0.2, 1000.0}) histogram.add(seconds);
    const std::string text = histogram.text("x_seconds", "endpoint=\"/v1\"");
    EXPECT_TRUE(has_line(text, "x_seconds_bucket{endpoint=\"/v1\",le=\"0.005\"} 2")) << text;
    EXPECT_TRUE(has_line(text, "x_seconds_bucket{endpoint=\"/v1\",le=\"0.1\"} 2")) << text;
    EXPECT_TRUE(has_line(text, "x_seconds_bucket{endpoint=\"/v1\",le=\"0.25\"} 4")) << text;
    EXPECT_TRUE(has_line(text, "x_seconds_bucket{endpoint=\"/v1\",le=\"300\"} 4")) << text;
    EXPECT_TRUE(has_line(text, "x_seconds_bucket{endpoint=\"/v1\",le=\"+Inf\"} 5")) << text;
    EXPECT_TRUE(has_line(text, "x_seconds_sum{endpoint=\"/v1\"} 1000.406")) << text;
    EXPECT_TRUE(has_line(text, "x_seconds_count{endpoint=\"/v1\"} 5")) << text;
}

TEST(Metrics, TellWhatHappened) {
    Metrics metrics;
    metrics.request_done("/v1/models", 200, 0.01);
    metrics.request_done("/v1/models", 200, 0.01);
    metrics.request_done("/v1/models", 404, 0.01);
    metrics.http_fault(431);
    metrics.tokens("generated", 7);
    metrics.tokens("generated", 5);
    metrics.reload(false);
    metrics.first_token(0.3);
    MetricsNow now;
    now.waiting = 3;
    now.model = "a\"b";
    now.version = 4;
    const std::string text = metrics.text(now);
    EXPECT_TRUE(has_line(text, "temper_requests_total{endpoint=\"/v1/models\",status=\"200\"} 2")) << text;
    EXPECT_TRUE(has_line(text, "temper_requests_total{endpoint=\"/v1/models\",status=\"404\"} 1")) << text;
    EXPECT_TRUE(has_line(text, "temper_requests_total{endpoint=\"http\",status=\"431\"} 1")) << text;
    EXPECT_TRUE(has_line(text, "temper_tokens_total{kind=\"generated\"} 12")) << text;
    EXPECT_TRUE(has_line(text, "temper_reloads_total{outcome=\"failed\"} 1")) << text;
    EXPECT_TRUE(has_line(text, "temper_time_to_first_token_seconds_count 1")) << text;
    EXPECT_TRUE(has_line(text, "temper_queue_depth 3")) << text;
    EXPECT_TRUE(has_line(text, R"(temper_model_info{model="a\"b",version="4",adapter_sha256="",embedding_model=""} 1)")) << text;
}

}  // namespace
}  // namespace temper
