// Goal: whatever a config reader sends, the master refuses or reads it; what is read, written
// again, says the same. Method: the input as it is, and as damage to a sound plan.
#include <cstdint>
#include <string>
#include <string_view>

#include "common/check.h"
#include "common/treaty/plan.h"
#include "tests/fuzz/damage.h"

namespace {

void check(std::string_view bytes) {
  const m2::Result<m2::Plan> plan = m2::read_plan(bytes);
  if (!plan.ok()) {
    CHECK(!plan.message().empty());
    return;
  }
  const m2::Result<m2::Plan> again = m2::read_plan(m2::write_plan(plan.value()));
  CHECK(again.ok() && again.value() == plan.value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string sound = [] {
    m2::Plan plan;
    plan.uuid = "f400bf85";
    plan.chroot = "./";
    plan.control_port = "ipc://run/control";
    plan.listeners = {{"tcp://127.0.0.1:6767"}, {"unix:run/web", 0660, true}};
    plan.endpoints = {"tcp://127.0.0.1:9999", "tcp://127.0.0.1:9998"};
    return m2::write_plan(plan);
  }();
  check({reinterpret_cast<const char*>(data), size});
  check(m2::damaged(sound, data, size));
  return 0;
}
