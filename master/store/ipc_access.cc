#include "master/store/ipc_access.h"

#include <grp.h>
#include <pwd.h>

#include <charconv>
#include <optional>
#include <string>

#include "common/in_quotes.h"

namespace m2 {
namespace {

constexpr uint32_t kPermissions = 0777;

std::optional<uint32_t> number_in(std::string_view text, int base) {
  uint32_t number = 0;
  const char* end = text.data() + text.size();
  const auto [used, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc() || used != end) return {};
  return number;
}

std::optional<uint32_t> user_id(const std::string& name) {
  if (const passwd* entry = ::getpwnam(name.c_str())) return entry->pw_uid;
  return number_in(name, 10);
}

std::optional<uint32_t> group_id(const std::string& name) {
  if (const group* entry = ::getgrnam(name.c_str())) return entry->gr_gid;
  return number_in(name, 10);
}

}  // namespace

void read_ipc_access(const Settings& settings, IpcAccess& access, Findings& findings) {
  const std::string& mode = settings.text("handler.ipc_mode");
  const std::optional<uint32_t> bits = number_in(mode, 8);
  if (bits && *bits <= kPermissions) {
    access.mode = *bits;
  } else {
    findings.error("setting handler.ipc_mode " + in_quotes(mode),
                   "must be the permissions of a file, in octal, as in \"0660\"");
  }
  const std::string& owner = settings.text("handler.ipc_owner");
  if (owner.empty()) return;
  const size_t colon = owner.find(':');
  const std::string user = owner.substr(0, colon);
  const std::string group = colon == std::string::npos ? "" : owner.substr(colon + 1);
  const auto look_up = [&](const std::string& name, auto find, uint32_t& id) {
    if (name.empty()) return;
    if (const std::optional<uint32_t> found = find(name)) {
      id = *found;
    } else {
      findings.error(
          "setting handler.ipc_owner " + in_quotes(owner),
          "there is no " + in_quotes(name) + " on this system; write USER, USER:GROUP or :GROUP");
    }
  };
  look_up(user, user_id, access.uid);
  look_up(group, group_id, access.gid);
}

}  // namespace m2
