// Both ends of a plan: every field is a 4-byte little-endian length and that many bytes, numbers
// are decimal text, lists a count and their items. The master reads this, so there is nothing in
// it to interpret: one order, one form, and no byte left over.
#include "common/treaty/plan.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace m2 {
namespace {

constexpr std::string_view kMagic = "mongrel2 plan 1";
constexpr size_t kFieldBytesMax = 16 * 1024;
constexpr uint32_t kListItemsMax = 64 * 1024;

// The fields of a plan in their order, for both directions. Visitor: PlanWriter or PlanReader.
template <typename Visitor, typename PlanType>
void visit_fields(Visitor& visitor, PlanType& plan) {
  visitor.text(plan.uuid);
  visitor.text(plan.name);
  visitor.text(plan.chroot);
  visitor.text(plan.access_log);
  visitor.text(plan.error_log);
  visitor.text(plan.pid_file);
  visitor.number(plan.error_log_level, 3);
  visitor.number(plan.workers, 64);
  visitor.number(plan.daemonize, 1);
  visitor.number(plan.allow_root, 1);
  visitor.number(plan.landlock, 1);
  visitor.number(plan.seccomp, 1);
  visitor.text(plan.upload_folder);
  visitor.number(plan.drain_ms, std::numeric_limits<uint32_t>::max());
  visitor.number(plan.prepare_ms, std::numeric_limits<uint32_t>::max());
  visitor.number(plan.handlers_ms, std::numeric_limits<uint32_t>::max());
  visitor.text(plan.control_port);
  visitor.listeners(plan.listeners);
  visitor.number(plan.backlog, 65535);
  visitor.list(plan.endpoints);
  visitor.number(plan.ipc.mode, 0777);
  visitor.number(plan.ipc.uid, std::numeric_limits<uint32_t>::max());
  visitor.number(plan.ipc.gid, std::numeric_limits<uint32_t>::max());
  visitor.number(plan.file_limit, std::numeric_limits<uint32_t>::max());
  visitor.number(plan.heartbeat_ms, std::numeric_limits<uint32_t>::max());
  visitor.text(plan.changes);
}

class PlanWriter {
 public:
  void text(std::string_view value) {
    for (int shift = 0; shift < 32; shift += 8) {
      out_ += static_cast<char>(value.size() >> shift & 0xFF);
    }
    out_ += value;
  }
  void number(uint64_t value, uint64_t /*most*/) { text(std::to_string(value)); }
  void list(const std::vector<std::string>& items) {
    number(items.size(), kListItemsMax);
    for (const std::string& item : items) text(item);
  }
  void listeners(const std::vector<PlanListener>& items) {
    number(items.size(), kListItemsMax);
    for (const PlanListener& item : items) {
      text(item.spec);
      number(item.mode, 0777);
      number(item.proxy_protocol, 1);
    }
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// After the first thing wrong every field is empty; status() has the reason.
class PlanReader {
 public:
  explicit PlanReader(std::string_view bytes) : rest_(bytes) {}

  void text(std::string& value) { value = field(); }

  template <typename Number>
  void number(Number& value, uint64_t most) {
    const std::string_view digits = field();
    uint64_t parsed = 0;
    const char* end = digits.data() + digits.size();
    const auto result = std::from_chars(digits.data(), end, parsed);
    if (result.ec != std::errc() || result.ptr != end || parsed > most) fail("a bad number");
    value = status_.ok() ? static_cast<Number>(parsed) : Number{};
  }

  void list(std::vector<std::string>& items) {
    uint32_t count = 0;
    number(count, kListItemsMax);
    for (uint32_t at = 0; at < count && status_.ok(); ++at) items.emplace_back(field());
  }

  void listeners(std::vector<PlanListener>& items) {
    uint32_t count = 0;
    number(count, kListItemsMax);
    for (uint32_t at = 0; at < count && status_.ok(); ++at) {
      PlanListener& item = items.emplace_back();
      text(item.spec);
      number(item.mode, 0777);
      number(item.proxy_protocol, 1);
    }
  }

  void magic() {
    if (field() != kMagic) fail("not a plan of this version");
  }
  void end() {
    if (!rest_.empty()) fail("bytes after its end");
  }
  void fail(std::string_view what) {
    if (status_.ok()) status_ = Status::error("plan: " + std::string(what));
    rest_ = {};
  }
  Status take_status() { return std::move(status_); }

 private:
  std::string_view field() {
    if (rest_.size() < 4) {
      fail("it ends too early");
      return {};
    }
    size_t length = 0;
    for (size_t at = 0; at < 4; ++at) {
      length |= static_cast<size_t>(static_cast<uint8_t>(rest_[at])) << (8 * at);
    }
    rest_.remove_prefix(4);
    if (length > kFieldBytesMax || length > rest_.size()) {
      fail("a field is longer than what is there");
      return {};
    }
    const std::string_view value = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return value;
  }

  std::string_view rest_;
  Status status_;
};

// FNV-1a, 64 bit: short, stable over versions and machines. No secret hangs on it.
uint64_t stable_hash(std::string_view text) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : text) {
    hash ^= static_cast<uint8_t>(c);
    hash *= 1099511628211u;
  }
  return hash;
}

std::string hex16(uint64_t value) {
  std::string text(16, '0');
  for (size_t at = 16; at-- > 0; value >>= 4) text[at] = "0123456789abcdef"[value & 15];
  return text;
}

// "tcp://127.0.0.1:80"; an IPv6 address gets its brackets, and its one usual spelling, so that two
// spellings are not two listeners.
std::string tcp_endpoint(const std::string& address, uint16_t port) {
  in6_addr parsed;
  char usual[INET6_ADDRSTRLEN];
  std::string host = address;
  if (::inet_pton(AF_INET6, address.c_str(), &parsed) == 1 &&
      ::inet_ntop(AF_INET6, &parsed, usual, sizeof usual) != nullptr) {
    host = "[" + std::string(usual) + "]";
  }
  return "tcp://" + host + ":" + std::to_string(port);
}

std::string listener_spec(const ListenerRow& row) {
  const std::string path = unix_path(row.address);
  return path.empty() ? tcp_endpoint(row.address, row.port) : "unix:" + path;
}

}  // namespace

