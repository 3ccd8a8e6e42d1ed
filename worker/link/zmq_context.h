// The 0MQ context of one process: made after the jail, in the process that uses it, never
// inherited.
#pragma once

#include <string>
#include <zmq.hpp>

namespace m2 {

class ZmqContext {
 public:
  // Starts libzmq's threads, so nothing may fork afterwards.
  explicit ZmqContext(int io_threads);
  // All its sockets must be gone. Waits for what they still had to deliver, 200 ms at most (their
  // linger).
  ~ZmqContext() = default;
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;

  zmq::context_t& raw() { return raw_; }
  // An inproc endpoint that nobody else in this process has.
  std::string new_inproc_endpoint();

 private:
  zmq::context_t raw_;
  unsigned inproc_endpoints_ = 0;
};

}  // namespace m2
