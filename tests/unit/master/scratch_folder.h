// A folder that lives as long as a test, with small helpers to look into it. Made below /tmp,
// removed with everything in it.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace m2 {

class ScratchFolder {
 public:
  ScratchFolder() {
    char name[] = "/tmp/m2-unit-XXXXXX";
    EXPECT_NE(::mkdtemp(name), nullptr);
    path_ = name;
    EXPECT_EQ(::chmod(name, 0755), 0);
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(*this / name) << text;
  }
  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(*this / name).rdbuf();
    return text.str();
  }
  bool exists(const std::string& name) const {
    struct stat file;
    return ::lstat((*this / name).c_str(), &file) == 0;
  }

 private:
  std::string path_;
};

}  // namespace m2
