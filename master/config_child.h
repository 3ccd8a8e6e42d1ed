// What runs in the config reader: back to the original root, down to whoever decides what the
// database says (author.h), read, and tell the master. The only place from which the database is
// opened. config_reader.h is the master's end.
#pragma once

#include <string>

#include "common/owned_fd.h"
#include "common/status.h"

namespace m2 {

// Where the server was started, kept over the chroot: the only things that lead out of it. Every
// child but the config reader closes them.
struct Origin {
  OwnedFd root;
  OwnedFd folder;  // current directory

  static Result<Origin> remember();
};

struct ReaderTask {
  std::string database;  // as typed; relative to the folder of the origin
  std::string server;
  bool as_root = false;
  // As the settings say, once they are known: the first reading is always confined.
  bool landlock = true;
  bool seccomp = true;
};

// Out of the chroot, if there is one: the file may have been replaced since the start, and the
// resolver's files are outside. To the folder of the start.
Status go_back(const ReaderTask& task, const Origin& origin);

// Exit status of the child. channel: its end, to the master. current_image: of the configuration in
// use, for saying what changes; -1: none.
int read_configuration(const ReaderTask& task, const Origin& origin, int current_image,
                       int channel);

}  // namespace m2
