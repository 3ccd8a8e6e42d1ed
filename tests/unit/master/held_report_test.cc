// The verdict waits for those that retire, and for nobody else.
#include "master/held_report.h"

#include <gtest/gtest.h>

namespace m2 {
namespace {

std::string line_of(HeldAs kind, bool stays) {
  HeldClients held;
  held.add(kind, stays);
  return held.line();
}

TEST(HeldReportTest, NobodyRetires) {
  Loop loop;
  HeldReport report(loop);
  report.begin();
  report.swapped(line_of(HeldAs::kWebSocket, true));
  report.swapped("");  // the relay has no clients
  int said = 0;
  report.when_complete([&] { ++said; });
  EXPECT_EQ(said, 1);
  EXPECT_EQ(report.text(), "1 of 1 WebSockets stay");
}

TEST(HeldReportTest, WaitsForAllThatRetire) {
  Loop loop;
  HeldReport report(loop);
  report.begin();
  report.await(7);
  report.await(8);
  int said = 0;
  report.when_complete([&] { ++said; });
  report.retiring(9, line_of(HeldAs::kRequest, true));  // nobody waits for it
  report.retiring(7, line_of(HeldAs::kWebSocket, false));
  EXPECT_EQ(said, 0);
  report.gone(8);
  EXPECT_EQ(said, 1);
  EXPECT_EQ(report.text(), "0 of 1 WebSockets stay");
  report.gone(8);
  EXPECT_EQ(said, 1);
}

TEST(HeldReportTest, NotForEver) {
  Loop loop;
  HeldReport report(loop);
  report.begin();
  report.await(7);
  int said = 0;
  report.when_complete([&] {
    ++said;
    loop.stop();
  });
  loop.run();
  EXPECT_EQ(said, 1);
}

TEST(HeldReportTest, TheNextReloadWaitsForNoVerdict) {
  Loop loop;
  HeldReport report(loop);
  report.await(7);
  int said = 0;
  report.when_complete([&] { ++said; });
  report.begin();
  EXPECT_EQ(said, 1);
  EXPECT_EQ(report.text(), "");
  report.await(8);
  report.when_complete([&] { ++said; });
  report.give_up();
  report.gone(8);
  EXPECT_EQ(said, 1);
}

}  // namespace
}  // namespace m2
