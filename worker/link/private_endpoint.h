// The ipc endpoints between a worker and the relay: made by the worker in the run directory, mode
// 0600, gone with the last user. Listening is done here and not by libzmq, which would delete
// whatever stands at the path and would leave the file behind.
#pragma once

#include <string>
#include <string_view>

#include "common/owned_fd.h"
#include "common/status.h"

namespace m2 {

inline constexpr std::string_view kIpcScheme = "ipc://";
inline constexpr std::string_view kTcpScheme = "tcp://";  // the one that CURVE is for

class PrivateEndpoint {
 public:
  PrivateEndpoint() = default;
  ~PrivateEndpoint() { remove(); }
  PrivateEndpoint(const PrivateEndpoint&) = delete;
  PrivateEndpoint& operator=(const PrivateEndpoint&) = delete;

  // A listening, non-blocking socket at "ipc://PATH". Refused when something stands there.
  Result<OwnedFd> listen(std::string_view endpoint);
  // Nobody can connect any more; who is connected stays so.
  void remove();

 private:
  std::string path_;
};

}  // namespace m2
