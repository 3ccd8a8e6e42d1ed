#include "worker/target/download_credits.h"

#include <utility>

#include "worker/generation.h"
#include "worker/http/exchange.h"
#include "worker/target/target.h"

namespace m2 {
namespace {

// What a handler may send ahead of the client, as Mongrel2 1.x has it.
constexpr std::string_view kAhead = "102400";

}  // namespace

std::span<const ExtraField> DownloadCredits::add_to(std::span<const ExtraField> fields,
                                                    Exchange& exchange,
                                                    std::shared_ptr<ToldHandler> pair) {
  if (!exchange.generation().limits().flow_control) return fields;
  // Said once, for the whole connection; how much of it is free again is told as bytes leave.
  const bool known = exchange.client().is_told(pair->pair());
  exchange.give_credits_to(std::move(pair));
  if (known) return fields;
  with_credits_.assign(fields.begin(), fields.end());
  with_credits_.push_back({"DOWNLOAD_CREDITS", kAhead});
  return with_credits_;
}

}  // namespace m2
