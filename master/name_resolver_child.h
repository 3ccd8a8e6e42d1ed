// What runs in the resolver: back to the original root, where the resolver's files are, down to the
// user of the server, then look the names of the configuration up. name_resolver.h is the master's
// end.
#pragma once

#include "common/jail.h"
#include "master/config_child.h"

namespace m2 {

// Exit status of the child. image: the configuration in use; channel: its end, to the master.
int look_names_up(const ReaderTask& task, const Origin& origin, const Jail& jail, int image,
                  int channel);

}  // namespace m2
