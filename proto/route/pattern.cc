// Matching without backtracking: item by item, the set of all places of the subject where the items
// so far can end. Only "is there a match" is asked, so longest and shortest repeats come to the
// same, and the cost is at most items x bytes. pattern_compile.cc makes the items.
#include "proto/route/pattern.h"

#include <memory>

namespace m2 {

// Places 0..size of the subject, as bytes that are 1 where the items so far can end. Only [low_,
// high_] is valid; all else counts as 0.
class Pattern::Reach {
 public:
  Reach(std::string_view subject, uint8_t* places)
      : bytes_(reinterpret_cast<const uint8_t*>(subject.data())),
        size_(subject.size()),
        at_(places) {
    at_[0] = 1;
  }

  bool empty() const { return empty_; }
  bool at_end() const { return !empty_ && high_ == size_; }

  template <typename Accepts>
  void take(Repeat repeat, Accepts accepts) {
    switch (repeat) {
      case Repeat::kOnce:
        return once(accepts);
      case Repeat::kOptional:
        return optional(accepts);
      case Repeat::kAnyNumber:
        return any_number(accepts);
      case Repeat::kAtLeastOnce:
        once(accepts);
        if (!empty_) any_number(accepts);
        return;
    }
  }

  // Keeps the places that stand between a byte outside the set and one inside; the ends count as
  // NUL.
  void frontier(const Set& set) {
    for (size_t place = low_; place <= high_; ++place) {
      const uint8_t before = place == 0 ? 0 : bytes_[place - 1];
      const uint8_t behind = place == size_ ? 0 : bytes_[place];
      at_[place] = at_[place] && !set.has(before) && set.has(behind);
    }
    trim();
  }

  // From each place with `open` to behind the `close` that belongs to it. Right to left, so that
  // the partner of an `open` is the last `close` seen that has none yet, and so that places can be
  // moved up without a copy.
  void balanced(uint8_t open, uint8_t close) {
    std::vector<size_t> closes;
    // Whoever stands at the very end has nothing to open.
    for (size_t place = high_ + 1; place < size_; ++place) at_[place] = 0;
    at_[size_] = 0;
    for (size_t place = size_; place-- > low_;) {
      const bool reached = at_[place];
      at_[place] = 0;
      if (bytes_[place] == open) {
        if (!closes.empty()) {
          if (reached) at_[closes.back() + 1] = 1;
          closes.pop_back();
        }
        if (open == close) closes.push_back(place);
      } else if (bytes_[place] == close) {
        closes.push_back(place);
      }
    }
    high_ = size_;
    trim();
  }

 private:
  template <typename Accepts>
  void once(Accepts accepts) {
    size_t place = high_ < size_ ? high_ + 1 : size_;
    high_ = place;
    for (; place > low_; --place) at_[place] = at_[place - 1] & accepts(bytes_[place - 1]);
    at_[low_] = 0;
    trim();
  }

  template <typename Accepts>
  void optional(Accepts accepts) {
    if (high_ < size_) at_[++high_] = 0;
    for (size_t place = high_; place > low_; --place) {
      at_[place] |= at_[place - 1] & accepts(bytes_[place - 1]);
    }
    trim();
  }

  template <typename Accepts>
  void any_number(Accepts accepts) {
    for (size_t place = low_; place < size_; ++place) {
      const uint8_t moved = at_[place] & accepts(bytes_[place]);
      if (place < high_) {
        at_[place + 1] |= moved;
      } else if (moved) {
        at_[++high_] = 1;
      } else {
        break;
      }
    }
  }

  void trim() {
    while (low_ < high_ && !at_[low_]) ++low_;
    while (high_ > low_ && !at_[high_]) --high_;
    empty_ = !at_[low_];
  }

  const uint8_t* bytes_;
  const size_t size_;
  uint8_t* const at_;
  size_t low_ = 0;
  size_t high_ = 0;
  bool empty_ = false;
};

bool Pattern::run(std::string_view subject, bool to_the_end) const {
  uint8_t inline_places[1024];
  std::unique_ptr<uint8_t[]> long_places;
  if (subject.size() >= sizeof(inline_places)) {
    long_places = std::make_unique_for_overwrite<uint8_t[]>(subject.size() + 1);
  }
  Reach reach(subject, long_places ? long_places.get() : inline_places);
  for (const Item& item : items_) {
    switch (item.kind) {
      case Kind::kByte:
        reach.take(item.repeat, [&](uint8_t byte) -> uint8_t { return byte == item.first; });
        break;
      case Kind::kAny:
        reach.take(item.repeat, [](uint8_t) -> uint8_t { return 1; });
        break;
      case Kind::kSet:
        reach.take(item.repeat,
                   [&set = sets_[item.set]](uint8_t byte) -> uint8_t { return set.has(byte); });
        break;
      case Kind::kBalanced:
        reach.balanced(item.first, item.second);
        break;
      case Kind::kFrontier:
        reach.frontier(sets_[item.set]);
        break;
    }
    if (reach.empty()) return false;
  }
  return !to_the_end || reach.at_end();
}

}  // namespace m2
