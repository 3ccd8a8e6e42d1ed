// The page that lists a folder: its rows, what it leaves out, and that no name becomes markup.
#include "worker/target/dir_listing.h"

#include <cerrno>

#include "tests/unit/worker/target/folder_fixture.h"

namespace m2 {
namespace {

class DirListing : public FolderTest {
 protected:
  std::string page(const std::string& relative = "", std::string_view path = "/") {
    FolderSettings settings;
    settings.listing = true;
    open_folder(settings);
    OwnedFd open = open_beneath(root + "/www/", relative, Resolver::kKernel);
    return list_folder(*folder, std::move(open), relative, path);
  }
  static bool has(const std::string& text, std::string_view piece) {
    return text.find(piece) != std::string::npos;
  }
};

TEST_F(DirListing, FoldersFirstThenFilesByName) {
  const std::string text = page();
  const size_t sub = text.find("<a href=\"./sub/\">sub/</a>");
  const size_t a = text.find("<a href=\"./a.txt\">a.txt</a></td><td>5</td>");
  const size_t index = text.find("<a href=\"./index.html\">index.html</a></td><td>10</td>");
  ASSERT_NE(index, std::string::npos) << text;
  EXPECT_LT(sub, a);
  EXPECT_LT(a, index);
  EXPECT_FALSE(has(text, "../"));
  EXPECT_TRUE(has(page("sub/", "/x/sub/"), "<a href=\"../\">"));
  EXPECT_TRUE(has(page("sub/", "/x/s%75b/"), "<title>Index of /x/sub/</title>"));
}

// Goal: names are text, never markup and never a URI of another scheme.
TEST_F(DirListing, NamesAreEscaped) {
  write("www/<script>alert('1')&\"2\".txt", "x");
  write("www/javascript:alert(1)", "x");
  write("www/sp ace?#%41.txt", "x");
  write("www/\xC3\xBC\xFF", "x");
  const std::string text = page("", "/%3Cb%3E/");
  EXPECT_FALSE(has(text, "<script>"));
  EXPECT_FALSE(has(text, "<b>"));
  EXPECT_TRUE(has(text, "&lt;script&gt;alert(&#39;1&#39;)&amp;&quot;2&quot;.txt</a>"));
  EXPECT_TRUE(has(text, "href=\"./%3Cscript%3Ealert%28%271%27%29%26%222%22.txt\""));
  EXPECT_TRUE(has(text, "href=\"./javascript%3Aalert%281%29\""));
  EXPECT_TRUE(has(text, "href=\"./sp%20ace%3F%23%2541.txt\""));
  EXPECT_TRUE(has(text, "href=\"./%C3%BC%FF\""));
}

TEST_F(DirListing, ShowsOnlyWhatTheDirServes) {
  write("www/.hidden", "x");
  ASSERT_EQ(::mkfifo((root + "/www/fifo").c_str(), 0600), 0);
  std::filesystem::create_symlink("../www-secret/s.txt", root + "/www/out");
  std::filesystem::create_symlink("nowhere", root + "/www/dangling");
  std::filesystem::create_symlink("sub", root + "/www/in");
  const std::string text = page();
  for (const char* name : {"hidden", "fifo", "out", "dangling", "secret"}) {
    EXPECT_FALSE(has(text, name)) << name;
  }
  EXPECT_TRUE(has(text, "<a href=\"./in/\">in/</a>"));
}

TEST_F(DirListing, IsBounded) {
  for (size_t i = 0; i < kListingEntriesMax; ++i) write("www/sub/f" + std::to_string(i), "");
  std::string text = page("sub/");  // one more: b.bin
  size_t rows = 0;
  for (size_t at = 0; (at = text.find("<tr>", at)) != std::string::npos; ++at) ++rows;
  EXPECT_EQ(rows, kListingEntriesMax + 1);  // the parent folder
  EXPECT_TRUE(has(text, "There are more entries"));
  std::filesystem::remove(root + "/www/sub/b.bin");
  text = page("sub/");
  EXPECT_FALSE(has(text, "There are more entries"));
}

// Goal: what is not listed costs no more time than what is.
TEST_F(DirListing, ManyHiddenEntriesEndItToo) {
  for (size_t i = 0; i <= 4 * kListingEntriesMax; ++i) write("www/sub/.f" + std::to_string(i), "");
  EXPECT_TRUE(has(page("sub/"), "There are more entries"));
}

TEST_F(DirListing, AFolderThatCannotBeReadIsEmpty) {
  const std::string text = list_folder(*folder, OwnedFd(), "", "/");
  EXPECT_TRUE(has(text, "</html>"));
  EXPECT_FALSE(has(text, "<tr>"));
}

}  // namespace
}  // namespace m2
