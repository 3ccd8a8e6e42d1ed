// Status and Result<T>: how everything that can fail in operation says so. Success is a null
// pointer, failure a sentence that names its object. Each layer that knows something new adds one
// piece of context on the way up. Bugs are not errors: they are CHECKs (common/check.h).
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace m2 {

class [[nodiscard]] Status {
 public:
  Status() = default;  // success

  static Status error(std::string message) { return Status(std::move(message)); }
  // "what: text of the errno", e.g. "open logs/error.log: Permission denied".
  static Status from_errno(std::string_view what, int error_number) {
    return Status(std::string(what) + ": " + std::strerror(error_number));
  }

  bool ok() const { return message_ == nullptr; }
  // The reason of a failure; empty on success.
  const std::string& message() const {
    static const std::string none;
    return message_ ? *message_ : none;
  }
  // "context: message"; success stays success.
  Status in(std::string_view context) && {
    if (message_) message_->insert(0, std::string(context) + ": ");
    return std::move(*this);
  }

 private:
  explicit Status(std::string message)
      : message_(std::make_unique<std::string>(std::move(message))) {}
  std::unique_ptr<std::string> message_;
};

// A value, or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}  // NOLINT: implicit on purpose, `return value;`
  Result(Status error) : state_(std::move(error)) {}  // NOLINT: `return Status::error(...)`

  bool ok() const { return std::holds_alternative<T>(state_); }
  T& value() & { return std::get<T>(state_); }
  const T& value() const& { return std::get<T>(state_); }
  T&& value() && { return std::get<T>(std::move(state_)); }
  Status&& status() && { return std::get<Status>(std::move(state_)); }
  const std::string& message() const {
    static const std::string none;
    return ok() ? none : std::get<Status>(state_).message();
  }

 private:
  std::variant<T, Status> state_;
};

}  // namespace m2
