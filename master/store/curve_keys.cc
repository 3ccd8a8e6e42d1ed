#include "master/store/curve_keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "common/in_quotes.h"
#include "common/owned_fd.h"

namespace m2 {
namespace {

constexpr size_t kKeyChars = 40;          // 32 bytes in Z85 (ZeroMQ RFC 32)
constexpr off_t kFileBytesMax = 1 << 20;  // more than 10,000 keys with comments
constexpr mode_t kOthers = S_IRWXG | S_IRWXO;

bool is_key(std::string_view word) {
  constexpr std::string_view kZ85 =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
  return word.size() == kKeyChars && word.find_first_not_of(kZ85) == std::string_view::npos;
}

std::string place_of(std::string_view key, const std::string& path) {
  return "setting " + std::string(key) + " " + in_quotes(path);
}

Result<std::string> read_file(const std::string& path, bool secret) {
  OwnedFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info;
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) {
    return Status::from_errno("cannot be read", errno);
  }
  if (!S_ISREG(info.st_mode)) return Status::error("is no file; m2sh keys makes one");
  if (secret && (info.st_mode & kOthers) != 0) {
    return Status::error("can be read by others than its owner; chmod 600");
  }
  if (info.st_size > kFileBytesMax) return Status::error("is above 1 MB, which no key file is");
  std::string text(static_cast<size_t>(info.st_size), '\0');
  const ssize_t count = ::read(fd.get(), text.data(), text.size());
  if (count < 0) return Status::from_errno("cannot be read", errno);
  text.resize(static_cast<size_t>(count));
  return text;
}

// One key a line; blanks around it, empty lines and lines that begin with "# " do not matter. What
// stands behind a key is for people.
std::vector<std::string> read_keys(std::string_view key, const std::string& path, bool secret,
                                   Findings& findings) {
  std::vector<std::string> keys;
  const Result<std::string> text = read_file(path, secret);
  if (!text.ok()) {
    findings.error(place_of(key, path), text.message());
    return keys;
  }
  std::string_view rest = text.value();
  for (unsigned number = 1; !rest.empty(); ++number) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(" \t\r")));
    if (line.empty() || line.starts_with("# ")) continue;
    const std::string_view word = line.substr(0, line.find_first_of(" \t\r"));
    if (!is_key(word)) {
      findings.error(place_of(key, path) + ", line " + std::to_string(number),
                     "is no CURVE key, which has 40 characters; m2sh keys makes one");
      return keys;
    }
    keys.emplace_back(word);
  }
  return keys;
}

}  // namespace

void read_curve_keys(const Settings& settings, CurveKeys& keys, Findings& findings) {
  constexpr std::string_view kServer = "curve.key_file", kClients = "curve.clients_file";
  const std::string& server = settings.text(kServer);
  const std::string& clients = settings.text(kClients);
  if (server.empty()) {
    if (clients.empty()) return;
    return findings.error(place_of(kClients, clients),
                          "has no effect without the server's own key: set curve.key_file too");
  }
  if (clients.empty()) {
    return findings.error(place_of(kServer, server),
                          "nobody may connect without curve.clients_file, the file with the public "
                          "keys of the handlers");
  }
  const std::vector<std::string> own = read_keys(kServer, server, true, findings);
  if (own.size() == 1) {
    keys.secret = own[0];
  } else if (!findings.has_error()) {
    findings.error(
        place_of(kServer, server),
        "must hold one key, the server's secret one; it holds " + std::to_string(own.size()));
  }
  keys.clients = read_keys(kClients, clients, false, findings);
}

}  // namespace m2
