#include "worker/target/balancer.h"

#include <algorithm>
#include <bit>
#include <string>
#include <tuple>
#include <utility>

#include "common/check.h"
#include "common/log.h"
#include "common/log_limit.h"

namespace m2 {
namespace {

using State = BackendHealth::State;

constexpr uint32_t kRetryCost = 100;
constexpr uint32_t kCreditMax = 10 * kRetryCost;  // retries in a row after a long good time
constexpr double kDeniedLogS = 10;

}  // namespace

Balancer::Balancer(Loop& loop, std::vector<std::shared_ptr<Backend>> backends, Balance balance,
                   const BalanceLimits& limits)
    : loop_(loop),
      backends_(std::move(backends)),
      balance_(balance),
      limits_(limits),
      credit_(limits.retry_percent == 0 ? 0 : kCreditMax) {
  CHECK(!backends_.empty() && backends_.size() <= kBackendsMax);
}

void Balancer::request_begins() { credit_ = std::min(credit_ + limits_.retry_percent, kCreditMax); }

Backend& Balancer::take(size_t index, Visited& visited) {
  visited |= Visited{1} << index;
  turn_ = (index + 1) % backends_.size();
  ++backends_[index]->requests;
  return *backends_[index];
}

// Both are eligible.
bool Balancer::is_better(const Backend& one, const Backend& other) const {
  return balance_ == Balance::kLeastConnections && one.pool.busy_count() < other.pool.busy_count();
}

Backend& Balancer::pick(Visited& visited) {
  const size_t count = backends_.size();
  if (count == 1) return take(0, visited);
  const uint64_t now = now_ms();
  size_t best = count;
  size_t least_bad = count;
  for (size_t step = 0; step < count; ++step) {
    const size_t at = (turn_ + step) % count;
    Backend& backend = *backends_[at];
    if ((visited >> at & 1) != 0) continue;
    const State state = backend.health.state(now);
    const bool able = backend.pool.has_addresses() && backend.pool.has_connections();
    if (!backend.pool.has_addresses()) backend.pool.ask_for_addresses();
    if (able && state == State::kTrialDue) {
      backend.health.begin_trial(now);
      return take(at, visited);
    }
    if (able && state == State::kInTurn) {
      if (best == count || is_better(backend, *backends_[best])) best = at;
    }
    const auto badness = [](const Backend& one) {
      return std::tuple(!one.pool.has_addresses(), !one.pool.has_connections(),
                        one.health.failures());
    };
    if (least_bad == count || badness(backend) < badness(*backends_[least_bad])) least_bad = at;
  }
  // All were visited: may_move() has not been asked.
  CHECK(least_bad != count);
  return take(best != count ? best : least_bad, visited);
}

bool Balancer::may_move(Visited visited, const Backend& failed) {
  const auto visits = static_cast<size_t>(std::popcount(visited));
  if (visits >= backends_.size() || visits >= kVisitsMax) return false;
  if (credit_ < kRetryCost) {
    ++denied_;
    if (loop_.now() - denied_at_s_ >= kDeniedLogS) {
      denied_at_s_ = loop_.now();
      log_warn(failed.name() + ": requests are not tried elsewhere, above proxy.retry_percent=" +
               std::to_string(limits_.retry_percent) + "; so far " + std::to_string(denied_) +
               " denied, " + std::to_string(moved_) + " moved");
    }
    return false;
  }
  credit_ -= kRetryCost;
  ++moved_;
  return true;
}

void Balancer::answered(Backend& backend) {
  const uint64_t since = backend.health.out_since_ms();
  if (!backend.health.succeeded()) return;
  static LogLimit limit("backends that are in turn again");
  limit.write(backend.name() + " is in turn again after " + std::to_string(now_ms() - since) +
              " ms; requests " + std::to_string(backend.requests) + ", failures " +
              std::to_string(backend.failures));
}

void Balancer::failed(Backend& backend, std::string_view why) {
  ++backend.failures;
  if (backends_.size() == 1) return;  // there is no turn to leave
  if (!backend.health.failed(now_ms(), limits_.health)) return;
  static LogLimit limit("backends that are out of turn", LogLevel::kWarn);
  limit.write(backend.name() + " is out of turn for " + std::to_string(backend.health.pause_ms()) +
              " ms after " + std::to_string(backend.health.failures()) +
              " failures in a row; requests " + std::to_string(backend.requests) + ", failures " +
              std::to_string(backend.failures) + "; last: " + std::string(why));
}

}  // namespace m2
