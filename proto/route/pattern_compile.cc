// Pattern::compile: text of the pattern language to items and sets. Runs at load only; pattern.cc
// has the matching. Meaning of each element: docs/routing.md.
#include <string>

#include "proto/route/pattern.h"

namespace m2 {

namespace {

// Character classes are those of ASCII, whatever the locale.
bool is_lower(uint8_t c) { return c >= 'a' && c <= 'z'; }
bool is_upper(uint8_t c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
bool is_letter(uint8_t c) { return is_lower(c) || is_upper(c); }
bool is_word(uint8_t c) { return is_letter(c) || is_digit(c); }
bool is_control(uint8_t c) { return c < 0x20 || c == 0x7f; }
bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_punctuation(uint8_t c) { return c > ' ' && c < 0x7f && !is_word(c); }
bool is_hex(uint8_t c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_zero(uint8_t c) { return c == 0; }

uint8_t to_lower(uint8_t c) { return is_upper(c) ? c + ('a' - 'A') : c; }

// The class that "\letter" stands for; nullptr: none, the letter stands for itself.
using Predicate = bool (*)(uint8_t);
Predicate class_of(uint8_t letter) {
  switch (to_lower(letter)) {
    case 'a':
      return is_letter;
    case 'c':
      return is_control;
    case 'd':
      return is_digit;
    case 'l':
      return is_lower;
    case 'p':
      return is_punctuation;
    case 's':
      return is_space;
    case 'u':
      return is_upper;
    case 'w':
      return is_word;
    case 'x':
      return is_hex;
    case 'z':
      return is_zero;
    default:
      return nullptr;
  }
}

}  // namespace

class Pattern::Compiler {
 public:
  Compiler(std::string_view text, Case letters)
      : text_(text), to_lower_case_(letters == Case::kLower) {}

  Result<Pattern> compile() {
    if (text_.size() > kMaxBytes) {
      return Status::error("pattern of " + std::to_string(text_.size()) + " bytes: at most " +
                           std::to_string(kMaxBytes) + " are allowed");
    }
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '(' || c == ')') {
        ++at_;
      } else if (c == '$' && at_ + 1 == text_.size()) {
        ++at_;
        pattern_.anchored_end_ = true;
      } else if (Status status = add_item(); !status.ok()) {
        return status;
      }
    }
    return std::move(pattern_);
  }

 private:
  Status add_item() {
    const size_t start = at_;
    const uint8_t c = text_[at_++];
    Item item;
    if (c == '.') {
      item.kind = Kind::kAny;
    } else if (c == '[') {
      if (Status status = set_item(item); !status.ok()) return status;
    } else if (c != '\\') {
      literal_item(item, c);
    } else if (at_ == text_.size()) {
      return fault(start, "a backslash at the end escapes nothing; write \"\\\\\" for a backslash");
    } else if (text_[at_] == 'b') {
      return balanced_item(start);
    } else if (text_[at_] == 'f') {
      return frontier_item(start);
    } else {
      escaped_item(item, text_[at_++]);
    }
    item.repeat = take_repeat();
    pattern_.items_.push_back(item);
    return {};
  }

  Repeat take_repeat() {
    if (at_ == text_.size()) return Repeat::kOnce;
    switch (text_[at_]) {
      // Longest or shortest: only whether there is a match is ever asked, so they are the same.
      case '*':
      case '-':
        ++at_;
        return Repeat::kAnyNumber;
      case '+':
        ++at_;
        return Repeat::kAtLeastOnce;
      case '?':
        ++at_;
        return Repeat::kOptional;
      default:
        return Repeat::kOnce;
    }
  }

  void literal_item(Item& item, uint8_t c) {
    item.kind = Kind::kByte;
    item.first = fold(c);
  }

  void escaped_item(Item& item, uint8_t letter) {
    if (class_of(letter) == nullptr) return literal_item(item, letter);
    Set set;
    add_class(set, letter);
    use_set(item, set, false);
  }

