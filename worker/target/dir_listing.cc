// Names are strangers' text: each is percent-encoded in its link and escaped in what is shown.
#include "worker/target/dir_listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <tuple>
#include <vector>

#include "proto/handler/netstring.h"
#include "proto/http/date.h"
#include "proto/http/syntax.h"
#include "proto/http/uri.h"

namespace m2 {
namespace {

// Entries looked at: those that are not listed take time too.
constexpr size_t kVisitsMax = 4 * kListingEntriesMax;

struct Entry {
  std::string name;
  bool is_folder = false;
  uint64_t size = 0;
  std::time_t modified = 0;
};

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
}

void append_encoded(std::string& out, std::string_view name) {
  constexpr char kHex[] = "0123456789ABCDEF";
  constexpr std::string_view kMarks = "-._~";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_letter = ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
    if (is_letter || is(c, kDigitChar) || kMarks.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
}

// False: the Dir would not serve it.
bool look_at(const Folder& folder, int open, const std::string& relative, Entry& entry) {
  struct stat seen {};
  if (::fstatat(open, entry.name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) != 0) return false;
  if (S_ISLNK(seen.st_mode)) {
    const OwnedFd target =
        open_beneath(folder.settings().base, relative + entry.name, folder.resolver());
    if (!target.valid() || ::fstat(target.get(), &seen) != 0) return false;
  }
  entry.is_folder = S_ISDIR(seen.st_mode);
  entry.size = static_cast<uint64_t>(seen.st_size);
  entry.modified = seen.st_mtim.tv_sec;
  return entry.is_folder || S_ISREG(seen.st_mode);
}

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

// complete: false when there are more than are returned.
std::vector<Entry> read_entries(const Folder& folder, OwnedFd open, const std::string& relative,
                                bool& complete) {
  std::vector<Entry> entries;
  complete = true;
  size_t visits = 0;
  const std::unique_ptr<DIR, CloseDir> dir(::fdopendir(open.get()));
  if (dir == nullptr) return entries;
  const int fd = open.release();  // now the DIR's
  while (const dirent* found = ::readdir(dir.get())) {
    const bool hidden = found->d_name[0] == '.';
    if (++visits > kVisitsMax || (!hidden && entries.size() == kListingEntriesMax)) {
      complete = false;
      break;
    }
    if (hidden) continue;
    Entry entry;
    entry.name = found->d_name;
    if (look_at(folder, fd, relative, entry)) entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::make_tuple(!a.is_folder, std::string_view(a.name)) <
           std::make_tuple(!b.is_folder, std::string_view(b.name));
  });
  return entries;
}

void append_row(const Entry& entry, std::string& page) {
  // "./": a name with a colon is no URI of another scheme.
  page += "<tr><td><a href=\"./";
  append_encoded(page, entry.name);
  if (entry.is_folder) page += '/';
  page += "\">";
  append_escaped(page, entry.name);
  if (entry.is_folder) page += '/';
  page += "</a></td><td>";
  if (!entry.is_folder) append_decimal(page, entry.size);
  char modified[kHttpDateBytes];
  write_http_date(entry.modified, modified);
  page.append("</td><td>").append(modified, sizeof modified).append("</td></tr>\n");
}

}  // namespace

std::string list_folder(const Folder& folder, OwnedFd open, const std::string& relative,
                        std::string_view path) {
  std::string title;
  if (!percent_decode(path, title)) title.assign(path);
  std::string shown;
  append_escaped(shown, title);
  std::string page = "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Index of ";
  page.append(shown).append("</title></head>\n<body><h1>Index of ").append(shown);
  page += "</h1>\n<table>\n";
  if (!relative.empty()) page += "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n";
  bool complete = false;
  for (const Entry& entry : read_entries(folder, std::move(open), relative, complete)) {
    append_row(entry, page);
  }
  page += "</table>\n";
  if (!complete) page += "<p>There are more entries than are listed.</p>\n";
  page += "</body></html>\n";
  return page;
}

}  // namespace m2
