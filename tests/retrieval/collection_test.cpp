// A collection written and read is the same, whatever its texts; a file with any byte changed, or cut anywhere, is refused by name.
#include "retrieval/collection.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "io/durable.h"
#include "io/hdf5/hdf5_table.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

Collection sample(int count = 5) {
    Collection collection;
    collection.category = "article";
    collection.model = "all-minilm-l6-v2 mean normalized 256 é";
    collection.dimensions = 3;
    collection.normalized = true;
    const std::vector<std::string> texts = {"", "plain", "ünï ☃ 漢字 \U0001F469‍\U0001F680", std::string(70000, 'l'),
                                            "two\nlines\t\"quoted\""};
    for (int i = 0; i < count; ++i) {
        const std::string document = "doc" + std::to_string(i / 2);
        collection.chunks.push_back(
            {document + "#" + std::to_string(i % 2), document, i % 2, texts[static_cast<std::size_t>(i) % texts.size()],
             Json{{"title", std::string("T\0t", 3) + std::to_string(i)}, {"year", 2000 + i}, {"tags", {"a", "b"}}, {"none", nullptr}}});
        for (int d = 0; d < 3; ++d) collection.vectors.push_back(static_cast<float>(i) * 0.5f - static_cast<float>(d));
    }
    return collection;
}

void expect_equal(const Collection& a, const Collection& b) {
    EXPECT_EQ(a.category, b.category);
    EXPECT_EQ(a.model, b.model);
    EXPECT_EQ(a.dimensions, b.dimensions);
    EXPECT_EQ(a.normalized, b.normalized);
    EXPECT_EQ(a.vectors, b.vectors);
    EXPECT_EQ(a.graph, b.graph);
    ASSERT_EQ(a.chunks.size(), b.chunks.size());
    for (std::size_t i = 0; i < a.chunks.size(); ++i) {
        EXPECT_EQ(a.chunks[i].id, b.chunks[i].id);
        EXPECT_EQ(a.chunks[i].document, b.chunks[i].document);
        EXPECT_EQ(a.chunks[i].ordinal, b.chunks[i].ordinal);
        EXPECT_EQ(a.chunks[i].text, b.chunks[i].text);
        EXPECT_EQ(a.chunks[i].metadata, b.chunks[i].metadata);
    }
}

TEST(Collection, ReadsWhatWasWritten) {
    const TemporaryDirectory directory;
    for (const int count : {0, 1, 5, 5000}) {
        Collection collection = sample(count);
        if (count > 1) collection.graph = std::string("any\0bytes", 9);
        write_collection(directory / "features.h5", collection);
        expect_equal(read_collection(directory / "features.h5"), collection);
        const std::string bytes = read_file(directory / "features.h5");
        write_collection(directory / "features.h5", collection);
        EXPECT_EQ(read_file(directory / "features.h5"), bytes) << count;
    }
    int files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory.path())) ++files;
    EXPECT_EQ(files, 1);
}

TEST(Collection, AnyByteChangedIsRefused) {
    const TemporaryDirectory directory;
    write_collection(directory / "features.h5", sample(3));
    const std::string bytes = read_file(directory / "features.h5");
    for (std::size_t at = 0; at < bytes.size(); at += at < 600 ? 3 : 61) {
        std::string changed = bytes;
        changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
        EXPECT_ERROR(read_collection(directory.put("changed.h5", changed)), ExitCode::bad_data, "changed.h5: ");
    }
    for (std::size_t size = 0; size < bytes.size(); size += 301)
        EXPECT_ERROR(read_collection(directory.put("cut.h5", bytes.substr(0, size))), ExitCode::bad_data, "cut.h5: ");
    EXPECT_ERROR(read_collection(directory.put("cut.h5", bytes + "x")), ExitCode::bad_data, "cut.h5: ");
    EXPECT_ERROR(read_collection(directory / "absent.h5"), ExitCode::missing_input, "absent.h5");
}

