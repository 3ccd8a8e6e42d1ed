// Who is in which jail: what the master asks of each child, what each says it has (read back from
// the kernel, common/jail_report.h), and the file beside the pid file in which `m2sh jail` finds
// both. Used by the supervisor, which lets nobody serve who has more than was asked.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "common/jail.h"
#include "master/config_child.h"
#include "master/run_files.h"

namespace m2 {

class JailBook {
 public:
  // jail: of the children that serve. path: of the file, inside the folder of the server. files:
  // who writes it, outlives the book. To be called in the server's place: what the master itself
  // has is part of what it can ask.
  static Result<JailBook> open(const Jail& jail, const Origin& origin, std::string path,
                               RunFiles& files);

  // In what the process is weaker than asked; "": in nothing. pid 0: one that may have ended.
  // given: the descriptors that it was born with.
  std::string judge(const std::string& name, JailRole role, pid_t pid, std::string_view report,
                    const DescriptorCounts& given);
  void forget(pid_t pid);
  // Which of the kernel's means are not used, for the log; "": all are.
  std::string shortcomings() const;
  void remove();
  // An upgrade: the file is another master's, or not yet ours; it is left alone.
  void keep_quiet(bool quiet);

 private:
  struct Page {
    std::string name;
    pid_t pid = 0;
    std::string line;  // "NAME\tWHAT WAS ASKED\tWHAT IT HAS"
  };

  JailBook() = default;
  JailReport asked_of(JailRole role, const JailReport& has) const;
  void put_down(Page page);
  void write() const;

  Jail jail_;
  JailReport master_;
  JailReport origin_;  // only its root counts
  std::string path_;
  RunFiles* files_ = nullptr;
  bool quiet_ = false;
  std::vector<Page> pages_;
};

// "run/mongrel2.jail" for "run/mongrel2.pid".
std::string jail_book_path(std::string pid_path);

}  // namespace m2
