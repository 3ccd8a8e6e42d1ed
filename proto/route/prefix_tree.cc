#include "proto/route/prefix_tree.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace m2 {

void PrefixTree::add(std::string_view prefix, uint32_t value) {
  Slot& slot = node_for(prefix).slot;
  if (slot.plain == kNone) slot.plain = value;
}

Status PrefixTree::add(std::string_view prefix, std::string_view pattern, Pattern::Case letters,
                       uint32_t value) {
  const auto [known, is_new] =
      pattern_numbers_.try_emplace(std::string(pattern), static_cast<uint32_t>(patterns_.size()));
  if (is_new) {
    Result<Pattern> compiled = Pattern::compile(pattern, letters);
    if (!compiled.ok()) {
      pattern_numbers_.erase(known);
      return std::move(compiled).status();
    }
    patterns_.push_back(std::move(compiled).value());
  }
  const uint32_t entry = static_cast<uint32_t>(entries_.size());
  entries_.push_back({known->second, value});
  uint32_t& first = node_for(prefix).slot.pattern;
  if (first == kNone) {
    first = entry;
  } else {
    entries_[entries_[first].last].next = entry;
  }
  entries_[first].last = entry;
  return {};
}

PrefixTree::Hit PrefixTree::longest(std::string_view key) const {
  const Node* node = &root_;
  Hit hit{node->slot, 0};
  size_t at = 0;
  while (at < key.size()) {
    node = child_of(*node, static_cast<uint8_t>(key[at]));
    if (node == nullptr) break;
    ++at;
    const std::string_view label = node->label();
    if (!key.substr(at).starts_with(label)) break;
    at += label.size();
    if (node->slot.used()) hit = {node->slot, at};
  }
  return hit;
}

// Halves without a branch that could be guessed wrong: which child is next is news with each key.
const PrefixTree::Node* PrefixTree::child_of(const Node& node, uint8_t byte) {
  const char* const keys = node.text.data();
  size_t count = node.children.size();
  if (count == 0) return nullptr;
  size_t at = 0;
  while (count > 1) {
    const size_t half = count / 2;
    at += static_cast<uint8_t>(keys[at + half]) <= byte ? half : 0;
    count -= half;
  }
  return static_cast<uint8_t>(keys[at]) == byte ? &node.children[at] : nullptr;
}

PrefixTree::Node& PrefixTree::node_for(std::string_view prefix) {
  Node* node = &root_;
  while (!prefix.empty()) {
    Node* const child = const_cast<Node*>(child_of(*node, static_cast<uint8_t>(prefix[0])));
    if (child == nullptr) return add_child(*node, prefix);
    prefix.remove_prefix(1);
    const std::string_view label = child->label();
    const size_t common =
        std::mismatch(label.begin(), label.end(), prefix.begin(), prefix.end()).first -
        label.begin();
    if (common < label.size()) split(*child, common);
    node = child;
    prefix.remove_prefix(common);
  }
  return *node;
}

PrefixTree::Node& PrefixTree::add_child(Node& parent, std::string_view prefix) {
  const auto keys_end = parent.text.begin() + parent.children.size();
  const auto key = std::lower_bound(parent.text.begin(), keys_end, prefix[0], [](char a, char b) {
    return static_cast<uint8_t>(a) < static_cast<uint8_t>(b);
  });
  const size_t at = key - parent.text.begin();
  parent.text.insert(at, 1, prefix[0]);
  Node& child = *parent.children.emplace(parent.children.begin() + at);
  child.text = prefix.substr(1);
  return child;
}

// The node keeps the first bytes of its label and gets one child with all the rest.
void PrefixTree::split(Node& node, size_t label_bytes) {
  const std::string label(node.label());
  Node rest = std::move(node);
  rest.text.erase(rest.children.size(), label_bytes + 1);
  node = Node{};
  node.text = label[label_bytes] + label.substr(0, label_bytes);
  node.children.push_back(std::move(rest));
}

}  // namespace m2
