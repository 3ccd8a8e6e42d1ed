// The fields of a request that decide what of a file is sent: conditions, ranges, codings. Found in
// one pass over the head by what serves files. Judges none of them.
#pragma once

#include <forward_list>
#include <string>
#include <string_view>

#include "proto/http/conditions.h"
#include "proto/http/request_head.h"

namespace m2 {

// Values as received; absent: data() == nullptr. A field that came more than once is one value,
// joined by commas (RFC 9110 5.3). base, the bytes the head is in, must live as long.
class FileFields {
 public:
  FileFields(const RequestHead& head, const char* base);
  FileFields(const FileFields&) = delete;
  FileFields& operator=(const FileFields&) = delete;

  ConditionFields conditions;
  std::string_view range;
  std::string_view if_range;
  std::string_view accept_encoding;
  bool conditional = false;  // one of the conditions is there

 private:
  std::string_view* place(std::string_view name);

  std::forward_list<std::string> joined_;
};

}  // namespace m2
