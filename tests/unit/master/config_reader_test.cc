// Goal: whatever the reader does, says or fails to say, the master ends with a plan or a reason, in
// bounded time. Method: bodies that behave well and badly, in real child processes.
#include "master/config_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "common/sealed_memory.h"
#include "master/config_child.h"
#include "tests/unit/master/scratch_folder.h"

namespace m2 {
namespace {

constexpr unsigned kLongMs = 30'000;

Message finding(bool error, const std::string& text) {
  Message message;
  message.type = MessageType::kFinding;
  message.number = error ? 1 : 0;
  message.text = text;
  return message;
}

Message plan_message(const std::string& plan_bytes) {
  Message message;
  message.type = MessageType::kPlan;
  message.descriptors.push_back(seal_bytes("plan", plan_bytes).value());
  message.descriptors.push_back(seal_bytes("image", "the image").value());
  return message;
}

Message author_message(const Author& author = {}) {
  Message message;
  message.type = MessageType::kAuthor;
  message.text = write_author(author);
  return message;
}

Message refusal() {
  Message message;
  message.type = MessageType::kRefused;
  return message;
}

// A plan comes behind the word who decides it.
int say(int channel, const Message& message) {
  if (message.type == MessageType::kPlan && !send_and_wait(channel, author_message()).ok())
    return 1;
  return send_and_wait(channel, message).ok() ? 0 : 1;
}

TEST(ConfigReader, HandsOnPlanImageAndWarnings) {
  Plan plan;
  plan.uuid = "u-1";
  plan.listeners = {{"tcp://127.0.0.1:1"}};
  const Reading reading = read_once(
      [&](int channel) {
        say(channel, finding(false, "host row 3 is odd"));
        return say(channel, plan_message(write_plan(plan)));
      },
      {}, kLongMs);
  ASSERT_TRUE(reading.plan);
  EXPECT_EQ(*reading.plan, plan);
  ASSERT_EQ(reading.findings.size(), 1u);
  EXPECT_FALSE(reading.findings[0].error);
  EXPECT_EQ(reading.findings[0].text, "host row 3 is odd");
  const Result<SealedView> image = SealedView::map(reading.image.get(), 100);
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(image.value().bytes(), "the image");
}

TEST(ConfigReader, HandsOnErrors) {
  const Reading reading = read_once(
      [](int channel) {
        say(channel, finding(false, "a warning"));
        say(channel, finding(true, "the first error"));
        say(channel, finding(true, "the second error"));
        return say(channel, refusal());
      },
      {}, kLongMs);
  EXPECT_FALSE(reading.plan);
  EXPECT_EQ(reading.findings.size(), 3u);
  EXPECT_EQ(reading.errors(), "the first error; also: the second error");
}

TEST(ConfigReader, RefusalWithoutReasonStillHasOne) {
  const Reading reading =
      read_once([](int channel) { return say(channel, refusal()); }, {}, kLongMs);
  EXPECT_FALSE(reading.plan);
  EXPECT_FALSE(reading.errors().empty());
}

TEST(ConfigReader, CrashIsARefusalWithItsReason) {
  const Reading reading = read_once(
      [](int channel) {
        say(channel, finding(false, "said before"));
        ::signal(SIGSEGV, SIG_DFL);
        ::raise(SIGSEGV);
        return 0;
      },
      {}, kLongMs);
  EXPECT_FALSE(reading.plan);
  EXPECT_NE(reading.errors().find("killed by signal 11"), std::string::npos) << reading.errors();
}

TEST(ConfigReader, EndWithoutVerdictIsARefusal) {
  const Reading reading = read_once([](int) { return 3; }, {}, kLongMs);
  EXPECT_FALSE(reading.plan);
  EXPECT_NE(reading.errors().find("exited with status 3"), std::string::npos) << reading.errors();
}

TEST(ConfigReader, HangIsARefusal) {
  const Reading reading = read_once(
      [](int) {
        ::alarm(60);
        for (;;) ::pause();
        return 0;
      },
      {}, 50);
  EXPECT_FALSE(reading.plan);
  EXPECT_NE(reading.errors().find("too long"), std::string::npos);
}

// One that drops its channel and lives on must not keep the master waiting.
TEST(ConfigReader, SilentSurvivorIsKilled) {
  const Reading reading = read_once(
      [](int channel) {
        ::close(channel);
        ::alarm(60);
        for (;;) ::pause();
        return 0;
      },
      {}, kLongMs);
  EXPECT_FALSE(reading.plan);
  EXPECT_FALSE(reading.errors().empty());
}

TEST(ConfigReader, DamagedPlansAreRefused) {
  const std::string good = write_plan(Plan{});
  for (const std::string& bytes :
       {std::string(), std::string("garbage"), good.substr(0, good.size() - 1), good + "x"}) {
    const Reading reading =
        read_once([&](int channel) { return say(channel, plan_message(bytes)); }, {}, kLongMs);
    EXPECT_FALSE(reading.plan);
    EXPECT_FALSE(reading.errors().empty());
  }
}

TEST(ConfigReader, UnsealedOrMissingFilesAreRefused) {
  const Reading unsealed = read_once(
      [](int channel) {
        Message message = plan_message("");
        message.descriptors[0].reset(::memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING));
        return say(channel, message);
      },
      {}, kLongMs);
  EXPECT_FALSE(unsealed.plan);
  const Reading missing = read_once(
      [](int channel) {
        Message message = plan_message(write_plan(Plan{}));
        message.descriptors.pop_back();
        return say(channel, message);
      },
      {}, kLongMs);
  EXPECT_FALSE(missing.plan);
}

TEST(ConfigReader, ForeignMessagesAreRefusedAndNothingCountsAfterTheVerdict) {
  const Reading foreign = read_once(
      [](int channel) {
        Message message;
        message.type = MessageType::kSwapped;
        say(channel, message);
        return say(channel, plan_message(write_plan(Plan{})));
      },
      {}, kLongMs);
  EXPECT_FALSE(foreign.plan);
  const Reading late = read_once(
      [](int channel) {
        say(channel, refusal());
        return say(channel, plan_message(write_plan(Plan{})));
      },
      {}, kLongMs);
  EXPECT_FALSE(late.plan);
}

// Goal: no plan counts without its author, of whom the reader speaks once, and none that reaches
// beyond his rights; all that does is named.
TEST(ConfigReader, AuthorsAreNamedOnceAndBoundThePlan) {
  const Reading none = read_once(
      [](int channel) {
        return send_and_wait(channel, plan_message(write_plan(Plan{}))).ok() ? 0 : 1;
      },
      {}, kLongMs);
  EXPECT_FALSE(none.plan);
  EXPECT_NE(none.errors().find("no author"), std::string::npos);
  const Author zed{true, 1000, {1000}, 1024, "uid 1000 (zed), who owns /srv/site"};
  Plan wide;
  wide.allow_root = true;
  wide.seccomp = false;
  const auto read_with = [&](const std::vector<Author>& authors) {
    return read_once(
        [&](int channel) {
          for (const Author& author : authors) say(channel, author_message(author));
          return send_and_wait(channel, plan_message(write_plan(wide))).ok() ? 0 : 1;
        },
        {}, kLongMs);
  };
  const Reading bound = read_with({zed});
  EXPECT_FALSE(bound.plan);
  ASSERT_EQ(bound.findings.size(), 2u);
  EXPECT_NE(bound.findings[0].text.find("allow_root"), std::string::npos);
  EXPECT_NE(bound.findings[1].text.find("jail.seccomp"), std::string::npos);
  EXPECT_NE(bound.findings[1].text.find("who owns /srv/site"), std::string::npos);
  EXPECT_TRUE(read_with({Author{}}).plan);
  const Reading twice = read_with({zed, Author{}});
  EXPECT_FALSE(twice.plan);
  EXPECT_NE(twice.errors().find("second author"), std::string::npos);
}

TEST(ConfigReader, FloodOfFindingsIsBounded) {
  const Reading reading = read_once(
      [](int channel) {
        for (size_t i = 0; i < 3 * kFindingsMax; ++i) say(channel, finding(true, "wrong"));
        return say(channel, refusal());
      },
      {}, kLongMs);
  EXPECT_EQ(reading.findings.size(), kFindingsMax);
}

TEST(ConfigReader, ChildHasOnlyWhatItIsGiven) {
  const OwnedFd given(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const OwnedFd secret(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Reading reading = read_once(
      [&](int channel) {
        const bool right = ::fcntl(given.get(), F_GETFD) >= 0 && ::fcntl(secret.get(), F_GETFD) < 0;
        return say(channel, right ? plan_message(write_plan(Plan{})) : refusal());
      },
      {given.get()}, kLongMs);
  EXPECT_TRUE(reading.plan);
}

struct NoUser final : ReadingUser {
  void reading_done(Reading) override { FAIL(); }
};

TEST(ConfigReader, DestroyedWhileReadingLeavesNobody) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  Loop loop;
  NoUser user;
  {
    ConfigReader reader(
        loop,
        [](int) {
          ::alarm(60);
          for (;;) ::pause();
          return 0;
        },
        {ends[1]}, user);
    reader.start(kLongMs);
  }
  ::close(ends[1]);
  char byte;
  EXPECT_EQ(::read(ends[0], &byte, 1), 0);  // the child held the other end until it was killed
  ::close(ends[0]);
}

// ---- what runs in it

Reading read_real(const ReaderTask& task) {
  const Result<Origin> origin = Origin::remember();
  EXPECT_TRUE(origin.ok());
  const Origin& kept = origin.value();
  return read_once([&](int channel) { return read_configuration(task, kept, -1, channel); },
                   {kept.root.get(), kept.folder.get()}, kLongMs);
}

TEST(ConfigChild, MissingDatabaseIsAFinding) {
  const Reading reading = read_real({"/nonexistent/config.sqlite", "test", ::geteuid() == 0});
  EXPECT_FALSE(reading.plan);
  EXPECT_NE(reading.errors().find("/nonexistent/config.sqlite"), std::string::npos)
      << reading.errors();
}

TEST(ConfigChild, AsRootReadsWithTheRightsOfWhoCanChangeIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const ScratchFolder folder;
  ASSERT_EQ(::mkdir((folder / "private").c_str(), 0700), 0);
  folder.write("private/config.sqlite", "");
  ASSERT_EQ(::chown((folder / "private/config.sqlite").c_str(), 65534, 65534), 0);
  const Reading reading = read_real({folder / "private/config.sqlite", "test", true});
  EXPECT_FALSE(reading.plan);
  EXPECT_NE(reading.errors().find("uid 65534"), std::string::npos) << reading.errors();
}

}  // namespace
}  // namespace m2
