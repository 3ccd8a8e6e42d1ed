// Threads of our own, because getaddrinfo has no limit that a caller could set, and getaddrinfo_a
// with gai_suspend has one that ends the process: a request that gets done while gai_suspend
// returns stays in a list on the stack of the caller, which the C library's thread then walks.
#include "master/store/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "common/in_quotes.h"
#include "master/store/endpoint.h"

namespace m2 {
namespace {

constexpr size_t kAddressesMax = 16;
constexpr size_t kThreadsMax = 20;

std::vector<std::string> numeric_addresses(const addrinfo* list) {
  std::vector<std::string> addresses;
  for (const int family : {AF_INET, AF_INET6}) {
    for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
      if (one->ai_family != family || addresses.size() == kAddressesMax) continue;
      char text[NI_MAXHOST];
      if (getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, nullptr, 0,
                      NI_NUMERICHOST) != 0) {
        continue;
      }
      if (std::find(addresses.begin(), addresses.end(), text) == addresses.end()) {
        addresses.emplace_back(text);
      }
    }
  }
  return addresses;
}

struct Answer {
  bool done = false;
  int error = 0;
  std::vector<std::string> addresses;
};

Answer ask(const std::string& name) {
  addrinfo hints{};
  hints.ai_flags = AI_ADDRCONFIG;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  Answer answer;
  answer.done = true;
  answer.error = ::getaddrinfo(name.c_str(), nullptr, &hints, &list);
  if (answer.error != 0) return answer;
  answer.addresses = numeric_addresses(list);
  ::freeaddrinfo(list);
  return answer;
}

// Each thread has a share, because the C library may keep it longer than we wait.
struct Batch {
  explicit Batch(std::vector<std::string> all) : names(std::move(all)), answers(names.size()) {}

  const std::vector<std::string> names;
  std::mutex mutex;
  std::condition_variable all_done;
  std::vector<Answer> answers;
  size_t next = 0;
  size_t done = 0;

  void work() {
    std::unique_lock lock(mutex);
    while (next < names.size()) {
      const size_t at = next++;
      lock.unlock();
      Answer answer = ask(names[at]);
      lock.lock();
      answers[at] = std::move(answer);
      if (++done == names.size()) all_done.notify_all();
    }
  }
};

void* work(void* argument) {
  const std::unique_ptr<std::shared_ptr<Batch>> share(
      static_cast<std::shared_ptr<Batch>*>(argument));
  (*share)->work();
  return nullptr;
}

// 0, or why there is not even one thread.
int start_threads(const std::shared_ptr<Batch>& batch) {
  for (size_t at = 0; at < std::min(kThreadsMax, batch->names.size()); ++at) {
    auto share = std::make_unique<std::shared_ptr<Batch>>(batch);
    pthread_t thread;
    if (const int failed = ::pthread_create(&thread, nullptr, &work, share.get()); failed != 0) {
      return at == 0 ? failed : 0;
    }
    (void)share.release();  // the thread's now
    ::pthread_detach(thread);
  }
  return 0;
}

}  // namespace

NamedAddresses look_up(const std::vector<std::string>& names, int limit_ms,
                       std::map<std::string, std::string>& failures) {
  NamedAddresses found;
  if (names.empty()) return found;
  const auto batch = std::make_shared<Batch>(names);
  const int failed = start_threads(batch);
  std::unique_lock lock(batch->mutex);
  if (failed == 0) {
    batch->all_done.wait_for(lock, std::chrono::milliseconds(limit_ms),
                             [&] { return batch->done == names.size(); });
  }
  for (size_t at = 0; at < names.size(); ++at) {
    const Answer& answer = batch->answers[at];
    if (!answer.addresses.empty()) {
      found[names[at]] = answer.addresses;
    } else if (failed != 0) {
      failures[names[at]] = std::string("no thread to look it up: ") + std::strerror(failed);
    } else {
      failures[names[at]] = !answer.done ? "no answer within " + std::to_string(limit_ms) + " ms"
                            : answer.error != 0 ? gai_strerror(answer.error)
                                                : "no address";
    }
  }
  return found;
}

std::vector<std::string> names_of(const std::vector<ProxyRow>& proxies) {
  std::set<std::string> names;  // one look-up a name, however many rows have it
  for (const ProxyRow& proxy : proxies) {
    for (const BackendRow& backend : proxy.backends) {
      if (!is_numeric_address(backend.host)) names.insert(backend.host);
    }
  }
  return {names.begin(), names.end()};
}

namespace {

// `route "/shop" of host "example.org", ...`, at most five.
std::string routes_to(const Config& config, size_t proxy) {
  constexpr size_t kListed = 5;
  std::string text;
  size_t count = 0;
  for (const HostRow& host : config.hosts) {
    for (const RouteRow& route : host.routes) {
      if (route.kind != TargetKind::kProxy || route.target != proxy || ++count > kListed) continue;
      text += (text.empty() ? "route " : ", ") + in_quotes(route.path) + " of host " +
              in_quotes(host.name);
    }
  }
  return count > kListed ? text + " and " + std::to_string(count - kListed) + " more" : text;
}

}  // namespace

void resolve_proxies(Config& config, int limit_ms, Findings& findings) {
  std::vector<ProxyRow>& proxies = config.proxies;
  std::map<std::string, std::string> failures;
  const NamedAddresses found = look_up(names_of(proxies), limit_ms, failures);
  for (ProxyRow& proxy : proxies) {
    std::string missing;
    bool usable = false;
    for (BackendRow& backend : proxy.backends) {
      if (is_numeric_address(backend.host)) {
        backend.addresses = {backend.host};
      } else if (const auto known = found.find(backend.host); known != found.end()) {
        backend.addresses = known->second;
      } else {
        missing +=
            (missing.empty() ? "" : "; ") + in_quotes(backend.host) + ": " + failures[backend.host];
      }
      usable |= !backend.addresses.empty();
    }
    if (missing.empty()) continue;
    const std::string place = at_cell("proxy", proxy.id, "addr", proxy.addr);
    if (usable) {
      findings.warn(place, "serves without what cannot be resolved (" + missing + ") until it can");
    } else {
      const auto index = static_cast<size_t>(&proxy - proxies.data());
      findings.warn(place, "cannot be resolved (" + missing + "): " + routes_to(config, index) +
                               " will answer 502 until it can; correct the name, or write a "
                               "numeric address");
    }
  }
}

}  // namespace m2
