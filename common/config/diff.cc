#include "common/config/diff.h"

#include <algorithm>
#include <map>
#include <set>
#include <variant>
#include <vector>

namespace m2 {
namespace {

constexpr size_t kNamesMax = 5;

// What a route leads to, whatever number its row has.
using Content = std::variant<DirRow, ProxyRow, HandlerRow>;

Content content_of(const Config& config, const RouteRow& route) {
  const auto without_id = [](auto row) {
    row.id = 0;
    return Content(std::move(row));
  };
  switch (route.kind) {
    case TargetKind::kDir:
      return without_id(config.dirs[route.target]);
    case TargetKind::kProxy:
      return without_id(config.proxies[route.target]);
    case TargetKind::kHandler:
      break;
  }
  return without_id(config.handlers[route.target]);
}

// By host and path.
using Routes = std::map<std::pair<std::string_view, std::string_view>, const RouteRow*>;

Routes routes_of(const Config& config) {
  Routes routes;
  for (const HostRow& host : config.hosts) {
    for (const RouteRow& route : host.routes) {
      routes[{host.name, route.path}] = &route;
    }
  }
  return routes;
}

class Words {
 public:
  void count(size_t number, const char* noun, const char* what) {
    if (number == 0) return;
    add(std::to_string(number) + " " + noun + (number == 1 ? " " : "s ") + what);
  }
  void names(const std::set<std::string>& keys, const std::string& noun) {
    if (keys.empty()) return;
    std::string text = noun + (keys.size() == 1 ? " " : "s ");
    size_t named = 0;
    for (const std::string& key : keys) {
      if (named == kNamesMax) break;
      text += (named++ == 0 ? "" : " ") + key;
    }
    if (keys.size() > named) text += " and " + std::to_string(keys.size() - named) + " more";
    add(text + " changed");
  }
  std::string take() { return text_.empty() ? "nothing changed" : std::move(text_); }

 private:
  void add(const std::string& words) { text_ += (text_.empty() ? "" : ", ") + words; }
  std::string text_;
};

void compare_hosts(const Config& before, const Config& after, Words& words) {
  const auto names = [](const Config& config) {
    std::map<std::string_view, std::string_view> all;
    for (const HostRow& host : config.hosts) all[host.name] = host.matching;
    return all;
  };
  const auto old_hosts = names(before), new_hosts = names(after);
  size_t added = 0, changed = 0, removed = 0;
  for (const auto& [name, matching] : new_hosts) {
    const auto found = old_hosts.find(name);
    added += found == old_hosts.end();
    changed += found != old_hosts.end() && found->second != matching;
  }
  for (const auto& [name, matching] : old_hosts) removed += !new_hosts.contains(name);
  words.count(added, "host", "added");
  words.count(changed, "host", "changed");
  words.count(removed, "host", "removed");
}

void compare_routes(const Config& before, const Config& after, Words& words) {
  const Routes old_routes = routes_of(before), new_routes = routes_of(after);
  size_t added = 0, changed = 0, removed = 0;
  for (const auto& [key, route] : new_routes) {
    const auto found = old_routes.find(key);
    if (found == old_routes.end()) {
      ++added;
    } else if (found->second->timeout_ms != route->timeout_ms ||
               content_of(before, *found->second) != content_of(after, *route)) {
      ++changed;
    }
  }
  for (const auto& [key, route] : old_routes) removed += !new_routes.contains(key);
  words.count(added, "route", "added");
  words.count(changed, "route", "changed");
  words.count(removed, "route", "removed");
}

std::set<std::string> changed_settings(const Settings& before, const Settings& after) {
  std::set<std::string> keys;
  const auto look = [&keys](const auto& these, const auto& those) {
    for (const auto& [key, value] : these) {
      const auto found = those.find(key);
      if (found == those.end() || found->second != value) keys.insert(key);
    }
  };
  look(before.explicit_values(), after.explicit_values());
  look(after.explicit_values(), before.explicit_values());
  return keys;
}

std::set<std::string> changed_columns(const ServerRow& before, const ServerRow& after) {
  std::set<std::string> columns;
  const auto compare = [&columns](const auto& a, const auto& b, const char* column) {
    if (a != b) columns.insert(column);
  };
  compare(before.name, after.name, "name");
  compare(before.access_log, after.access_log, "access_log");
  compare(before.error_log, after.error_log, "error_log");
  compare(before.error_log_level, after.error_log_level, "error_log_level");
  compare(before.default_host, after.default_host, "default_host");
  compare(before.bind_addr, after.bind_addr, "bind_addr");
  compare(before.port, after.port, "port");
  compare(before.control_port, after.control_port, "control_port");
  return columns;
}

bool same_types(const Config& before, const Config& after) {
  return std::equal(before.mimetypes.begin(), before.mimetypes.end(), after.mimetypes.begin(),
                    after.mimetypes.end(), [](const MimeRow& a, const MimeRow& b) {
                      return a.extension == b.extension && a.type == b.type;
                    });
}

}  // namespace

std::string describe_changes(const Config& before, const Config& after) {
  Words words;
  compare_hosts(before, after, words);
  compare_routes(before, after, words);
  words.names(changed_columns(before.server, after.server), "server column");
  words.names(changed_settings(before.settings, after.settings), "setting");
  if (!same_types(before, after)) words.names({"mimetype"}, "table");
  return words.take();
}

}  // namespace m2
