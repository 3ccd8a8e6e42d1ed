// The 0MQ context of one process: made after the jail, in the process that uses it, never inherited.
#pragma once

#include "common/status.h"

namespace m2 {

class ZmqContext {
 public:
  explicit ZmqContext(int io_threads);
  ~ZmqContext();  // sockets must be closed before; never waits for peers (linger is 0 everywhere)
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;
  void* raw() const { return raw_; }

 private:
  void* raw_;
};

}  // namespace m2