TEST(Collection, WhatDoesNotFitIsRefusedByItsName) {
    const TemporaryDirectory directory;
    const auto write = [&](const std::string& metadata, std::int64_t dimensions) {
        Hdf5TableWriter table(directory / "odd.h5");
        for (const char* name : {"category", "model"}) table.attribute(name, "x");
        table.attribute("format_version", 1);
        table.attribute("dimensions", dimensions);
        table.attribute("normalized", 1);
        const std::vector<std::string> texts = {"a", "b"}, metadatas = {"{}", metadata};
        for (const char* name : {"ids", "documents", "texts"})
            table.texts(name, 2, [&](std::int64_t i) -> const std::string& { return texts[static_cast<std::size_t>(i)]; });
        table.texts("metadata", 2, [&](std::int64_t i) -> const std::string& { return metadatas[static_cast<std::size_t>(i)]; });
        table.integers("ordinals", {0, 1});
        const std::vector<float> vectors(8, 0.5f);
        table.floats("embeddings", vectors, 2, 4);
        table.commit();
    };
    write("{}", 4);
    EXPECT_EQ(read_collection(directory / "odd.h5").chunks.size(), 2u);
    write("{}", 5);
    EXPECT_ERROR(read_collection(directory / "odd.h5"), ExitCode::bad_data, "odd.h5: /embeddings: shape (2, 4), expected (2, 5)");
    write("{\"a\":", 4);
    EXPECT_ERROR(read_collection(directory / "odd.h5"), ExitCode::bad_data, "odd.h5: /metadata[1]");
    write("[]", 4);
    EXPECT_ERROR(read_collection(directory / "odd.h5"), ExitCode::bad_data, "odd.h5: /metadata[1]: array, expected an object");
    {
        Hdf5TableWriter table(directory / "odd.h5");
        table.attribute("format_version", 1);
        table.commit();
    }
    EXPECT_ERROR(read_collection(directory / "odd.h5"), ExitCode::bad_data, "odd.h5: attribute category");
    {
        Hdf5TableWriter table(directory / "odd.h5");
        table.attribute("format_version", 2);
        table.commit();
    }
    EXPECT_ERROR(read_collection(directory / "odd.h5"), ExitCode::bad_data, "format_version 2, expected 1");
}

TEST(Collection, FailuresToWriteLeaveTheOldFile) {
    const TemporaryDirectory directory;
    write_collection(directory / "features.h5", sample(2));
    Collection bad = sample(3);
    bad.chunks[1].text = std::string("a\0b", 3);
    EXPECT_ERROR(write_collection(directory / "features.h5", bad), ExitCode::bad_data, "features.h5: texts[1] holds a NUL byte");
    EXPECT_ERROR(write_collection("/proc/absent/features.h5", sample(1)), ExitCode::io_error, "/proc/absent/features.h5");
    expect_equal(read_collection(directory / "features.h5"), sample(2));
    int files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory.path())) ++files;
    EXPECT_EQ(files, 1);
}

// The disk is full, as far as this process can tell: the error is told, and the end of the process is an orderly one.
void write_beyond_the_limit(const std::filesystem::path& file) {
    const rlimit limit{100000, 100000};
    setrlimit(RLIMIT_FSIZE, &limit);
    std::signal(SIGXFSZ, SIG_IGN);
    try {
        write_collection(file, sample(5000));
    } catch (const Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        std::exit(static_cast<int>(error.code()));
    }
}

TEST(Collection, AFullDiskIsAnError) {
    const TemporaryDirectory directory;
    write_collection(directory / "features.h5", sample(2));
    EXPECT_EXIT(write_beyond_the_limit(directory / "features.h5"), ::testing::ExitedWithCode(74), "features.h5: ");
    expect_equal(read_collection(directory / "features.h5"), sample(2));
    int files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory.path())) ++files;
    EXPECT_EQ(files, 1);
}

}  // namespace
}  // namespace temper
