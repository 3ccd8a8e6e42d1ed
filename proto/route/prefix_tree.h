// A radix tree over byte strings with what RouteMap and HostMap keep at each: one number and a list
// of patterns with theirs. Says which stored prefix is the longest that a key begins with; what the
// rest of the key must look like is the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/status.h"
#include "proto/route/pattern.h"

namespace m2 {

class PrefixTree {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // What stands at a prefix.
  struct Slot {
    uint32_t plain = kNone;    // number of the entry without a pattern
    uint32_t pattern = kNone;  // its first entry with one
    bool used() const { return plain != kNone || pattern != kNone; }
  };
  struct Hit {
    Slot slot;
    size_t length = 0;  // bytes of the key that are the prefix
  };

  // Of several entries without a pattern the first stays. Refused: a bad pattern.
  void add(std::string_view prefix, uint32_t value);
  Status add(std::string_view prefix, std::string_view pattern, Pattern::Case letters,
             uint32_t value);

  // A slot that is not used: no stored prefix fits.
  Hit longest(std::string_view key) const;

  // The number of the first pattern that matches, else of the entry without one, else kNone.
  template <typename Matches>
  uint32_t choose(Slot slot, Matches matches) const {
    for (uint32_t i = slot.pattern; i != kNone; i = entries_[i].next) {
      if (matches(patterns_[entries_[i].pattern])) return entries_[i].value;
    }
    return slot.plain;
  }

 private:
  // An entry with a pattern; equal patterns are one.
  struct Entry {
    uint32_t pattern;
    uint32_t value;
    uint32_t next = kNone;  // at the same prefix
    uint32_t last = kNone;  // known to the first of a prefix
  };
  // A node is one cache line, so that a step costs one miss: which child is next is decided in it.
  struct alignas(64) Node {
    std::vector<Node> children;
    // First bytes of the children, in order; then the label: what the key must hold between the
    // byte that the parent chose by and that of a child.
    std::string text;
    Slot slot;

    std::string_view label() const { return std::string_view(text).substr(children.size()); }
  };

  static const Node* child_of(const Node& node, uint8_t byte);
  static Node& add_child(Node& parent, std::string_view prefix);
  static void split(Node& node, size_t label_bytes);
  Node& node_for(std::string_view prefix);

  Node root_;
  std::vector<Entry> entries_;
  std::vector<Pattern> patterns_;
  std::unordered_map<std::string, uint32_t> pattern_numbers_;
};

}  // namespace m2
