// Who may write where he must not: the modes of files and folders that decide what the server does.
// Used for the database (by the config reader) and for the server's folder (by the master).
#pragma once

#include <sys/stat.h>

#include <set>
#include <string>

namespace m2 {

// The first folder above path, real names and all, in which everybody may put another file in the
// place of what is there (world-writable without the sticky bit); "": none, or path is nowhere.
std::string open_folder_above(const std::string& path);

inline bool everybody_may_write(const struct stat& file) { return (file.st_mode & S_IWOTH) != 0; }

// "path" without a link in it, as a process with this root directory sees it: root "" is the real
// one. What is not there yet is taken by its name.
std::string real_name(const std::string& root, const std::string& path);

// Both real names. A folder is inside of itself.
bool is_inside(const std::string& path, const std::string& folder);

// Who, root apart, decides which folder a path leads to: the owners of the folders that its last
// name and those before it are in, and of the links on the way.
std::set<uid_t> owners_above(const std::string& path);

}  // namespace m2
