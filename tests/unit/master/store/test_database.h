// A database for one test: made from SQL in a folder of its own, gone with the object. Meanwhile
// that is the current folder, with what a server's folder has. The only place of the unit tests
// that writes SQLite.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace m2 {

// Where the tests were started: the top of the tree.
inline const std::filesystem::path kTop = std::filesystem::current_path();

class TestDatabase {
 public:
  TestDatabase() {
    char name[] = "/tmp/m2-store-XXXXXX";
    EXPECT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    for (const char* below : {"logs", "run", "static", "tests", "examples/chat/static"}) {
      std::filesystem::create_directories(folder_ + "/" + below);
    }
    before_ = std::filesystem::current_path();
    std::filesystem::current_path(folder_);
  }
  explicit TestDatabase(const std::string& sql) : TestDatabase() { run(sql); }
  ~TestDatabase() {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(folder_);
  }
  TestDatabase(const TestDatabase&) = delete;

  std::string path() const { return folder_ + "/config.sqlite"; }
  const std::string& folder() const { return folder_; }

  void run(const std::string& sql) const {
    sqlite3* connection = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &connection), SQLITE_OK);
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK)
        << message << "\n"
        << sql;
    sqlite3_free(message);
    sqlite3_close(connection);
  }

 private:
  std::string folder_;
  std::filesystem::path before_;
};

// A file below the top of the tree, where the tests are run.
inline std::string read_file(const std::string& path) {
  std::ifstream file(kTop / path);
  EXPECT_TRUE(file) << path << ": run the tests from the top of the tree";
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace m2
