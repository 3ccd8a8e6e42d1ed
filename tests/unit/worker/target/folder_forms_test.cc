// The forms of a file: tags of its states, encoded siblings, charset, what is kept in memory.
#include <cerrno>

#include "tests/unit/worker/target/folder_fixture.h"

namespace m2 {
namespace {

class FolderForms : public FolderTest {
 protected:
  std::string form(std::string_view path, std::string_view accept) {
    const Folder::Look look = folder->find(path, accept);
    if (look.found == Folder::Found::kNoFormFits) return "none fits";
    if (look.found != Folder::Found::kFile) return "not found";
    return std::string(look.file->body());
  }
  void open_packed() {
    FolderSettings settings;
    settings.precompressed = true;
    open_folder(settings);
  }
  // Siblings are looked for once in a second.
  void look_again() {
    const auto file = folder->find("a.txt", {}).file;
    if (file != nullptr) file->siblings_at = 0;
  }
};

// Goal: no two states have one tag, even within one tick of the clock and with equal size and time.
TEST_F(FolderForms, ATagIsOfOneState) {
  std::string last;
  const timespec fixed[2] = {{1000000000, 5}, {1000000000, 5}};
  for (const char* text : {"AAAAA", "BBBBB", "CCCCC", "AAAAA"}) {
    write("www/a.txt", text);
    ASSERT_EQ(::utimensat(AT_FDCWD, (root + "/www/a.txt").c_str(), fixed, 0), 0);
    next_turn();
    EXPECT_EQ(body("a.txt"), text);
    EXPECT_NE(etag("a.txt"), last);
    last = etag("a.txt");
    next_turn();
    EXPECT_EQ(etag("a.txt"), last);
    EXPECT_TRUE(last.starts_with("\"3b9aca00-5-")) << last;  // the tag of 1.x comes first
  }
}

// Goal: the same for a large file, whose content is not read. Method: rewrite it within a tick; the
// tags differ at each look until the times can be trusted.
TEST_F(FolderForms, ATagOfALargeFile) {
  const std::string large(300'000, 'A');
  write("www/large", large);
  const std::string first = etag("large");
  next_turn();
  std::ofstream(root + "/www/large", std::ios::in) << "BBBB";
  EXPECT_NE(etag("large"), first);
  const Folder::Look look = folder->find("large", {});
  EXPECT_FALSE(look.file->body_inline);
  EXPECT_TRUE(look.file->file.valid());
}

TEST_F(FolderForms, SiblingsAreForThoseWhoAcceptThem) {
  write("www/a.txt.gz", "gzip");
  write("www/a.txt.br", "brotli");
  EXPECT_EQ(form("a.txt", "br"), "hello");  // not asked for in the configuration
  open_packed();
  EXPECT_EQ(form("a.txt", {}), "hello");
  EXPECT_EQ(form("a.txt", "gzip"), "gzip");
  EXPECT_EQ(form("a.txt", "gzip, br"), "brotli");
  EXPECT_EQ(form("a.txt", "zstd"), "hello");
  EXPECT_EQ(form("a.txt", "zstd, identity;q=0"), "none fits");
  EXPECT_EQ(form("a.txt.gz", "gzip"), "gzip");  // by its own name it is a file like others
  const auto packed = folder->find("a.txt", "gzip").file;
  EXPECT_EQ(packed->type, "text/x-test");
  EXPECT_NE(packed->etag, etag("a.txt"));
  EXPECT_NE(packed->head().find("\r\nContent-Encoding: gzip\r\n"), std::string::npos);
  for (const std::string_view accept : {"gzip", "br", ""}) {
    EXPECT_NE(folder->find("a.txt", accept).file->etc.find("Vary: Accept-Encoding\r\n"),
              std::string::npos);
  }
  // A hit looks no name up again: the same object.
  EXPECT_EQ(folder->find("a.txt", "gzip").file, packed);
}

// Goal: an encoded form never shows another state than the file has. Method: change, age, remove
// and bring back each of the two.
TEST_F(FolderForms, SiblingsOfAnotherStateAreNotUsed) {
  open_packed();
  write("www/a.txt.gz", "gzip");
  EXPECT_EQ(form("a.txt", "gzip"), "gzip");
  set_age("www/a.txt.gz", 100);
  next_turn();
  EXPECT_EQ(form("a.txt", "gzip"), "hello");  // the file is newer
  set_age("www/a.txt", 200);
  next_turn();
  EXPECT_EQ(form("a.txt", "gzip"), "gzip");
  write("www/a.txt", "HELLO");
  next_turn();
  EXPECT_EQ(form("a.txt", "gzip"), "HELLO");
  write("www/a.txt.gz", "GZIP");
  look_again();
  next_turn();
  EXPECT_EQ(form("a.txt", "gzip"), "GZIP");
  std::filesystem::remove(root + "/www/a.txt.gz");
  next_turn();
  EXPECT_EQ(form("a.txt", "gzip"), "HELLO");
  write("www/a.txt.gz", "again");
  look_again();
  EXPECT_EQ(form("a.txt", "gzip"), "again");
  std::filesystem::remove(root + "/www/a.txt");
  next_turn();
  EXPECT_EQ(form("a.txt", "gzip"), "not found");
}

TEST_F(FolderForms, ASiblingMayNotLeadOutOrBeAFolder) {
  open_packed();
  std::filesystem::create_symlink("../www-secret/s.txt", root + "/www/a.txt.br");
  std::filesystem::create_directory(root + "/www/a.txt.gz");
  EXPECT_EQ(form("a.txt", "br, gzip"), "hello");
}

TEST_F(FolderForms, CharsetIsForTextThatNamesNone) {
  FolderSettings settings;
  settings.charset = "utf-8";
  auto table = std::make_shared<MimeTable>();
  table->add(".html", "text/html");
  table->add(".js", "application/javascript");
  table->add(".svg", "image/svg+xml");
  table->add(".png", "image/png");
  table->add(".own", "text/plain; charset=koi8-r");
  mime = table;
  open_folder(settings);
  for (const char* name : {"x.html", "x.js", "x.svg", "x.png", "x.own", "x"}) {
    write(std::string("www/") + name, "x");
  }
  EXPECT_EQ(folder->find("x.html", {}).file->type, "text/html; charset=utf-8");
  EXPECT_EQ(folder->find("x.js", {}).file->type, "application/javascript; charset=utf-8");
  EXPECT_EQ(folder->find("x.svg", {}).file->type, "image/svg+xml; charset=utf-8");
  EXPECT_EQ(folder->find("x.png", {}).file->type, "image/png");
  EXPECT_EQ(folder->find("x.own", {}).file->type, "text/plain; charset=koi8-r");
  EXPECT_EQ(folder->find("x", {}).file->type, "text/plain; charset=utf-8");  // default_ctype
  open_folder();
  EXPECT_EQ(folder->find("x.html", {}).file->type, "text/html");
}

// Goal: within cache_ttl memory answers without a look; a file that is sent from its descriptor is
// looked at all the same.
TEST_F(FolderForms, TtlSparesLooksAtWhatIsInMemory) {
  FolderSettings settings;
  settings.cache_ttl_s = 3600;
  open_folder(settings);
  write("www/large", std::string(300'000, 'A'));
  EXPECT_EQ(body("a.txt"), "hello");
  const std::string large = etag("large");
  EXPECT_NE(folder->find("a.txt", {}).file->etc.find("Cache-Control: max-age=3600\r\n"),
            std::string::npos);
  write("www/a.txt", "HELLO");
  write("www/large", std::string(300'000, 'B'));
  next_turn();
  EXPECT_EQ(body("a.txt"), "hello");
  EXPECT_NE(etag("large"), large);
}

// Goal: what the cache cannot keep is not copied into memory for each client.
TEST_F(FolderForms, WithoutRoomFilesAreSentFromTheirDescriptors) {
  cache->set_limits({.files = 0, .bytes = 0});
  const auto file = folder->find("a.txt", {}).file;
  EXPECT_FALSE(file->body_inline);
  EXPECT_TRUE(file->file.valid());
  EXPECT_EQ(file.use_count(), 1);
}

// Goal: a file that is being sent is given up when it is not the same any more. Method: all that
// can happen to one between two pieces.
TEST_F(FolderForms, AFileIsTheSameWhileItsBytesAre) {
  const std::string content(300'000, 'A');
  const auto after = [&](const auto& change) {
    std::filesystem::remove(root + "/www/large");
    write("www/large", content);
    set_age("www/large", 100);
    next_turn();
    const auto file = folder->find("large", {}).file;
    EXPECT_EQ(file->state(), SentFile::State::kSame);
    change(root + "/www/large");
    if (file->state() == SentFile::State::kDoubtful) file->doubted_at_ms -= 2000;
    return file->state() == SentFile::State::kSame;
  };
  EXPECT_TRUE(after([](const std::string&) {}));
  EXPECT_TRUE(after([](const std::string& path) { std::filesystem::remove(path); }));
  EXPECT_TRUE(after([](const std::string& path) { ::chmod(path.c_str(), 0); }));
  EXPECT_TRUE(after([](const std::string& path) { ::rename(path.c_str(), (path + "2").c_str()); }));
  EXPECT_TRUE(after([](const std::string& path) { std::ofstream(path, std::ios::app) << "more"; }));
  EXPECT_FALSE(after([](const std::string& path) { ASSERT_EQ(::truncate(path.c_str(), 5), 0); }));
  EXPECT_FALSE(
      after([](const std::string& path) { std::ofstream(path, std::ios::in) << "in place"; }));
  EXPECT_FALSE(after([](const std::string& path) {
    std::ofstream(path, std::ios::trunc) << std::string(400'000, 'B');
  }));
}

// Goal: a write that has set the time but not yet the size is waited for.
TEST_F(FolderForms, AnAppendThatHasJustBegunIsDoubtful) {
  write("www/large", std::string(300'000, 'A'));
  set_age("www/large", 100);
  const auto file = folder->find("large", {}).file;
  set_age("www/large", 0);
  EXPECT_EQ(file->state(), SentFile::State::kDoubtful);
  std::ofstream(root + "/www/large", std::ios::app) << "more";
  EXPECT_EQ(file->state(), SentFile::State::kSame);
}

TEST_F(FolderForms, AFolderWithoutIndexIsListedIfAskedFor) {
  EXPECT_EQ(error("sub/"), ENOENT);
  FolderSettings settings;
  settings.listing = true;
  open_folder(settings);
  const Folder::Look look = folder->find("x/../sub/", {});
  EXPECT_EQ(look.found, Folder::Found::kListing);
  EXPECT_EQ(look.relative, "sub/");
  EXPECT_TRUE(look.folder.valid());
  EXPECT_EQ(folder->find("sub", {}).found, Folder::Found::kDirectory);
  EXPECT_EQ(body(""), "front page");
  EXPECT_EQ(error("none/"), ENOENT);
  EXPECT_EQ(error("a.txt/"), ENOTDIR);
}

}  // namespace
}  // namespace m2
