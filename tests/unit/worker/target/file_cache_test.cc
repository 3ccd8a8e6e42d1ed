// What the open-file cache keeps and forgets: keys, order of use, its two limits.
#include "worker/target/file_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace m2 {
namespace {

constexpr ContentCoding kPlain = ContentCoding::kIdentity;

std::shared_ptr<CachedFile> file_of(size_t bytes, ContentCoding coding = kPlain) {
  auto file = std::make_shared<CachedFile>();
  file->answer.assign(bytes, 'x');
  file->coding = coding;
  return file;
}

class FileCacheTest : public testing::Test {
 protected:
  bool has(const int& folder, std::string_view path, ContentCoding coding = kPlain) {
    return cache.find(&folder, path, coding) != nullptr;
  }
  FileCache cache{{.files = 3, .bytes = 1000}};
  int one = 1, other = 2;  // stand for folders
};

TEST_F(FileCacheTest, TheKeyIsFolderPathAndCoding) {
  const auto file = file_of(10);
  cache.remember(&one, "a", file);
  EXPECT_EQ(*cache.find(&one, "a", kPlain), file);
  EXPECT_FALSE(has(other, "a"));
  EXPECT_FALSE(has(one, "b"));
  EXPECT_FALSE(has(one, "a", ContentCoding::kGzip));
  cache.remember(&one, "a", file_of(10, ContentCoding::kGzip));
  EXPECT_TRUE(has(one, "a", ContentCoding::kGzip));
  cache.forget(&one, "a", kPlain);
  EXPECT_FALSE(has(one, "a"));
  EXPECT_TRUE(has(one, "a", ContentCoding::kGzip));
  EXPECT_EQ(file.use_count(), 1);
}

TEST_F(FileCacheTest, TheLongestUnusedGoesFirst) {
  for (const char* path : {"a", "b", "c"}) cache.remember(&one, path, file_of(10));
  EXPECT_TRUE(has(one, "a"));  // used: "b" is the oldest now
  cache.remember(&other, "d", file_of(10));
  EXPECT_FALSE(has(one, "b"));
  EXPECT_TRUE(has(one, "a") && has(one, "c") && has(other, "d"));
  EXPECT_EQ(cache.files(), 3u);
}

TEST_F(FileCacheTest, BytesAreBounded) {
  cache.remember(&one, "a", file_of(600));
  cache.remember(&one, "b", file_of(300));
  EXPECT_EQ(cache.bytes(), 902u);
  cache.remember(&one, "c", file_of(600));
  EXPECT_FALSE(has(one, "a"));
  EXPECT_TRUE(has(one, "b") && has(one, "c"));
  cache.remember(&one, "d", file_of(1000));  // with its path too large for any place
  EXPECT_FALSE(has(one, "d"));
  EXPECT_TRUE(has(one, "b") && has(one, "c"));
  EXPECT_TRUE(cache.has_room_for(1000));
  EXPECT_FALSE(cache.has_room_for(1001));
}

TEST_F(FileCacheTest, AnEqualKeyReplaces) {
  cache.remember(&one, "a", file_of(600));
  const auto file = file_of(500);
  cache.remember(&one, "a", file);
  EXPECT_EQ(*cache.find(&one, "a", kPlain), file);
  EXPECT_EQ(cache.files(), 1u);
  EXPECT_EQ(cache.bytes(), 501u);
}

TEST_F(FileCacheTest, AFolderThatGoesTakesItsFilesAlong) {
  cache.remember(&one, "a", file_of(10));
  cache.remember(&other, "a", file_of(10));
  cache.forget_folder(&one);
  EXPECT_FALSE(has(one, "a"));
  EXPECT_TRUE(has(other, "a"));
}

TEST_F(FileCacheTest, LimitsMayShrinkToNothing) {
  cache.remember(&one, "a", file_of(10));
  cache.set_limits({.files = 0, .bytes = 1000});
  EXPECT_EQ(cache.files(), 0u);
  EXPECT_EQ(cache.bytes(), 0u);
  cache.remember(&one, "a", file_of(10));
  EXPECT_FALSE(has(one, "a"));
}

}  // namespace
}  // namespace m2
