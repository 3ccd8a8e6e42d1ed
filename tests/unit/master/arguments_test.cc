// Goal: the two-argument form of 1.x and every option are understood, everything else is refused.
#include "master/arguments.h"

#include <gtest/gtest.h>

#include <vector>

namespace m2 {
namespace {

using Command = Arguments::Command;

Result<Arguments> parse(const std::vector<const char*>& words) { return parse_arguments(words); }

TEST(Arguments, TwoArgumentsServe) {
  const Result<Arguments> arguments = parse({"config.sqlite", "localhost"});
  ASSERT_TRUE(arguments.ok()) << arguments.message();
  EXPECT_EQ(arguments.value().command, Command::kServe);
  EXPECT_EQ(arguments.value().database, "config.sqlite");
  EXPECT_EQ(arguments.value().server, "localhost");
  EXPECT_EQ(arguments.value().workers, 0u);
}

TEST(Arguments, WorkersBeforeOrAfter) {
  for (const auto& words : std::vector<std::vector<const char*>>{
           {"-w", "4", "config.sqlite", "test"}, {"config.sqlite", "test", "-w", "4"}}) {
    const Result<Arguments> arguments = parse(words);
    ASSERT_TRUE(arguments.ok()) << arguments.message();
    EXPECT_EQ(arguments.value().workers, 4u);
    EXPECT_EQ(arguments.value().server, "test");
  }
}

TEST(Arguments, Commands) {
  EXPECT_EQ(parse({"--check", "a", "b"}).value().command, Command::kCheck);
  EXPECT_EQ(parse({"--settings"}).value().command, Command::kSettings);
  EXPECT_EQ(parse({"--version"}).value().command, Command::kVersion);
  EXPECT_EQ(parse({"--help"}).value().command, Command::kHelp);
}

TEST(Arguments, Refused) {
  for (const auto& words :
       std::vector<std::vector<const char*>>{{},
                                             {"config.sqlite"},
                                             {"config.sqlite", "test", "module.so"},
                                             {"--check", "config.sqlite"},
                                             {"--check"},
                                             {"--version", "x"},
                                             {"--settings", "a", "b"},
                                             {"-x", "a", "b"},
                                             {"-w"},
                                             {"-w", "0", "a", "b"},
                                             {"-w", "65", "a", "b"},
                                             {"-w", "2x", "a", "b"},
                                             {"-w", "-1", "a", "b"},
                                             {"-w", "", "a", "b"}}) {
    EXPECT_FALSE(parse(words).ok());
  }
}

}  // namespace
}  // namespace m2
