// Rules of hosts and routes. The only file of the store that compiles patterns.
#include <string>
#include <unordered_map>

#include "common/in_quotes.h"
#include "master/store/check.h"
#include "proto/route/pattern.h"
#include "proto/route/pattern_advice.h"

namespace m2 {
namespace {

void check_host_matching(const HostRow& host, Findings& findings) {
  const std::string place = at_cell("host", host.id, "matching", host.matching);
  // Up to the last ')' a pattern, behind it a literal suffix (HostMap does the same).
  const size_t open = host.matching.find('(');
  if (open == std::string::npos) return;
  const size_t close = host.matching.rfind(')');
  if (close == std::string::npos || close < open) {
    findings.error(place,
                   "has '(' without ')'; write the pattern in parentheses and behind them "
                   "the end of the names, as in \"(.*).example.org\"");
    return;
  }
  const std::string_view text = std::string_view(host.matching).substr(0, close + 1);
  const Result<Pattern> pattern = Pattern::compile(text);
  if (!pattern.ok()) return findings.error(place, pattern.message());
  if (const std::string advice = pattern_advice(text); !advice.empty()) {
    return findings.warn(place, advice);
  }
  if (host.matching.find_first_of("$*^|", close) != std::string::npos) {
    findings.warn(place,
                  "ends behind its last ')' in what no name has, so it never matches; a pattern in "
                  "parentheses and the plain end of the names match whole names");
  }
}

void check_host(const Config& config, const HostRow& host, Findings& findings) {
  const auto limit = static_cast<size_t>(config.settings.number("limits.host_name"));
  const auto check_length = [&](std::string_view column, const std::string& value) {
    if (value.size() < limit) return;
    findings.error(at_cell("host", host.id, column, value),
                   "must be shorter than limits.host_name (" + std::to_string(limit) +
                       " bytes); shorten it or raise that");
  };
  check_length("name", host.name);
  if (host.matching != host.name) check_length("matching", host.matching);
  if (host.matching.empty()) {
    findings.error(at_cell("host", host.id, "name", ""),
                   "name and matching are both empty; write the host's name");
  }
  check_host_matching(host, findings);
  if (host.routes.empty()) {
    findings.warn(at_cell("host", host.id, "name", host.name),
                  "has no routes, every request to it is answered 404; add a route or remove it");
  }
}

void check_route(const Config& config, const RouteRow& route, Findings& findings) {
  const std::string place = at_cell("route", route.id, "path", route.path);
  const std::string_view path = route.path;
  const size_t open = path.find('(');
  const std::string_view prefix = path.substr(0, open);
  if (open != std::string_view::npos) {
    const Result<Pattern> pattern = Pattern::compile(path.substr(open));
    const std::string advice = pattern_advice(path.substr(open));
    if (!pattern.ok()) {
      findings.error(place, pattern.message());
    } else if (!advice.empty()) {
      findings.warn(place, advice);
    }
  }
  if (!prefix.empty() && std::string_view("/@<").find(prefix.front()) == std::string_view::npos) {
    findings.warn(place, "no request begins like this, so it never matches; write " +
                             in_quotes("/" + route.path));
  }
  const auto path_limit = static_cast<size_t>(config.settings.number("limits.url_path"));
  if (prefix.size() > path_limit) {
    findings.warn(place, "is longer than limits.url_path (" + std::to_string(path_limit) +
                             " bytes), so it never matches; shorten it or raise that");
  }
  const auto dir_limit = static_cast<size_t>(config.settings.number("limits.dir_max_path"));
  if (route.kind == TargetKind::kDir && prefix.size() >= dir_limit) {
    findings.error(place, "leads to a directory and must be shorter than limits.dir_max_path (" +
                              std::to_string(dir_limit) + " bytes); shorten it or raise that");
  }
}

// Of what is written twice only the first ever answers.
void warn_if_repeated(std::unordered_map<std::string_view, int64_t>& seen, std::string_view value,
                      int64_t row, const std::string& place, std::string_view where,
                      Findings& findings) {
  const auto first = seen.try_emplace(value, row);
  if (first.second) return;
  findings.warn(place,
                "row " + std::to_string(first.first->second) + " " + std::string(where) +
                    " has the same and answers first, so this one never matches; remove one");
}

}  // namespace

void check_hosts(const Config& config, Findings& findings) {
  std::unordered_map<std::string_view, int64_t> matchings;
  for (const HostRow& host : config.hosts) {
    check_host(config, host, findings);
    warn_if_repeated(matchings, host.matching, host.id,
                     at_cell("host", host.id, "matching", host.matching), "of this server",
                     findings);
    std::unordered_map<std::string_view, int64_t> paths;
    for (const RouteRow& route : host.routes) {
      check_route(config, route, findings);
      warn_if_repeated(paths, route.path, route.id, at_cell("route", route.id, "path", route.path),
                       "of this host", findings);
    }
  }
}

}  // namespace m2
