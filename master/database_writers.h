// Who can write or replace the database of a server that is started as root: owners and writers of
// the file, of SQLite's files beside it, and of each folder and link on the way to it.
#pragma once

#include <string>

#include "common/owned_fd.h"
#include "common/status.h"
#include "master/author.h"

namespace m2 {

// Called as root, in the real root directory, before a byte of the database is read. path: relative
// to the current folder unless absolute. Refused with every reason: everybody can, more than one
// user beside root can, or that cannot be known. Whoever could rename something between this look
// and the reading is among those who were found, so a race wins nothing.
Result<Author> author_of_database(const std::string& path);

}  // namespace m2
