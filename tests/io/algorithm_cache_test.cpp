#include "io/algorithm_cache.h"

#include <cstdlib>

#include "io/durable.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

cuda::ProductKey key_of(std::int64_t columns) {
    cuda::ProductKey key;
    key.columns = columns;
    return key;
}

cuda::AlgorithmTable table(const std::string& library, std::int64_t columns, std::uint64_t algorithm) {
    cuda::AlgorithmTable table(library, "NVIDIA H100 80GB HBM3 (9.0, 132 multiprocessors)");
    if (columns > 0) table.keep(key_of(columns), {algorithm});
    return table;
}

class Cache : public ::testing::Test {
  protected:
    Cache() { setenv("XDG_CACHE_HOME", folder_.path().c_str(), 1); }
    ~Cache() override { unsetenv("XDG_CACHE_HOME"); }
    AlgorithmCache cache(const std::string& library = "cuBLASLt 1") {
        return {table(library, 0, 0), [this](const std::string& text) { warnings_.push_back(text); }};
    }

    TemporaryDirectory folder_;
    std::vector<std::string> warnings_;
};

TEST_F(Cache, KeepsWhatWasAddedFirst) {
    EXPECT_EQ(cache().load().size(), 0u);
    cache().add(table("cuBLASLt 1", 8, 5));
    cache().add(table("cuBLASLt 1", 16, 6));
    cache().add(table("cuBLASLt 1", 8, 7));
    const cuda::AlgorithmTable kept = cache().load();
    EXPECT_EQ(kept.size(), 2u);
    EXPECT_EQ((*kept.find(key_of(8)))[0], 5u);
    EXPECT_EQ((*kept.find(key_of(16)))[0], 6u);
    EXPECT_TRUE(warnings_.empty());
    EXPECT_EQ(cache().file(), folder_ / "temper" / "matrix-products-cublaslt-1-nvidia-h100-80gb-hbm3-9-0-132-multiprocessors");
}

TEST_F(Cache, HasAFileForEachLibrary) {
    cache().add(table("cuBLASLt 1", 8, 5));
    cache("cuBLASLt 2").add(table("cuBLASLt 2", 8, 6));
    EXPECT_EQ((*cache().load().find(key_of(8)))[0], 5u);
    EXPECT_EQ((*cache("cuBLASLt 2").load().find(key_of(8)))[0], 6u);
}

TEST_F(Cache, MakesABrokenFileAgain) {
    cache().add(table("cuBLASLt 1", 8, 5));
    std::string bytes = read_file(cache().file());
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
    for (const std::string& broken : {std::string(), std::string("no table"), bytes, table("cuBLASLt 9", 8, 9).to_bytes()}) {
        write_durable(cache().file(), broken);
        warnings_.clear();
        EXPECT_EQ(cache().load().size(), 0u);
        ASSERT_EQ(warnings_.size(), 1u);
        EXPECT_NE(warnings_[0].find(cache().file().string()), std::string::npos) << warnings_[0];
        cache().add(table("cuBLASLt 1", 8, 6));
        EXPECT_EQ(warnings_.size(), 1u);
        EXPECT_EQ((*cache().load().find(key_of(8)))[0], 6u);
    }
}

TEST_F(Cache, WarnsWhereItCannotWrite) {
    folder_.put("temper", "a file in the folder's place");
    cache().add(table("cuBLASLt 1", 8, 5));
    ASSERT_EQ(warnings_.size(), 1u);
    EXPECT_NE(warnings_[0].find("another process may choose other algorithms"), std::string::npos) << warnings_[0];
    EXPECT_EQ(cache().load().size(), 0u);
}

TEST_F(Cache, LiesInTheHomeWhereNoFolderIsNamed) {
    const char* const before = std::getenv("HOME");
    const std::string home = before == nullptr ? "" : before;
    setenv("XDG_CACHE_HOME", "relative/folders/count/as/none", 1);
    setenv("HOME", folder_.path().c_str(), 1);
    EXPECT_EQ(cache().file().parent_path(), folder_ / ".cache" / "temper");
    unsetenv("HOME");
    EXPECT_TRUE(cache().file().empty());
    cache().add(table("cuBLASLt 1", 8, 5));
    EXPECT_EQ(warnings_.size(), 1u);
    if (before != nullptr) setenv("HOME", home.c_str(), 1);
}

}  // namespace
}  // namespace temper
