#include "worker/link/zmq_context.h"

#include <sched.h>

namespace m2 {
namespace {

// Every handler pair needs up to six; the memory for all of them is about 100 KB.
constexpr int kSocketsMax = 8192;

// libzmq aborts when it cannot set what it was told, so find out first whether the system lets us.
bool may_use_batch_policy() {
  const int policy = ::sched_getscheduler(0);
  if (policy != SCHED_OTHER) return false;  // somebody chose another one for the whole service
  sched_param none{};
  if (::sched_setscheduler(0, SCHED_BATCH, &none) != 0) return false;
  return ::sched_setscheduler(0, policy, &none) == 0;
}

}  // namespace

ZmqContext::ZmqContext(int io_threads) {
  raw_.set(zmq::ctxopt::io_threads, io_threads);
  raw_.set(zmq::ctxopt::max_sockets, kSocketsMax);
  // A thread with this policy does not interrupt the one that woke it. On a busy core the loop then
  // hands over all messages of a turn at once: a third of the context switches, a quarter less CPU
  // a request. On a core that somebody else never leaves, it waits for its turn, some milliseconds
  // (docs/relay.md).
  if (may_use_batch_policy()) raw_.set(zmq::ctxopt::thread_sched_policy, SCHED_BATCH);
}

std::string ZmqContext::new_inproc_endpoint() {
  return "inproc://m2-" + std::to_string(++inproc_endpoints_);
}

}  // namespace m2
