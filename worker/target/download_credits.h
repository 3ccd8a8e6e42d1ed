// Flow control of answers (download.flow_control, docs/handler-protocol.md): the field that tells
// the handlers of a pair, with the first request of a connection that they see, how far they may
// send ahead. Used by whoever writes a request.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "proto/handler/request_writer.h"

namespace m2 {

class Exchange;
class ToldHandler;

class DownloadCredits {
 public:
  // Returns the fields, with that one behind them where it belongs; valid while this object and
  // the fields are. From now on the pair hears what the client takes.
  std::span<const ExtraField> add_to(std::span<const ExtraField> fields, Exchange& exchange,
                                     std::shared_ptr<ToldHandler> pair);

 private:
  std::vector<ExtraField> with_credits_;
};

}  // namespace m2
