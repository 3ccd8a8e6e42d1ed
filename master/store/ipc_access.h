// Who may open the handlers' ipc endpoints: handler.ipc_mode and handler.ipc_owner, with names
// looked up where the system's users are known, in the config reader.
#pragma once

#include "common/config/model.h"
#include "master/store/finding.h"

namespace m2 {

void read_ipc_access(const Settings& settings, IpcAccess& access, Findings& findings);

}  // namespace m2
