#include "master/author.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "master/endpoint.h"

namespace m2 {
namespace {

// What fits into a message; a user in more has the first of them.
constexpr size_t kGroupsMax = 1000;
// A web server is started as root to have these.
constexpr uint16_t kPortsOfTheWeb[] = {80, 443};

std::optional<uint32_t> take_number(std::string_view& text) {
  uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != ' ') return std::nullopt;
  text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()) + 1);
  return number;
}

// False: only root may bind it.
bool may_bind(const std::string& spec, const Author& author, bool web) {
  const Result<Endpoint> endpoint = parse_endpoint(spec);
  if (!endpoint.ok() || !endpoint.value().path.empty()) return true;  // files: as the jail's user
  const uint16_t port = endpoint.value().port;
  if (port >= author.free_port) return true;
  return web && std::find(std::begin(kPortsOfTheWeb), std::end(kPortsOfTheWeb), port) !=
                    std::end(kPortsOfTheWeb);
}

}  // namespace

bool Author::has_group(gid_t group) const {
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

std::string write_author(const Author& author) {
  const size_t count = std::min(author.groups.size(), kGroupsMax);
  std::string text = std::to_string(author.bounded ? 1 : 0) + ' ' + std::to_string(author.uid) +
                     ' ' + std::to_string(author.free_port) + ' ' + std::to_string(count) + ' ';
  for (size_t i = 0; i < count; ++i) text += std::to_string(author.groups[i]) + ' ';
  return text + author.who.substr(0, kMessageTextMax / 2);
}

Result<Author> read_author(std::string_view text) {
  const auto bounded = take_number(text), uid = take_number(text), port = take_number(text),
             count = take_number(text);
  if (!bounded || *bounded > 1 || !uid || !port || !count || *count > kGroupsMax) {
    return Status::error("the author of the database is not readable");
  }
  Author author{*bounded == 1, *uid, {}, *port, {}};
  for (uint32_t i = 0; i < *count; ++i) {
    const auto group = take_number(text);
    if (!group) return Status::error("the author's groups are not readable");
    author.groups.push_back(*group);
  }
  if (author.bounded && (author.uid == 0 || author.groups.empty())) {
    return Status::error("the author of the database is nobody");
  }
  author.who = text;
  return author;
}

std::string way_out(const Author& author) {
  return "; " + author.who +
         ", decides what the database says and gets no more than his own rights from it; give the "
         "database to root (chown root) in a folder that, with all above it, only root may write "
         "to";
}

std::vector<std::string> beyond_rights(const Plan& plan, const Author& author) {
  std::vector<std::string> faults;
  if (!author.bounded) return faults;
  const auto refuse = [&](const std::string& what) { faults.push_back(what + way_out(author)); };
  if (plan.allow_root) refuse("setting allow_root: asks for root's rights");
  if (!plan.landlock) refuse("setting jail.landlock: asks for less than the whole jail");
  if (!plan.seccomp) refuse("setting jail.seccomp: asks for less than the whole jail");
  const bool other_user = plan.ipc.uid != IpcAccess::kSame && plan.ipc.uid != author.uid;
  const bool other_group = plan.ipc.gid != IpcAccess::kSame && !author.has_group(plan.ipc.gid);
  if (other_user || other_group) {
    refuse("setting handler.ipc_owner: only root can give files to others");
  }
  for (const PlanListener& listener : plan.listeners) {
    if (may_bind(listener.spec, author, true)) continue;
    refuse(listener.spec + ": clients come in at ports 80, 443 and from " +
           std::to_string(author.free_port) + " on, all others are root's");
  }
  std::vector<std::string> endpoints = plan.endpoints;
  if (!plan.control_port.empty()) endpoints.push_back(plan.control_port);
  for (const std::string& endpoint : endpoints) {
    if (may_bind(endpoint, author, false)) continue;
    refuse(endpoint + ": ports below " + std::to_string(author.free_port) + " are root's");
  }
  return faults;
}

}  // namespace m2
