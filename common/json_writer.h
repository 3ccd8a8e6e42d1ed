// A small streaming writer of JSON (RFC 8259) without white space: what is written in the same
// order gives the same bytes. Used for images and for answers to people. It never reads JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace m2 {

class JsonWriter {
 public:
  // expected_bytes: reserved at once; more is fine.
  explicit JsonWriter(size_t expected_bytes = 0) { out_.reserve(expected_bytes); }

  // Commas come by themselves. Each value in an object needs a key before it (the caller's duty).
  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }
  void key(std::string_view name);
  // Bytes that are not UTF-8 are written as U+FFFD each, so that the result is always valid.
  void text(std::string_view value);
  void number(int64_t value);
  void boolean(bool value);

  // The document; every object and array must be closed (CHECKed). The writer is empty afterwards.
  std::string take();

 private:
  void open(char bracket);
  void close(char bracket);
  void separate();
  void quote(std::string_view value);

  std::string out_;
  size_t depth_ = 0;
  bool comma_due_ = false;
};

}  // namespace m2