std::string unix_path(std::string_view address) {
  if (!address.starts_with("unix:")) return {};
  address.remove_prefix(5);
  address.remove_prefix(std::min(address.find_first_not_of('/'), address.size()));
  return std::string(address);
}

Plan make_plan(const Config& config) {
  const Settings& settings = config.settings;
  const auto small = [&](std::string_view key) {
    return static_cast<uint32_t>(settings.number(key));
  };
  Plan plan;
  plan.uuid = config.server.uuid;
  plan.name = config.server.name;
  plan.chroot = config.server.chroot;
  if (!settings.flag("disable.access_logging")) plan.access_log = config.server.access_log;
  plan.error_log = config.server.error_log;
  plan.pid_file = config.server.pid_file;
  plan.error_log_level = config.server.error_log_level;
  plan.workers = small("workers");
  plan.daemonize = settings.flag("server.daemonize");
  plan.allow_root = settings.flag("allow_root");
  plan.landlock = settings.flag("jail.landlock");
  plan.seccomp = settings.flag("jail.seccomp");
  if (const std::string& store = settings.text("upload.temp_store"); store.starts_with('/')) {
    plan.upload_folder = store.substr(0, store.rfind('/') + 1);
  }
  plan.drain_ms = small("drain_ms");
  plan.prepare_ms = small("reload.prepare_ms");
  plan.handlers_ms = small("upgrade.handlers_ms");
  plan.ipc = config.ipc;
  plan.control_port = config.server.control_port;
  plan.listeners.push_back(
      {tcp_endpoint(config.server.bind_addr, config.server.port), 0, config.server.proxy_protocol});
  for (const ListenerRow& row : config.listeners) {
    plan.listeners.push_back({listener_spec(row), row.mode, row.proxy_protocol});
  }
  plan.backlog = small("net.backlog");
  for (const HandlerRow& handler : config.handlers) {
    plan.endpoints.push_back(handler.send_spec);
    if (handler.replies != Replies::kNone) plan.endpoints.push_back(handler.recv_spec);
  }
  plan.file_limit = small("superpoll.max_fd");
  plan.heartbeat_ms = small("heartbeat_ms");
  return plan;
}

std::string write_plan(const Plan& plan) {
  PlanWriter writer;
  writer.text(kMagic);
  visit_fields(writer, plan);
  return writer.take();
}

Result<Plan> read_plan(std::string_view bytes) {
  PlanReader reader(bytes);
  Plan plan;
  reader.magic();
  visit_fields(reader, plan);
  reader.end();
  Status status = reader.take_status();
  if (!status.ok()) return status;
  return plan;
}

std::string http_key(std::string_view listener) { return "http " + std::string(listener); }
std::string zmq_key(std::string_view endpoint) { return "zmq " + std::string(endpoint); }
std::string control_key(std::string_view endpoint) { return "control " + std::string(endpoint); }

std::string private_endpoint(std::string_view run_directory, unsigned slot, uint64_t incarnation,
                             std::string_view send_spec, std::string_view recv_spec,
                             PrivateSide side) {
  const std::string pair =
      hex16(stable_hash(std::string(send_spec) + ' ' + std::string(recv_spec)));
  return "ipc://" + std::string(run_directory) + "/m2-" + std::to_string(slot) + '-' +
         std::to_string(incarnation) + '-' + pair + (side == PrivateSide::kRequests ? "-q" : "-r");
}

std::string query_endpoint(std::string_view run_directory, unsigned slot, uint64_t incarnation) {
  return "ipc://" + std::string(run_directory) + "/m2-" + std::to_string(slot) + '-' +
         std::to_string(incarnation) + "-query";
}

}  // namespace m2
