// Goal: any image is refused or read; what is read, written and read again, is the same
// configuration. Method: the input as it is, and as damage to a sound image.
#include <cstdint>
#include <string>
#include <string_view>

#include "common/check.h"
#include "common/config/image.h"
#include "tests/fuzz/damage.h"

namespace {

void check(std::string_view bytes) {
  const m2::Result<m2::Config> config = m2::read_image(bytes);
  if (!config.ok()) {
    CHECK(!config.message().empty());
    return;
  }
  const std::string written = m2::write_image(config.value());
  const m2::Result<m2::Config> again = m2::read_image(written);
  CHECK(again.ok() && m2::write_image(again.value()) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string sound = [] {
    m2::Config config;
    config.server.name = "main";
    config.dirs.resize(1);
    config.proxies.resize(1);
    config.proxies[0].backends = {{"127.0.0.1", 80, {"127.0.0.1"}}};
    config.handlers.resize(1);
    config.mimetypes = {{".txt", "text/plain"}};
    config.hosts.resize(1);
    config.hosts[0].routes = {{1, "/", m2::TargetKind::kDir, 0},
                              {2, "/h", m2::TargetKind::kHandler, 0}};
    CHECK(config.settings.set("workers", "3").ok());
    return m2::write_image(config);
  }();
  check({reinterpret_cast<const char*>(data), size});
  check(m2::damaged(sound, data, size));
  return 0;
}
