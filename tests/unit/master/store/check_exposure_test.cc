// Goal: a Dir never serves logs, keys, the run directory or the configuration unnoticed, whatever
// name or link leads there, and a database that everybody may change is not used by root (manual
// 4.9). Method: a real folder, one change at a time, findings compared.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "master/store/check.h"
#include "tests/unit/master/scratch_folder.h"

namespace m2 {
namespace {

using Lines = std::vector<std::string>;

Lines lines_of(Findings& findings) {
  Lines lines;
  for (const Finding& finding : findings.take()) {
    lines.push_back((finding.severity == Finding::Severity::kError ? "E " : "W ") + finding.text);
  }
  return lines;
}

class Exposure : public testing::Test {
 protected:
  Exposure() {
    for (const char* name : {"www", "logs", "run", "var", "var/log", "keys", "db"}) {
      ::mkdir((folder_ / name).c_str(), 0755);
    }
    folder_.write("db/config.sqlite", "x");
    config_.server.chroot = folder_.path();
    config_.server.access_log = "/logs/access.log";
    config_.server.error_log = "/logs/error.log";
    config_.server.pid_file = "/run/mongrel2.pid";
  }

  Lines with_base(const std::string& base, bool as_root = true) {
    config_.dirs = {{7, base, "index.html", "text/plain"}};
    Findings findings;
    check_exposure(config_, database_, as_root, findings);
    return lines_of(findings);
  }

  static std::string would_serve(const std::string& base, const std::string& what) {
    return "directory row 7, base \"" + base + "\": would serve " + what +
           " to everybody; keep them apart";
  }

  ScratchFolder folder_;
  const std::string database_ = folder_ / "db/config.sqlite";
  Config config_;
};

TEST_F(Exposure, FoldersApartAreFine) {
  EXPECT_EQ(with_base("www/"), Lines{});
  EXPECT_EQ(with_base("not/there/"), Lines{});
  EXPECT_EQ(with_base("log/"), Lines{});
  // Said by check_config already.
  for (const char* base : {"", "./", "./.", "/", "../", "www/../"}) {
    EXPECT_EQ(with_base(base), Lines{}) << base;
  }
}

TEST_F(Exposure, LogsAndTheRunDirectoryAreRefusedAsRoot) {
  EXPECT_EQ(with_base("logs/"),
            (Lines{"E " + would_serve("logs/", "the access log (/logs/access.log)"),
                   "E " + would_serve("logs/", "the error log (/logs/error.log)")}));
  EXPECT_EQ(with_base("run/"), Lines{"E " + would_serve("run/", "the run directory (/run/)")});
  EXPECT_EQ(with_base("run/", false),
            Lines{"W " + would_serve("run/", "the run directory (/run/)")});
  config_.server.error_log = "var/log/error";
  EXPECT_EQ(with_base("./var//"),
            Lines{"E " + would_serve("./var//", "the error log (var/log/error)")});
}

TEST_F(Exposure, LinksDoNotHideIt) {
  ::symlink("../run", (folder_ / "www/state").c_str());
  ::symlink("/run", (folder_ / "absolute").c_str());  // absolute in the chroot
  ::symlink("www/../.", (folder_ / "everything").c_str());
  EXPECT_EQ(with_base("www/state/").size(), 1u);
  EXPECT_EQ(with_base("absolute/").size(), 1u);
  EXPECT_EQ(with_base("everything/").size(), 4u);
  // The other way round: what is configured is a link into the served folder.
  ::symlink("www", (folder_ / "later").c_str());
  config_.server.access_log = "/later/access.log";
  EXPECT_EQ(with_base("www/"),
            Lines{"E " + would_serve("www/", "the access log (/later/access.log)")});
}

TEST_F(Exposure, KeysAreRefused) {
  const std::string key = folder_ / "keys/server.key";
  folder_.write("keys/server.key", "x");
  ASSERT_TRUE(config_.settings.set("curve.key_file", key).ok());
  EXPECT_EQ(with_base("keys/"),
            Lines{"E " + would_serve("keys/", "the secret key of curve.key_file (" + key + ")")});
}

TEST_F(Exposure, TheConfigurationIsOnlyWarnedOfForItIsNeverServed) {
  EXPECT_EQ(with_base("db/"),
            Lines{"W directory row 7, base \"db/\": the configuration (" + database_ +
                  ") lies in it; it is not served, but keep them "
                  "apart"});
}

TEST_F(Exposure, ADatabaseThatEverybodyMayChange) {
  const auto found = [this] {
    Findings findings;
    check_database_file(database_, findings);
    return lines_of(findings);
  };
  EXPECT_EQ(found(), Lines{});
  ::chmod(database_.c_str(), 0666);
  const std::string line = "database " + database_ +
                           ": everybody may write to it, and so decide what the server does; "
                           "chmod o-w it";
  EXPECT_EQ(found(), Lines{"W " + line});
  ::chmod(database_.c_str(), 0644);
  ::chmod((folder_ / "db").c_str(), 0777);
  ASSERT_EQ(found().size(), 1u);
  EXPECT_NE(found()[0].find("W database"), std::string::npos);
  EXPECT_NE(found()[0].find("everybody may write to " + (folder_ / "db")), std::string::npos);
}

}  // namespace
}  // namespace m2
