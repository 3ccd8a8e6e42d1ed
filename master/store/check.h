// The rules that a configuration must keep beyond the form of its cells. Each is one finding with
// the row it is about; docs/configuration.md lists them. Pure: looks at nothing but the Config.
#pragma once

#include <string>
#include <string_view>

#include "common/config/model.h"
#include "master/store/finding.h"

namespace m2 {

// config: read from a database with its targets linked; it need not be free of errors. as_root: the
// server will run in its chroot.
void check_config(const Config& config, bool as_root, Findings& findings);

// Parts of check_config, each in a file of its own.
void check_hosts(const Config& config, Findings& findings);      // check_hosts.cc: hosts, routes
void check_endpoints(const Config& config, Findings& findings);  // check_endpoints.cc: handlers

void check_uploads(const Config& config, Findings& findings);  // check_uploads.cc: settings

// Whether the folder of upload.temp_store is there and takes files. Looks at the file system from
// outside of the chroot.
void check_upload_folder(const Config& config, bool as_root, Findings& findings);

// check_places.cc: what the start opens has a place.
void check_places(const Config& config, bool as_root, Findings& findings);
// The real name of a path of the server: below its folder with and without a chroot, as it is
// without a folder.
std::string in_folder(const ServerRow& server, const std::string& path, bool as_root);

// check_exposure.cc: Dirs that would serve what nobody may see (manual 4.9), and an ordinary user's
// database that everybody may change (root's: database_writers.h). They look at the file system
// from outside of the chroot.
void check_exposure(const Config& config, const std::string& db_path, bool as_root,
                    Findings& findings);
void check_database_file(const std::string& db_path, Findings& findings);

// True: may stand in a header field, on one line without control characters.
bool is_header_text(std::string_view text);

}  // namespace m2
