// Goal: what docs/routing.md says is so. Method: its lists of routes and hosts are loaded and every
// row of its tables is tried. Runs in the top folder, as `make unit` does.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "proto/route/pattern.h"
#include "proto/route/route_map.h"

namespace m2 {
namespace {

// The page, taken apart: lists by the name behind their ```, tables by the first word of their
// head.
struct Page {
  std::map<std::string, std::vector<std::string>> lists;
  std::map<std::string, std::vector<std::vector<std::string>>> tables;
};

// "| `a` | b |" to "a", "b".
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  for (size_t at = 1; at < line.size();) {
    const size_t end = line.find('|', at);
    std::string cell = line.substr(at, end - at);
    cell.erase(0, cell.find_first_not_of(' '));
    cell.erase(cell.find_last_not_of(' ') + 1);
    if (cell.size() >= 2 && cell.front() == '`' && cell.find('`', 1) == cell.size() - 1) {
      cell = cell.substr(1, cell.size() - 2);
    }
    cells.push_back(cell);
    at = end == std::string::npos ? line.size() : end + 1;
  }
  return cells;
}

Page read_page() {
  std::ifstream file("docs/routing.md");
  EXPECT_TRUE(file.is_open()) << "docs/routing.md: run the tests in the top folder";
  Page page;
  std::string list, table;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("```")) {
      list = line.substr(3);
    } else if (!list.empty()) {
      page.lists[list].push_back(line);
    } else if (!line.starts_with("|")) {
      table.clear();
    } else if (table.empty()) {
      table = cells_of(line)[0];
    } else if (!line.starts_with("|---")) {
      page.tables[table].push_back(cells_of(line));
    }
  }
  return page;
}

template <typename Map>
void check(const std::string& list, const std::string& table, const std::string& nothing) {
  Page page = read_page();
  const std::vector<std::string>& entries = page.lists[list];
  Map map;
  for (uint32_t i = 0; i < entries.size(); ++i) {
    const Status status = map.add(entries[i], i);
    ASSERT_TRUE(status.ok()) << status.message();
  }
  ASSERT_GT(page.tables[table].size(), 10u);
  for (const std::vector<std::string>& row : page.tables[table]) {
    const uint32_t found = map.find(row[0]);
    EXPECT_EQ(found == Map::kNone ? nothing : entries[found], row[1]) << row[0];
  }
}

TEST(RoutingDoc, Routes) { check<RouteMap>("routes", "Path", "404"); }

TEST(RoutingDoc, Hosts) { check<HostMap>("hosts", "Host", "default"); }

TEST(RoutingDoc, Patterns) {
  Page page = read_page();
  ASSERT_GT(page.tables["Pattern"].size(), 20u);
  for (const std::vector<std::string>& row : page.tables["Pattern"]) {
    const Result<Pattern> pattern = Pattern::compile(row[0]);
    ASSERT_TRUE(pattern.ok()) << pattern.message();
    EXPECT_EQ(pattern.value().matches(row[1]) ? "yes" : "no", row[2]) << row[0] << ' ' << row[1];
  }
}

}  // namespace
}  // namespace m2
