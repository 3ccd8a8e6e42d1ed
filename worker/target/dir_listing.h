// The page that lists a folder, for Dirs that ask for it. Called by Directory; shows what the Dir
// would serve and nothing else, and at most kListingEntriesMax of it.
#pragma once

#include <string>
#include <string_view>

#include "common/owned_fd.h"
#include "worker/target/folder.h"

namespace m2 {

inline constexpr size_t kListingEntriesMax = 1000;

// HTML in UTF-8. open: the folder; relative: its path below the base, with its '/'; path: as
// requested, still encoded, for the title. Names that begin with a dot are left out, and so are
// links that lead outside, FIFOs, sockets and devices. A folder that cannot be read has no entries.
std::string list_folder(const Folder& folder, OwnedFd open, const std::string& relative,
                        std::string_view path);

}  // namespace m2
