// The table of settings and the typed values behind it. docs/settings.md is made from this table
// (settings_page.cc); the checker reports what Settings::set refuses.
#include "common/config/settings.h"

#include <charconv>
#include <optional>
#include <vector>

#include "common/check.h"
#include "common/in_quotes.h"

namespace m2 {
namespace {

using std::string_view;

constexpr int64_t kDayMs = 24 * 3600 * 1000;

constexpr SettingSpec number(string_view key, int64_t standard, int64_t least, int64_t most,
                             string_view unit, string_view help) {
  return {key, SettingType::kNumber, standard, "", least, most, unit, help, true};
}

// Never endless: every wait has a limit.
constexpr SettingSpec time_ms(string_view key, int64_t standard, string_view help) {
  return number(key, standard, 100, kDayMs, "ms", help);
}

constexpr SettingSpec flag(string_view key, bool standard, string_view help) {
  return {key, SettingType::kFlag, standard ? 1 : 0, "", 0, 1, "", help, true};
}

constexpr SettingSpec text(string_view key, string_view standard, string_view help) {
  return {key, SettingType::kText, 0, standard, 0, 0, "", help, true};
}

// choices: words with a blank between them, the first of which is the default.
constexpr SettingSpec choice(string_view key, string_view choices, string_view help) {
  return {key, SettingType::kChoice, 0, choices.substr(0, choices.find(' ')), 0, 0, choices, help,
          true};
}

constexpr SettingSpec no_effect(SettingSpec spec) {
  spec.has_effect = false;
  return spec;
}

// A number of Mongrel2 1.x without effect: what was legal there is accepted here.
constexpr SettingSpec old_number(string_view key, int64_t standard, string_view unit,
                                 string_view help) {
  return no_effect(number(key, standard, 0, int64_t{1} << 53, unit, help));
}

constexpr SettingSpec kSpecs[] = {
    // The server as a whole.
    text("control_port", "ipc://run/control",
         "0MQ endpoint of the control port; a server's own control_port column comes first, and an "
         "empty value here means no control port."),
    number("workers", 0, 0, 64, "processes",
           "Worker processes; 0 means one for each core that the server may use."),
    flag("server.daemonize", true,
         "Started as root, go into the background; 0 stays in the foreground and still drops "
         "privileges."),
    flag("allow_root", false,
         "Serve although the chroot belongs to root, so that no privilege is dropped; meant for "
         "containers that know only root."),
    flag("jail.landlock", true,
         "Landlock bounds the files and ports that each process can reach, where the kernel has "
         "it; 0 goes without, and is warned of."),
    flag("jail.seccomp", true,
         "A filter bounds the system calls of each process, and ends one that makes a call only "
         "an intruder would make; 0 goes without, and is warned of."),
    time_ms("drain_ms", 30000,
            "Limit of a graceful stop: what is still in flight then is cut off."),
    time_ms("reload.prepare_ms", 10000,
            "How long all children may take to build a new configuration before the reload is "
            "given up and the old one stays."),
    time_ms("upgrade.handlers_ms", 2000,
            "After an upgrade of the program: how long the old server may keep its handlers for "
            "what they still owe; requests for the new one wait meanwhile, so keep it below "
            "handler.wait_ms. The same when a reload moves their endpoints: from one worker to "
            "several, or back."),
    number("heartbeat_ms", 15000, 1000, kDayMs, "ms",
           "A worker or relay that has done nothing for so long, because it spins, is stopped or "
           "waits "
           "for a disk, is killed and replaced."),
    number("superpoll.max_fd", 10240, 0, 1048576, "descriptors",
           "Open files that each process may have: RLIMIT_NOFILE is raised to it, never lowered. A "
           "worker keeps an eighth of them (32 to 256) from clients: half of that for their files, "
           "backends and uploads, half for handlers."),
    number("zeromq.threads", 1, 1, 64, "threads", "0MQ I/O threads of each process that uses 0MQ."),

    // Clients.
    number("limits.buffer_size", 16384, 64, 16777216, "bytes",
           "Request line and headers of one request together (431 beyond)."),
    number("limits.content_length", 1048576, 0, 2147483647, "bytes",
           "Longest request body that a handler gets in one message; a longer one is an upload "
           "(upload.temp_store, upload.stream) or refused with 413."),
    number("limits.url_path", 8192, 1, 16777216, "bytes",
           "Longest path of a request, without its query (414 beyond)."),
    number("limits.header_count", 1280, 1, 1048576, "headers",
           "Header fields of one request (431 beyond)."),
    number("limits.connections", 10240, 1, 1048576, "connections",
           "Client connections that each worker holds open at a time."),
    number("limits.connections_per_address", 0, 0, 1048576, "connections",
           "Of these, from one IPv4 address or IPv6 /64 (503 beyond); 0: no limit. Clients behind "
           "a trusted proxy count by their requests."),
    time_ms("limits.head_ms", 20000, "Time for a client to send a whole request head."),
    time_ms("limits.body_ms", 60000, "Longest pause while a client sends a request body."),
    time_ms("limits.idle_ms", 120000, "A keep-alive connection without a request is closed then."),
    time_ms("limits.write_ms", 30000,
            "A client that takes none of the bytes owed to it is cut off then."),
    number("limits.min_read_rate", 300, 0, 1000000000, "bytes/s",
           "A client that sends its body more slowly uses up the time of limits.body_ms and gets "
           "408; 0 lets it."),
    number("limits.min_write_rate", 300, 0, 1000000000, "bytes/s",
           "A client that takes what it is owed more slowly uses up the time of limits.write_ms "
           "and is cut off; 0 lets it."),
    flag("pipelining", false,
         "1: a request that arrives before the one ahead of it is answered is served after it; 0: "
         "it is not read, and the connection is closed after the answer."),
    flag("close_after_answer", true,
         "Close clients that speak HTTP/1.0 or sent 'Connection: close' when a handler's answer is "
         "complete; 0 leaves the closing to the handler, as Mongrel2 1.x does."),
    flag("request.id", false,
         "Give each request an id: in the access log and in lines of the error log about it, to "
         "handlers as REQUEST_ID, to backends as X-Request-Id."),
    flag("no_clobber_xff", false,
         "Keep the client's own X-Forwarded-For instead of overwriting it with its address."),
    flag("request.relaxed", false, "Accept { and } in the paths of requests too."),
    flag("net.tcp_keepalive", false, "SO_KEEPALIVE on client connections."),
    number("net.backlog", 4096, 1, 65535, "connections",
           "Clients that may wait to be accepted at each listener; the kernel allows at most "
           "net.core.somaxconn."),
    text("proxy_protocol.trusted", "",
         "Networks whose PROXY header is believed, as in '10.0.0.0/8, ::1, unix'; others cannot "
         "use a listener with proxy_protocol=1."),
    text(
        "forwarded.trusted", "",
        "Networks whose X-Forwarded-For and X-Forwarded-Proto, or Forwarded, say who the client is "
        "and whether it came by https; of others they mean nothing."),

    // Access log.
    flag("disable.access_logging", false, "Write no access log."),
    choice("access_log.format", "mongrel2 combined json",
           "Form of the lines: that of Mongrel2 1.x, the combined one of many servers, or JSON."),
    number("access_log.flush_ms", 1000, 0, 60000, "ms",
           "Lines of the access log are gathered for this long before they are written; 0 writes "
           "each at once."),

    // Handlers.
    number("limits.handler_targets", 128, 1, 1048576, "ids",
           "Connection ids that one handler message may name; a message with more is dropped."),
    number(
        "ids.bits", 53, 31, 53, "bits",
        "Most bits of a connection id. Less than 53 gives ids of 31 bits, for handlers that read "
        "them into an int; those come round after 55 minutes."),
    number("handler.wait_ms", 5000, 0, kDayMs, "ms",
           "How long a request waits for a handler to come before it is answered 503."),
    number("handler.timeout", 0, 0, kDayMs, "ms",
           "How long a request waits for the first bytes of its handler's answer before it is "
           "answered 504; 0 waits for ever, as long polls want it."),
    number("handler.grace_ms", 2000, 0, kDayMs, "ms",
           "When all handlers of a pair are gone, requests that they had are answered 502 after "
           "this time; 0 never does so."),
    number("handler.queue", 1000, 1, 1048576, "requests",
           "Requests that wait for the handlers of one pair, in each worker; one more is answered "
           "503."),
    number("handler.queue_bytes", 67108864, 65536, 1073741824, "bytes",
           "Bytes of such requests: when so many wait, one more is answered 503, however few they "
           "are."),
    number("handler.send_mark", 64, 1, 1048576, "messages",
           "0MQ high-water mark towards each handler: what a hung handler can hold back. For pairs "
           "that are opened from then on."),
    number(
        "handler.recv_mark", 1000, 1, 1048576, "messages",
        "0MQ high-water mark of the replies from each handler. For pairs that are opened from then "
        "on."),
    text("handler.ipc_mode", "0660",
         "Permissions of the files of handlers' ipc endpoints, in octal; for those opened from "
         "then on."),
    text("handler.ipc_owner", "",
         "USER, USER:GROUP or :GROUP that gets these files; the server must be started as root to "
         "give them away. Empty: the server's user and group."),
    text("curve.key_file", "",
         "File with the server's secret CURVE key: with it, only holders of a key in "
         "curve.clients_file connect to tcp endpoints of handlers."),
    text("curve.clients_file", "",
         "File with the public CURVE keys of handlers that may connect, one a line."),
    number(
        "handler.output_bytes", 1048576, 4096, 1073741824, "bytes",
        "A client that has not taken more than this of earlier messages is too slow for the next: "
        "slow_clients of the handler's row says what happens then. Who would be closed may have "
        "10 times as much for limits.write_ms."),
    flag("download.flow_control", false,
         "Tell handlers with credits how many bytes of long answers their clients have taken."),
    text(
        "handler.sendfile", "./",
        "Folder, relative to the chroot, whose files handlers may name in sendfile messages; empty "
        "means none."),

    // WebSockets (docs/websockets.md).
    number("websocket.message_bytes", 1048576, 125, 1073741824, "bytes",
           "Longest message of a WebSocket client; a longer one closes it with 1009."),
    number("websocket.idle_ms", 120000, 0, kDayMs, "ms",
           "A WebSocket on which nothing has passed, no pong either, is closed with 1001 then; 0: "
           "never."),
    number(
        "websocket.ping_ms", 30000, 0, kDayMs, "ms",
        "With websocket='messages': a client that was silent for this long is pinged; 0: never."),
    time_ms("websocket.pong_ms", 20000, "How long a pinged client may stay silent."),
    time_ms("websocket.close_ms", 5000,
            "How long the other side may take to answer a close frame."),
    flag("websocket.deflate", false,
         "With websocket='messages': compress messages (permessage-deflate) for clients that offer "
         "it."),
    number("websocket.deflate_bits", 15, 9, 15, "bits",
           "Window of that compression; a deflater takes 2^(bits+2) bytes and 128 KB, one for each "
           "handler pair."),

    // Uploads to handlers: bodies above limits.content_length.
    text("upload.temp_store", "",
         "Where they are stored: a path ending in XXXXXX, in whose place each file has letters of "
         "its own. Not set: they are refused with 413."),
    text("upload.temp_store_mode", "0600",
         "Mode of these files: octal with a leading 0, at least 0600, at most 0777."),
    flag("upload.stream", false,
         "Pass them on in pieces, as fast as the handler gives credits, instead of storing them."),
    number("upload.max_bytes", int64_t{64} << 30, 1, int64_t{1} << 53, "bytes",
           "Longest upload (413 beyond)."),
    number("upload.files", 256, 1, 65536, "files",
           "Uploads that each worker stores at a time; one more is answered 503."),
    time_ms("upload.disk_ms", 60000,
            "An upload whose disk takes longer than this for one step is answered 503."),

    // Proxy.
    time_ms("proxy.connect_ms", 5000, "Time for a connection to a backend (504 beyond)."),
    time_ms("proxy.answer_ms", 60000, "Longest silence of a backend that owes an answer (504)."),
    time_ms("proxy.idle_ms", 500,
            "An unused backend connection is closed then: a backend that serves few connections "
            "at a time is not kept from others."),
    number("proxy.pool", 128, 0, 65536, "connections",
           "Unused connections kept to each backend, in each worker."),
    number("proxy.connections", 1024, 1, 65536, "connections",
           "Connections to each backend at a time, in each worker (503 beyond)."),
    time_ms("proxy.tunnel_ms", 300000,
            "A connection that switched protocols (WebSocket) is closed when neither side has sent "
            "anything for this long."),
    number("proxy.eject_after", 3, 1, 1000, "failures",
           "Failures in a row that put one of several backends out of turn."),
    time_ms("proxy.eject_ms", 1000,
            "First pause of a backend out of turn; each failed trial doubles it, up to a minute."),
    number("proxy.retry_percent", 20, 0, 100, "%",
           "Requests of one Proxy that may be tried on another backend; 0: none."),
    time_ms("proxy.resolve_ms", 10000,
            "Least pause between two look-ups of the names of backends, because one of their "
            "addresses does not answer."),
    flag("proxy.via", true, "Add a Via field to requests, as RFC 9110 7.6.3 demands."),

    // Directories.
    number("dir.cache_files", 1024, 0, 1048576, "files",
           "Open files that each worker remembers; 0 remembers none."),
    number("dir.cache_bytes", 33554432, 0, int64_t{1} << 36, "bytes",
           "Memory for the content of small files, in each worker."),
    text("dir.charset", "",
         "Added as charset to the Content-Type of text files whose type names none; empty adds "
         "nothing."),

    // Bounds of the configuration itself.
    number(
        "limits.host_name", 256, 2, 65536, "bytes",
        "A host's name and matching must be shorter than this. A request's host of more than 256 "
        "bytes is the default host."),
    number("limits.dir_max_path", 256, 2, 4096, "bytes",
           "A directory's base, and the prefix of a route to one, must be shorter than this."),
    number("limits.mime_ext_len", 128, 2, 4096, "bytes",
           "A MIME extension must be shorter than this."),

    // Known from Mongrel2 1.x, without effect.
    old_number("limits.client_read_retries", 5, "reads",
               "A request may come in any number of pieces; limits.head_ms bounds its time."),
    old_number("limits.proxy_read_retries", 100, "reads",
               "An answer may come in any number of pieces; proxy.answer_ms bounds its pauses."),
    old_number("limits.proxy_read_retry_warn", 10, "reads", "See limits.proxy_read_retries."),
    old_number("limits.tick_timer", 10, "s", "Each deadline is kept for itself, without a sweep."),
    old_number("limits.min_ping", 120, "s", "limits.idle_ms closes idle connections."),
    old_number("limits.kill_limit", 2, "criteria", "Each deadline closes a connection by itself."),
    old_number("limits.connection_stack_size", 32768, "bytes", "There are no coroutines."),
    old_number("limits.fdtask_stack", 102400, "bytes", "There are no coroutines."),
    old_number("limits.handler_stack", 102400, "bytes", "There are no coroutines."),
    old_number("limits.dir_send_buffer", 16384, "bytes", "The kernel sends files itself."),
    old_number("superpoll.hot_dividend", 4, "ratio", "epoll alone watches the descriptors."),
    no_effect(text("certdir", "", "There is no TLS; end it in front of the server.")),
    no_effect(text("ssl_ciphers", "", "There is no TLS; end it in front of the server.")),
    no_effect(
        flag("ssl.verify_optional", false, "There is no TLS; end it in front of the server.")),
    no_effect(
        flag("ssl.verify_required", false, "There is no TLS; end it in front of the server.")),
    no_effect(text("ssl.ca_chain", "", "There is no TLS; end it in front of the server.")),
};

// Digits only: no sign but a leading minus, no space, no other base.
std::optional<int64_t> parse_number(string_view value) {
  int64_t number = 0;
  const char* end = value.data() + value.size();
  const auto parsed = std::from_chars(value.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return number;
}

// "must be a whole number from 512 to 1048576 (bytes)".
std::string expectation(const SettingSpec& spec) {
  if (spec.type == SettingType::kFlag) return "must be 0 or 1";
  if (spec.type == SettingType::kChoice) return "must be one of " + std::string(spec.unit);
  std::string text = "must be a whole number from " + std::to_string(spec.least) + " to " +
                     std::to_string(spec.most);
  if (!spec.unit.empty()) text.append(" (").append(spec.unit).append(")");
  return text;
}

bool has_word(string_view words, string_view wanted) {
  for (;;) {
    const size_t end = words.find(' ');
    if (words.substr(0, end) == wanted) return true;
    if (end == string_view::npos) return false;
    words.remove_prefix(end + 1);
  }
}

const SettingSpec& known(string_view key, SettingType type) {
  const SettingSpec* spec = find_setting(key);
  CHECK(spec != nullptr);
  CHECK(spec->type == type || (type == SettingType::kText && spec->type == SettingType::kChoice));
  return *spec;
}

}  // namespace

std::span<const SettingSpec> setting_specs() { return kSpecs; }

const SettingSpec* find_setting(string_view key) {
  for (const SettingSpec& spec : kSpecs) {
    if (spec.key == key) return &spec;
  }
  return nullptr;
}

Status Settings::set(string_view key, string_view value) {
  const SettingSpec* spec = find_setting(key);
  const std::string place = std::string(key) + " " + in_quotes(value);
  if (spec == nullptr) return Status::error(place + ": there is no such setting");
  if (spec->type == SettingType::kChoice) {
    if (!has_word(spec->unit, value)) return Status::error(place + ": " + expectation(*spec));
  } else if (spec->type != SettingType::kText) {
    const std::optional<int64_t> number = parse_number(value);
    if (!number || *number < spec->least || *number > spec->most) {
      return Status::error(place + ": " + expectation(*spec) + "; the default is " +
                           std::to_string(spec->default_number));
    }
  }
  values_.insert_or_assign(std::string(key), std::string(value));
  return {};
}

std::string Settings::summary() const {
  std::string all;
  for (const SettingSpec& spec : kSpecs) {
    const auto found = values_.find(std::string(spec.key));
    if (found == values_.end()) continue;
    if (!all.empty()) all += ", ";
    all.append(spec.key).append("=").append(found->second);
  }
  return all;
}

int64_t Settings::number(string_view key) const {
  const SettingSpec& spec = known(key, SettingType::kNumber);
  const auto found = values_.find(std::string(key));
  return found == values_.end() ? spec.default_number : *parse_number(found->second);
}

bool Settings::flag(string_view key) const {
  const SettingSpec& spec = known(key, SettingType::kFlag);
  const auto found = values_.find(std::string(key));
  return (found == values_.end() ? spec.default_number : *parse_number(found->second)) != 0;
}

const std::string& Settings::text(string_view key) const {
  // The defaults as strings, so that a reference can be given out; in the order of the table.
  static const std::vector<std::string> defaults = [] {
    std::vector<std::string> all;
    for (const SettingSpec& spec : kSpecs) all.emplace_back(spec.default_text);
    return all;
  }();
  const SettingSpec& spec = known(key, SettingType::kText);
  const auto found = values_.find(std::string(key));
  if (found != values_.end()) return found->second;
  return defaults[static_cast<size_t>(&spec - kSpecs)];
}

}  // namespace m2
