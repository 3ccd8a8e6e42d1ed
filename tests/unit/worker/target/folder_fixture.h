// A folder with a few files, and what tests ask of it. For the tests of Folder and DirListing.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "worker/target/folder.h"

namespace m2 {

class FolderTest : public testing::Test {
 protected:
  FolderTest() {
    char name[] = "/tmp/m2-files-XXXXXX";
    root = ::mkdtemp(name);
    std::filesystem::create_directories(root + "/www/sub");
    std::filesystem::create_directories(root + "/www-secret");
    write("www/a.txt", "hello");
    write("www/index.html", "front page");
    write("www/sub/b.bin", "binary");
    write("www-secret/s.txt", "secret");
    auto table = std::make_shared<MimeTable>();
    table->add(".txt", "text/x-test");
    mime = table;
    open_folder();
  }
  ~FolderTest() override { std::filesystem::remove_all(root); }

  void open_folder(FolderSettings settings = {}) {
    settings.base = root + "/www/";
    settings.index_file = "index.html";
    settings.default_ctype = "text/plain";
    folder = std::make_unique<Folder>(loop, settings, Resolver::kKernel, cache, mime);
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(root + "/" + name) << text;
  }
  std::string body(std::string_view path) {
    const Folder::Look look = folder->find(path, {});
    if (look.found != Folder::Found::kFile) return "not found";
    return look.file->answer.substr(look.file->head_bytes);
  }
  std::string etag(std::string_view path) {
    const Folder::Look look = folder->find(path, {});
    return look.found == Folder::Found::kFile ? look.file->etag : "none";
  }
  // Sets the time of the last modification, in seconds before (or after) now.
  void set_age(const std::string& name, int seconds) {
    timespec times[2] = {};
    ::clock_gettime(CLOCK_REALTIME, &times[1]);
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_sec -= seconds;
    times[1].tv_nsec = 500'000'000;
    ASSERT_EQ(::utimensat(AT_FDCWD, (root + "/" + name).c_str(), times, 0), 0);
  }
  int error(std::string_view path) {
    const Folder::Look look = folder->find(path, {});
    return look.found == Folder::Found::kFailed ? look.error_number : 0;
  }
  void next_turn() {
    TimerWatcher soon;
    soon.start<&FolderTest::nothing>(loop, 0.0, 0.0, this);
    loop.run_once();
  }
  void nothing() {}

  std::string root;
  Loop loop;
  std::shared_ptr<const MimeTable> mime;
  std::shared_ptr<FileCache> cache = std::make_shared<FileCache>(FileCacheLimits());
  std::unique_ptr<Folder> folder;
};

}  // namespace m2
