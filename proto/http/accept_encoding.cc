// Weights of codings, and the choice between them. Pure functions.
#include "proto/http/accept_encoding.h"

#include <optional>

#include "proto/http/syntax.h"

namespace m2 {
namespace {

using Weight = std::optional<unsigned>;  // thousandths; nothing: not mentioned

// qvalue (RFC 9110 12.4.2): 0 or 1 with at most three decimals.
Weight parse_weight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return {};
  unsigned value = text[0] == '1' ? 1000 : 0;
  if (text.size() == 1) return value;
  if (text[1] != '.') return {};
  unsigned place = 100;
  for (const char c : text.substr(2)) {
    if (!is(c, kDigitChar)) return {};
    value += place * static_cast<unsigned>(c - '0');
    place /= 10;
  }
  return value <= 1000 ? Weight(value) : Weight();
}

// The weight of "coding;q=0.5"; what stands before the ';' is left in element.
Weight take_weight(std::string_view& element) {
  const size_t semicolon = element.find(';');
  if (semicolon == std::string_view::npos) return 1000;
  const std::string_view parameter = trim_blanks(element.substr(semicolon + 1));
  element = trim_blanks(element.substr(0, semicolon));
  if (!equals_ignore_case(parameter.substr(0, 2), "q=")) return {};
  return parse_weight(parameter.substr(2));
}

struct Weights {
  Weight identity, any;
  std::array<Weight, kCodingNames.size()> codings;
};

void note(std::string_view name, unsigned weight, Weights& weights) {
  if (name == "*") weights.any = weight;
  if (equals_ignore_case(name, "identity")) weights.identity = weight;
  if (equals_ignore_case(name, "x-gzip")) name = "gzip";  // RFC 9110 8.4.1.3
  for (size_t i = 0; i < kCodingNames.size(); ++i) {
    if (equals_ignore_case(name, kCodingNames[i].name)) weights.codings[i] = weight;
  }
}

}  // namespace

ContentCoding choose_coding(std::string_view accept, CodingSet offered) {
  if (accept.data() == nullptr) return ContentCoding::kIdentity;
  Weights weights;
  std::string_view element;
  while (next_element(accept, element)) {
    if (const Weight weight = take_weight(element)) note(element, *weight, weights);
  }
  ContentCoding best = ContentCoding::kNone;
  unsigned best_weight = 0;
  for (size_t i = 0; i < kCodingNames.size(); ++i) {
    if ((offered & coding_bit(kCodingNames[i].coding)) == 0) continue;
    const unsigned weight = weights.codings[i].value_or(weights.any.value_or(0));
    if (weight <= best_weight) continue;
    best = kCodingNames[i].coding;
    best_weight = weight;
  }
  // Not mentioned, identity is acceptable, and liked less than any coding that is.
  const Weight identity = weights.identity ? weights.identity : weights.any;
  if (best == ContentCoding::kNone) {
    return identity.value_or(1) > 0 ? ContentCoding::kIdentity : ContentCoding::kNone;
  }
  return identity.value_or(0) > best_weight ? ContentCoding::kIdentity : best;
}

}  // namespace m2