  // "\bxy", at_ on the 'b'. Takes no repeat: what follows is the next item.
  Status balanced_item(size_t start) {
    if (text_.size() - at_ < 3) {
      return fault(start, "\"\\b\" needs the two characters that open and close, as in \"\\b()\"");
    }
    Item item;
    item.kind = Kind::kBalanced;
    item.first = fold(text_[at_ + 1]);
    item.second = fold(text_[at_ + 2]);
    pattern_.items_.push_back(item);
    at_ += 3;
    return {};
  }

  // "\f[set]", at_ on the 'f'.
  Status frontier_item(size_t start) {
    if (text_.size() - at_ < 2 || text_[at_ + 1] != '[') {
      return fault(start, "\"\\f\" needs a set, as in \"\\f[\\a]\"");
    }
    at_ += 2;
    Item item;
    if (Status status = set_item(item); !status.ok()) return status;
    item.kind = Kind::kFrontier;
    pattern_.items_.push_back(item);
    return {};
  }

  // at_ behind the '['.
  Status set_item(Item& item) {
    const size_t start = at_ - 1;
    const bool inverse = at_ < text_.size() && text_[at_] == '^';
    if (inverse) ++at_;
    Set set;
    // A ']' that comes first is a member.
    for (bool first = true; at_ < text_.size() && (first || text_[at_] != ']'); first = false) {
      if (Status status = add_member(set, start); !status.ok()) return status;
    }
    if (at_ == text_.size()) {
      return fault(start, "the set is not closed; add \"]\", or write \"\\[\" for a bracket");
    }
    ++at_;
    use_set(item, set, inverse);
    return {};
  }

  // One byte, class or range of a set.
  Status add_member(Set& set, size_t set_start) {
    const size_t start = at_;
    uint8_t low = text_[at_++];
    if (low == '\\') {
      if (at_ == text_.size()) return fault(set_start, "the set ends in a backslash");
      low = text_[at_++];
      if (class_of(low) != nullptr) {
        add_class(set, low);
        return {};
      }
    }
    uint8_t high = low;
    if (range_follows()) {
      ++at_;
      if (text_[at_] == '\\') ++at_;
      high = text_[at_++];
    }
    if (low > high) {
      return fault(start, "the range runs backwards, it is empty; exchange its ends");
    }
    for (unsigned byte = low; byte <= high; ++byte) set.add(static_cast<uint8_t>(byte));
    return {};
  }

  // On a '-' with an end behind it. Before ']' or a class it is an ordinary member.
  bool range_follows() const {
    if (text_.size() - at_ < 2 || text_[at_] != '-' || text_[at_ + 1] == ']') return false;
    if (text_[at_ + 1] != '\\') return true;
    return text_.size() - at_ > 2 && class_of(text_[at_ + 2]) == nullptr;
  }

  static void add_class(Set& set, uint8_t letter) {
    const Predicate predicate = class_of(letter);
    for (unsigned byte = 0; byte < 256; ++byte) {
      if (predicate(static_cast<uint8_t>(byte)) != is_upper(letter)) {
        set.add(static_cast<uint8_t>(byte));
      }
    }
  }

  // Case is forgotten before the set is turned round: "[^a]" excludes 'A' too.
  void use_set(Item& item, Set set, bool inverse) {
    for (uint8_t capital = 'A'; capital <= 'Z'; ++capital) {
      if (set.has(capital)) set.add(fold(capital));
    }
    for (uint64_t& word : set.words) word = inverse ? ~word : word;
    item.kind = Kind::kSet;
    item.set = static_cast<uint16_t>(pattern_.sets_.size());
    pattern_.sets_.push_back(set);
  }

  uint8_t fold(uint8_t c) const { return to_lower_case_ ? to_lower(c) : c; }

  Status fault(size_t at, std::string_view what) const {
    return Status::error("pattern \"" + std::string(text_) + "\", byte " + std::to_string(at + 1) +
                         ": " + std::string(what));
  }

  const std::string_view text_;
  const bool to_lower_case_;
  size_t at_ = 0;
  Pattern pattern_;
};

Result<Pattern> Pattern::compile(std::string_view text, Case letters) {
  return Compiler(text, letters).compile();
}

}  // namespace m2
