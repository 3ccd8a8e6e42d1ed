#include "master/held_report.h"

#include <utility>

#include "common/log.h"

namespace m2 {
namespace {

// They answer at once, unless they hang.
constexpr double kRetiringS = 1.0;

}  // namespace

void HeldReport::begin() {
  say();
  held_ = {};
  awaited_.clear();
}

void HeldReport::add(std::string_view line) {
  if (const auto held = HeldClients::parse(line)) held_.add(*held);
}

void HeldReport::retiring(uint64_t child, std::string_view line) {
  if (awaited_.erase(child) == 0) return;  // late: of an earlier reload
  add(line);
  look();
}

void HeldReport::gone(uint64_t child) {
  if (awaited_.erase(child) != 0) look();
}

void HeldReport::when_complete(std::function<void()> say) {
  say_ = std::move(say);
  limit_.start<&HeldReport::late>(loop_, kRetiringS, 0.0, this);
  look();
}

void HeldReport::give_up() {
  say_ = nullptr;
  limit_.stop();
}

void HeldReport::look() {
  if (awaited_.empty()) say();
}

void HeldReport::late() {
  log_warn("workers that retire and have not said whom they served: " +
           std::to_string(awaited_.size()));
  awaited_.clear();
  say();
}

void HeldReport::say() {
  limit_.stop();
  if (const auto say = std::exchange(say_, nullptr)) say();
}

}  // namespace m2
