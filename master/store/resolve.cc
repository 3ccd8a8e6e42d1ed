// getaddrinfo_a, because plain getaddrinfo has no limit that a caller could set.
#include "master/store/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <time.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/in_quotes.h"
#include "master/store/endpoint.h"

namespace m2 {
namespace {

constexpr size_t kAddressesMax = 16;

// The C library works on this until every request is done, perhaps longer than we wait.
struct Batch {
  addrinfo hints{};
  std::vector<std::string> names;
  std::vector<gaicb> requests;
  std::vector<gaicb*> pointers;

  explicit Batch(std::vector<std::string> all) : names(std::move(all)), requests(names.size()) {
    hints.ai_flags = AI_ADDRCONFIG;
    hints.ai_socktype = SOCK_STREAM;
    for (size_t at = 0; at < names.size(); ++at) {
      requests[at] = gaicb{};
      requests[at].ar_name = names[at].c_str();
      requests[at].ar_request = &hints;
      pointers.push_back(&requests[at]);
    }
  }
  ~Batch() {
    for (const gaicb& request : requests) {
      if (request.ar_result != nullptr) freeaddrinfo(request.ar_result);
    }
  }
  bool is_done() {
    return std::none_of(pointers.begin(), pointers.end(),
                        [](gaicb* request) { return gai_error(request) == EAI_INPROGRESS; });
  }
};

int64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

void wait_for(Batch& batch, int limit_ms) {
  const int64_t end_ms = now_ms() + limit_ms;
  while (!batch.is_done()) {
    const int64_t left_ms = end_ms - now_ms();
    if (left_ms <= 0) return;
    const timespec left{left_ms / 1000, left_ms % 1000 * 1'000'000};
    gai_suspend(batch.pointers.data(), static_cast<int>(batch.pointers.size()), &left);
  }
}

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

}  // namespace

NamedAddresses look_up(const std::vector<std::string>& names, int limit_ms,
                       std::map<std::string, std::string>& failures) {
  NamedAddresses found;
  if (names.empty()) return found;
  auto batch = std::make_unique<Batch>(names);
  const int started = getaddrinfo_a(GAI_NOWAIT, batch->pointers.data(),
                                    static_cast<int>(batch->pointers.size()), nullptr);
  if (started == 0) wait_for(*batch, limit_ms);
  for (size_t at = 0; at < names.size(); ++at) {
    gaicb* request = batch->pointers[at];
    const int error = started != 0 ? started : gai_error(request);
    std::vector<std::string> addresses;
    if (error == 0) addresses = numeric_addresses(request->ar_result);
    if (!addresses.empty()) {
      found[names[at]] = std::move(addresses);
      continue;
    }
    failures[names[at]] = error == EAI_INPROGRESS
                              ? "no answer within " + std::to_string(limit_ms) + " ms"
                          : error != 0 ? gai_strerror(error)
                                       : "no address";
  }
  // What is not done still writes into the batch: it is left behind on purpose.
  if (started == 0 && !batch->is_done()) (void)batch.release();
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
