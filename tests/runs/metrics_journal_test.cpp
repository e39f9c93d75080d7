#include "runs/metrics_journal.h"

#include <cerrno>
#include <cmath>
#include <fstream>
#include <limits>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "io/system_calls.h"
#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

TEST(MetricsJournal, AppendsAndReadsBack) {
    TemporaryDirectory temporary;
    const fs::path path = temporary.path() / "metrics.jsonl";
    MetricsJournal journal(path);
    EXPECT_EQ(journal.length(), 0);
    journal.append({{"step", 1}, {"loss", 0.1}});
    journal.append({{"step", 2}, {"loss", std::numeric_limits<double>::quiet_NaN()}});
    journal.sync();
    EXPECT_EQ(journal.length(), static_cast<std::int64_t>(fs::file_size(path)));
    const std::vector<Json> rows = MetricsJournal::read_all(path);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].dump(), R"({"step":1,"loss":0.1})");
    EXPECT_TRUE(rows[1]["loss"].is_null());
}

TEST(MetricsJournal, IsCutBackToTheLengthOfACheckpoint) {
    TemporaryDirectory temporary;
    const fs::path path = temporary.path() / "metrics.jsonl";
    std::int64_t length = 0;
    {
        MetricsJournal journal(path);
        journal.append({{"step", 1}});
        length = journal.length();
        journal.append({{"step", 2}});
    }
    MetricsJournal journal(path);
    EXPECT_GT(journal.length(), length);
    EXPECT_THROW(journal.cut_back(length - 1), Error);            // inside a line
    EXPECT_THROW(journal.cut_back(journal.length() + 1), Error);  // lines are missing
    journal.cut_back(length);
    journal.append({{"step", 2}, {"again", true}});
    EXPECT_EQ(read_file(path), "{\"step\":1}\n{\"step\":2,\"again\":true}\n");
    journal.cut_back(0);
    EXPECT_EQ(fs::file_size(path), 0u);
}

TEST(MetricsJournal, DropsATornLastLine) {
    TemporaryDirectory temporary;
    const fs::path path = temporary.path() / "metrics.jsonl";
    std::ofstream(path) << "{\"step\":1}\n{\"ste";
    EXPECT_EQ(MetricsJournal::read_all(path).size(), 1u);
    MetricsJournal journal(path);
    journal.append({{"step", 2}});
    EXPECT_EQ(read_file(path), "{\"step\":1}\n{\"step\":2}\n");
}

TEST(MetricsJournal, NamesABadLine) {
    TemporaryDirectory temporary;
    const fs::path path = temporary.path() / "metrics.jsonl";
    std::ofstream(path) << "{\"step\":1}\nnothing\n";
    try {
        MetricsJournal::read_all(path);
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::bad_data);
        EXPECT_NE(std::string(error.what()).find("metrics.jsonl:2"), std::string::npos) << error.what();
    }
}

// A disk that fills in the middle of a line leaves whole lines.
struct FullDisk : SystemCalls {
    int writes = 0;
    ssize_t write(int fd, const void* bytes, std::size_t count) override {
        if (writes++ == 0) return SystemCalls::write(fd, bytes, count / 2);
        errno = ENOSPC;
        return -1;
    }
};

TEST(MetricsJournal, AFullDiskLeavesWholeLines) {
    TemporaryDirectory temporary;
    const fs::path path = temporary.path() / "metrics.jsonl";
    MetricsJournal journal(path);
    journal.append({{"step", 1}});
    {
        FullDisk calls;
        const SystemCallsOverride override(calls);
        try {
            journal.append({{"step", 2}});
            FAIL();
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::io_error);
        }
    }
    EXPECT_EQ(read_file(path), "{\"step\":1}\n");
    journal.append({{"step", 3}});
    EXPECT_EQ(read_file(path), "{\"step\":1}\n{\"step\":3}\n");
}

}  // namespace
}  // namespace temper
