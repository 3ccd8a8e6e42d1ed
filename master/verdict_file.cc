#include "master/verdict_file.h"

#include <unistd.h>

#include "common/in_quotes.h"
#include "common/log.h"
#include "master/privileges.h"
#include "master/small_file.h"

namespace m2 {

void VerdictFile::write(bool ok, const std::string& text) {
  const std::string line =
      std::to_string(++count_) + (ok ? " ok " : " refused ") + in_one_line(text) + "\n";
  if (Status written = replace_file(path_, line, jail_); !written.ok()) {
    log_warn("the verdict for m2sh reload is not written: " + written.message());
  }
}

void VerdictFile::remove() {
  const AsJailUser rights(jail_);
  ::unlink(path_.c_str());
}

std::string verdict_path(std::string pid_path) {
  return beside_pid_file(std::move(pid_path), ".verdict");
}

}  // namespace m2
