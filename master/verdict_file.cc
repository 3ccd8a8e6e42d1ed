#include "master/verdict_file.h"

#include "common/in_quotes.h"
#include "common/log.h"
#include "master/small_file.h"

namespace m2 {

void VerdictFile::write(bool ok, const std::string& text) {
  const std::string line =
      std::to_string(++count_) + (ok ? " ok " : " refused ") + in_one_line(text) + "\n";
  if (Status written = files_.write(path_, line); !written.ok()) {
    log_warn("the verdict for m2sh reload is not written: " + written.message());
  }
}

void VerdictFile::remove() { (void)files_.remove(path_); }

std::string verdict_path(std::string pid_path) {
  return beside_pid_file(std::move(pid_path), ".verdict");
}

}  // namespace m2
