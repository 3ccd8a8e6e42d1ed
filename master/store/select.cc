// Looks at every server row, but reports nothing about rows that are not meant.
#include "master/store/select.h"

#include <string>
#include <vector>

#include "common/in_quotes.h"

namespace m2 {
namespace {

struct Candidate {
  int64_t id = 0;
  std::string uuid, name, default_host;
};

// "UUID (name "test", default_host "localhost"), ...", at most ten.
std::string list(const std::vector<Candidate>& candidates) {
  constexpr size_t kListed = 10;
  std::string text;
  for (size_t at = 0; at < candidates.size(); ++at) {
    if (at > 0) text += ", ";
    if (at == kListed) return text + "and " + std::to_string(candidates.size() - at) + " more";
    const Candidate& one = candidates[at];
    text += in_quotes(one.uuid) + " (name " + in_quotes(one.name) + ", default_host " +
            in_quotes(one.default_host) + ")";
  }
  return text;
}

}  // namespace

std::optional<int64_t> select_server(ReadContext& context, std::string_view server) {
  std::vector<Candidate> all, by_uuid, by_name;
  RowReader row(context, kServerTable);
  while (row.next()) {
    Candidate one{row.id(), row.peek("uuid"), row.peek("name"), row.peek("default_host")};
    if (!server.empty() && one.uuid == server) by_uuid.push_back(one);
    if (!server.empty() && (one.name == server || one.default_host == server)) {
      by_name.push_back(one);
    }
    all.push_back(std::move(one));
  }
  if (context.failed) return std::nullopt;
  const std::vector<Candidate>& meant = by_uuid.empty() ? by_name : by_uuid;
  if (meant.size() == 1) return meant.front().id;

  if (all.empty()) {
    context.findings.error("table server", "has no rows; load a configuration with m2sh config");
  } else if (meant.empty()) {
    context.findings.error("table server", "no row has uuid, name or default_host " +
                                               in_quotes(server) + "; give one of: " + list(all));
  } else if (by_uuid.size() > 1) {
    context.findings.error("table server", std::to_string(by_uuid.size()) + " rows have uuid " +
                                               in_quotes(server) + "; give each its own");
  } else {
    context.findings.error("table server", in_quotes(server) + " means " +
                                               std::to_string(meant.size()) +
                                               " servers; give the uuid of one: " + list(meant));
  }
  return std::nullopt;
}

}  // namespace m2
