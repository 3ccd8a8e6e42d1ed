#include "worker/link/ledger.h"

#include <algorithm>

namespace m2 {

void Owed::unlink() {
  previous_->next_ = next_;
  next_->previous_ = previous_;
  next_ = previous_ = nullptr;
}

void Owed::settle() {
  if (ledger_ == nullptr) return;
  unlink();
  Ledger& ledger = *ledger_;
  ledger_ = nullptr;
  --ledger.size_;
  if (number_ == 0) ledger.user_.forget(*this);
  if (peer_ != kUnknownPeer) ledger.user_.settled(peer_);
}

void Owed::answer_came() {
  if (ledger_ == nullptr) return;
  if (came_) lost_at_ = 0;
  if (begun_) return;
  begun_ = true;
  unlink();
  Ledger::append(ledger_->begun_, *this);
}

void Owed::begin_anew() {
  if (ledger_ == nullptr || begun_) return;
  since_ = ledger_->loop_.now();
  unlink();
  Ledger::append(ledger_->waiting_list(*this), *this);
}

Ledger::~Ledger() {
  if (destroyed_ != nullptr) *destroyed_ = true;
  for (Owed* list : lists()) {
    while (list->next_ != nullptr && list->next_ != list) {
      Owed& owed = *list->next_;
      owed.unlink();
      owed.ledger_ = nullptr;
    }
  }
}

void Ledger::append(Owed& list, Owed& owed) {
  if (list.next_ == nullptr) list.next_ = list.previous_ = &list;
  owed.next_ = &list;
  owed.previous_ = list.previous_;
  list.previous_->next_ = &owed;
  list.previous_ = &owed;
}

void Ledger::add(Owed& owed, ConnectionId id, uint64_t number) {
  owed.settle();
  owed.ledger_ = this;
  owed.id_ = id;
  owed.number_ = number;
  owed.peer_ = kUnknownPeer;
  owed.since_ = loop_.now();
  owed.lost_at_ = 0;
  owed.begun_ = owed.gone_ = false;
  append(waiting_list(owed), owed);
  ++size_;
  const double timeout_s = owed.timeout_ms_ == kAsSetting ? timeout_s_ : owed.timeout_ms_ / 1000.0;
  if (timeout_s == 0) return;
  if (!late_timer_.active() || owed.since_ + timeout_s < late_at_) watch_late();
}

Owed& Ledger::waiting_list(const Owed& owed) {
  return owed.timeout_ms_ == kAsSetting ? waiting_ : timed_[owed.timeout_ms_];
}

std::vector<Owed*> Ledger::lists() {
  std::vector<Owed*> all{&waiting_, &begun_};
  for (auto& [timeout_ms, list] : timed_) all.push_back(&list);
  return all;
}

// visit(list, seconds) for each list whose entries can be late.
template <typename Visit>
void Ledger::each_late(Visit visit) {
  const auto look = [&visit](Owed& list, double timeout_s) {
    if (timeout_s != 0 && list.next_ != nullptr && list.next_ != &list) visit(list, timeout_s);
  };
  look(waiting_, timeout_s_);
  for (auto& [timeout_ms, list] : timed_) look(list, timeout_ms / 1000.0);
}

void Ledger::set_limits(uint32_t timeout_ms, uint32_t grace_ms) {
  timeout_s_ = timeout_ms / 1000.0;
  grace_s_ = grace_ms / 1000.0;
  watch_late();
}

// The oldest of a list is the first of it to be late. A timer that finds nothing to do costs less
// than moving it with every request.
void Ledger::watch_late() {
  late_timer_.stop();
  late_at_ = 0;
  each_late([this](const Owed& list, double timeout_s) {
    const double at = list.next_->since_ + timeout_s;
    if (late_at_ == 0 || at < late_at_) late_at_ = at;
  });
  if (late_at_ == 0) return;
  late_timer_.start<&Ledger::late>(loop_, std::max(late_at_ - loop_.now(), 0.0), 0.0, this);
}

void Ledger::late() {
  std::vector<ConnectionId> ids;
  each_late([&](Owed& list, double timeout_s) {
    while (list.next_ != &list && list.next_->since_ + timeout_s <= loop_.now()) {
      Owed& owed = *list.next_;
      ids.push_back(owed.id_);
      owed.unlink();
      append(begun_, owed);  // not to be told twice
    }
  });
  // Times of routes that are no more.
  std::erase_if(timed_, [](const auto& item) {
    return item.second.next_ == nullptr || item.second.next_ == &item.second;
  });
  watch_late();
  tell(ids, LedgerUser::Overdue::kLate);
}

template <typename Visit>
void Ledger::for_each(Visit visit) {
  for (Owed* list : lists()) {
    if (list->next_ == nullptr) continue;
    for (Owed* owed = list->next_; owed != list; owed = owed->next_) visit(*owed);
  }
}

// had_it: what those who are gone had.
template <typename HadIt>
void Ledger::lose(HadIt had_it) {
  if (grace_s_ == 0) return;
  for_each([&](Owed& owed) {
    if (owed.lost_at_ != 0 || !had_it(owed)) return;
    owed.lost_at_ = loop_.now() + grace_s_;
    owed.came_ = false;
  });
  watch_lost();
}

void Ledger::gone(uint64_t first, uint64_t last) {
  lose([=](const Owed& owed) {
    return owed.number_ != 0 && owed.number_ >= first && owed.number_ <= last;
  });
}

void Ledger::returned() {
  for_each([](Owed& owed) { owed.came_ = owed.lost_at_ != 0; });
}

void Ledger::peer_gone(PeerId peer) {
  lose([peer](const Owed& owed) { return owed.peer_ == peer; });
}

void Ledger::gone(std::vector<ConnectionId> ids, uint64_t last) {
  std::sort(ids.begin(), ids.end());
  lose([&](const Owed& owed) {
    return owed.number_ != 0 && owed.number_ <= last &&
           std::binary_search(ids.begin(), ids.end(), owed.id_);
  });
}

void Ledger::not_gone(std::vector<ConnectionId> ids) {
  std::sort(ids.begin(), ids.end());
  for_each([&](Owed& owed) {
    if (std::binary_search(ids.begin(), ids.end(), owed.id_)) owed.lost_at_ = 0;
  });
  watch_lost();
}

Owed* Ledger::take_back(ConnectionId id, PeerId peer) {
  Owed* found = nullptr;
  for_each([&](Owed& owed) {
    if (owed.id_ == id && owed.peer_ == peer) found = &owed;
  });
  if (found == nullptr) return nullptr;
  found->number_ = 0;
  found->peer_ = kUnknownPeer;
  found->lost_at_ = 0;
  return found;
}

void Ledger::torn(uint64_t last, std::vector<ConnectionId> also) {
  for (const Owed* owed = begun_.next_; owed != nullptr && owed != &begun_; owed = owed->next_) {
    if (owed->begun_ && owed->number_ != 0 && owed->number_ <= last) also.push_back(owed->id_);
  }
  tell(also, LedgerUser::Overdue::kTorn);
}

bool Ledger::owes(uint64_t last) {
  for (const Owed* list : lists()) {
    if (list->next_ == nullptr) continue;
    for (const Owed* owed = list->next_; owed != list; owed = owed->next_) {
      if (owed->number_ != 0 && owed->number_ <= last) return true;
    }
  }
  return false;
}

void Ledger::watch_lost() {
  lost_timer_.stop();
  double first = 0;
  for (Owed* list : lists()) {
    if (list->next_ == nullptr) continue;
    for (Owed* owed = list->next_; owed != list; owed = owed->next_) {
      if (owed->lost_at_ != 0 && (first == 0 || owed->lost_at_ < first)) first = owed->lost_at_;
    }
  }
  if (first == 0) return;
  lost_timer_.start<&Ledger::lost>(loop_, std::max(first - loop_.now(), 0.0), 0.0, this);
}

void Ledger::lost() {
  std::vector<ConnectionId> ids;
  for (Owed* list : lists()) {
    if (list->next_ == nullptr) continue;
    for (Owed* owed = list->next_; owed != list; owed = owed->next_) {
      if (owed->lost_at_ == 0 || owed->lost_at_ > loop_.now()) continue;
      owed->lost_at_ = 0;
      owed->gone_ = true;
      ids.push_back(owed->id_);
    }
  }
  watch_lost();
  tell(ids, LedgerUser::Overdue::kGone);
}

void Ledger::tell(const std::vector<ConnectionId>& ids, LedgerUser::Overdue cause) {
  bool destroyed = false;
  destroyed_ = &destroyed;
  for (const ConnectionId id : ids) {
    user_.overdue(id, cause);
    if (destroyed) return;
  }
  destroyed_ = nullptr;
}

}  // namespace m2
